"""Commands on pretraining data: data make, data check, data show."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from parley import assemble
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.cluster.documents import spread
from parley.cluster.engines import engine_of
from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.data.behaviour import LOGS
from parley.data.chat import told
from parley.data.check import DataRefused, check
from parley.data.dataset import DataConfig, Dataset, read_manifest, world_digest
from parley.data.documents import EXPERT, Documents
from parley.data.make import make
from parley.data.parquet import EXPERT_NAME
from parley.memory.kinds import MEMORIES
from parley.report.bars import Bars
from parley.report.tables import data_table, latents_table, plain
from parley.runs.directory import read_manifest as read_run

MIX = "uniform:0.5,imposter:0.3,epsilon-expert(0.3):0.1,noisy-expert(0.2):0.1, or logs:RUN_DIR"


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    data = group("data")
    c = command(
        "make", _make, "make data as Parquet (needs the extra data); interrupted, the same command goes on", data
    )
    c.add_argument("--world", required=True, help="a name, name:key=value,..., or a world file")
    c.add_argument("--out", type=Path, required=True, help="the data directory: new, empty, or begun before")
    c.add_argument("--documents", type=int, required=True, metavar="N", help="each with a latent of its own")
    c.add_argument("--episodes", type=int, required=True, metavar="T", help="of a document")
    c.add_argument("--behaviour", default="mixed", metavar="MIX", help=f"default: mixed; or a mix such as {MIX}")
    c.add_argument("--rho", type=float, default=0.0, help="the share of episodes that the expert acts in")
    c.add_argument("--label-error", type=float, default=0.0, metavar="E", help="the share of labels not optimal")
    c.add_argument("--chat", type=int, default=0, metavar="N", help="also N chat examples of each document, as JSONL")
    c.add_argument(
        "--template", default="", help="of chat examples: chat, transcript or a file (default: the plain transcript)"
    )
    c.add_argument("--memory", default="full", choices=MEMORIES, help="with --template (default: full)")
    c.add_argument("--size", type=int, default=8, metavar="K", help="with --template: episodes of the memory")
    c.add_argument("--seed", type=int, default=0, help="of the documents")
    c.add_argument("--workers", type=int, default=1, metavar="K", help="processes; the data do not depend on them")
    c.add_argument("--on", metavar="WHERE", help="where: ray, ray://HOST:PORT, slurm:... (default: here)")
    c = command("check", _check, "what the theory asks of data, counted; refused (exit code 1) or warned by rule", data)
    c.add_argument("data", type=Path, help="the data directory")
    c = command("show", _show, "a document as text, with its labels", data)
    c.add_argument("data", type=Path, help="the data directory")
    c.add_argument("--document", type=int, default=0, metavar="I", help="counted from 0 (default 0)")
    c.add_argument("--episode", type=int, metavar="J", help="this episode only, counted from 0 (default: all)")


def _tables(spec: str) -> Tables:
    tables = assemble.world(spec).tables
    if tables is None:
        raise BadInput(f"world {spec!r} has no exact tables: pretraining data need its expert")
    return tables


def _make(args: argparse.Namespace) -> Any:
    config = DataConfig(**{f.name: getattr(args, f.name) for f in fields(DataConfig)})
    tables = _tables(args.world)
    for part in config.mix:
        if part.kind == LOGS:
            _same_world(part.run, args.world, tables)
    elsewhere = spread(engine_of(args.on), args.out) if args.on else None
    with Bars(ERR) as bars:
        bar = bars.documents(args.world, config.documents)
        manifest = make(tables, config, args.out, args.workers, bar, elsewhere)
    size = sum(entry["bytes"] for entry in manifest["files"])
    rows = {"documents": f"{config.documents:,}", "episodes of a document": f"{config.episodes:,}"}
    rows |= {"steps": f"{config.documents * config.episodes * tables.horizon:,}", "behaviour": config.behaviour}
    rows |= {"files": f"{len(manifest['files'])}, {size / 1e6:.1f} MB", "world": args.world}
    if config.chat:
        rows["chat examples"] = f"{sum(entry['examples'] for entry in manifest['chat']):,}"
    if not args.json:
        OUT.print(data_table(str(args.out), rows))
    return {"out": str(args.out), **manifest}


def _same_world(run: str, spec: str, tables: Tables) -> None:
    other = read_run(Path(run))["config"]["world"]
    if world_digest(_tables(other)) != world_digest(tables):
        raise BadInput(f"logs {run!r} are of world {other!r}, not {spec!r}")


def _open(folder: Path) -> Dataset:
    return Dataset(folder, _tables(read_manifest(folder)["config"]["world"]))


def _check(args: argparse.Namespace) -> Any:
    data = _open(args.data)
    found = {"data": str(args.data), **check(data, assemble.beliefs_of(data.tables))}
    if not args.json:
        shares = ("optimal_labels", "optimal_subgoals", "expert_episodes", "duplicate_documents", "duplicate_episodes")
        numbers = {name: value for name, value in found.items() if isinstance(value, int | float)}
        texts = {name: f"{value:.2%}" if name in shares else f"{value:,.6g}" for name, value in numbers.items()}
        OUT.print(data_table(str(args.data), texts))
        OUT.print(latents_table(found["latents"]))
        for warning in found["warnings"]:
            OUT.print(f"[yellow]warning:[/] {plain(warning)}", soft_wrap=True)
    if found["refused"]:
        raise DataRefused(f"{str(args.data)!r} is refused: {'; '.join(found['refused'])}", details=found)
    if not args.json:
        OUT.print("the data keep the rules" + (", with warnings" if found["warnings"] else ""))
    return found


def _show(args: argparse.Namespace) -> Any:
    data = _open(args.data)
    for name, value, size in (("document", args.document, len(data)), ("episode", args.episode, data.config.episodes)):
        if value is not None and not 0 <= value < size:
            raise BadInput(f"{name}={value}: expected a number below {size}, counted from 0")
    episodes = range(data.config.episodes) if args.episode is None else [args.episode]
    document = data.take(np.array([args.document]))
    shown = [spelt(document, data, episode) for episode in episodes]
    latent = data.tables.latents[document.latents[0]]
    if not args.json:
        OUT.print(f"document {args.document}, latent {plain(latent)}", soft_wrap=True)
        for lines in map(_episode, shown):
            OUT.print(*lines, sep="\n", soft_wrap=True)
    return {"document": args.document, "latent": latent, "episodes": shown}


def _episode(episode: dict[str, Any]) -> Iterator[str]:
    yield f"[bold]episode {episode['episode']}[/] [dim]({plain(episode['behaviour'])})[/]"
    yield plain(f"task: {episode['instruction']}")
    yield plain(episode["observations"][0])
    for law, said, seen in zip(episode["labels"], episode["subgoals"], episode["observations"][1:], strict=True):
        likely = sorted(law.items(), key=lambda entry: -entry[1])
        yield "[dim]label " + ", ".join(f"{share:.2f} {plain(subgoal)}" for subgoal, share in likely) + "[/]"
        yield from (plain(f"> {part}") for part in said)
        yield plain(seen)


def spelt(documents: Documents, data: Dataset, episode: int) -> dict[str, Any]:
    """An episode of the first document, in sentences."""
    t = data.tables
    assert documents.behaviours is not None
    story = told(documents, t, 0, episode, t.horizon + 1)[-1]
    who = documents.behaviours[0, episode]
    labels = [{t.subgoals[g]: float(law[g]) for g in np.flatnonzero(law)} for law in documents.labels[0, episode]]
    behaviour = EXPERT_NAME if who == EXPERT else data.config.mix[who].name
    return {"episode": episode, "behaviour": behaviour, **asdict(story), "labels": labels}
