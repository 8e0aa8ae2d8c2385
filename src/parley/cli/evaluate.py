"""Commands that measure what was pretrained: evaluate."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from parley import assemble
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.core.errors import BadInput
from parley.evaluation.evaluate import pretraining_error
from parley.evaluation.summary import error_summary
from parley.models.checkpoint import Checkpoint
from parley.report.bars import Bars
from parley.report.plots import curves_figure, save_png
from parley.report.tables import plain

BEHAVIOURS = ("uniform", "imposter", "own", "own-greedy")
COLUMNS = {
    "total_variation": "total variation",
    "kl_nats": "KL, nats",
    "prediction_kl_nats": "predictions, KL",
    "implied_posterior": "implied posterior",
}


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("evaluate", _evaluate)
    c.add_argument("checkpoint", help="a directory, or the name of a checkpoint that ships")
    c.add_argument("--world", help="default: the world that it was trained for")
    c.add_argument("--documents", type=int, default=128, metavar="N", help="held-out documents (default 128)")
    c.add_argument("--episodes", type=int, metavar="T", help="of each; default: half as many again as in training")
    c.add_argument("--seed", type=int, default=0, help="of the held-out documents")
    c.add_argument(
        "--behaviour",
        action="append",
        help="who acts: uniform, imposter, mixed, a mix of these, own (its own runs), own-greedy; may be repeated "
        f"(default: {', '.join(BEHAVIOURS)})",
    )
    c.add_argument("--figure", type=Path, help="where to draw total variation by episode position (default: not drawn)")


def _evaluate(args: argparse.Namespace) -> Any:
    path = assemble.checkpoint(args.checkpoint)
    if path.name == assemble.GENERALIST:
        raise BadInput(
            f"checkpoint={args.checkpoint!r}: it reads words and was trained for no one world: "
            "`parley experiment run unseen-worlds` measures it against the oracles of worlds that it never saw"
        )
    about = Checkpoint.load(path).about
    world = args.world or about["world"]
    tables = assemble.world(world).tables
    if tables is None:
        raise BadInput(f"world {world!r} has no exact tables: there is no oracle to compare with")
    if args.seed < 0:
        raise BadInput(f"seed={args.seed}: expected at least 0")
    trained = int(about["episodes"])
    episodes = args.episodes if args.episodes is not None else trained + trained // 2
    behaviours = args.behaviour or list(BEHAVIOURS[:1] + BEHAVIOURS[2:] if about["recipe"]["rho"] else BEHAVIOURS)
    found, curves = {}, []
    with Bars(ERR) as bars:
        bar = bars.documents(f"{args.checkpoint} against the oracle of {world}", args.documents * len(behaviours))
        for name in behaviours:
            which = (args.documents, episodes, args.seed, name)
            error = pretraining_error(path, assemble.beliefs_of(tables), *which, implied=True)
            found[name] = error_summary(error, tables)
            curves.append((name, error.total_variation))
            bar(args.documents)
    if args.figure:
        save_png(curves_figure(str(world), "episode", "total variation to the oracle", curves), args.figure)
    if not args.json:
        _print(found, trained, args.documents)
    sizes = {"documents": args.documents, "episodes": episodes, "trained_episodes": trained, "seed": args.seed}
    return {"checkpoint": str(args.checkpoint), "world": world, **sizes, "behaviours": found}


def _print(found: dict[str, Any], trained: int, documents: int) -> None:
    whole = _table(f"{documents} held-out documents; training documents had {trained} episodes", "who acts")
    for name, summary in found.items():
        for span in ("within", "beyond"):
            if summary[span]["total_variation"]:
                _row(whole, f"{name}, {span}", summary[span])
    whole.caption = "means over steps, 95% intervals over documents; beyond: the prompt was cut, the oracle's was not"
    OUT.print(whole)
    name, summary = next(iter(found.items()))
    positions = _table(f"by episode position ({name})", "episode")
    every = sorted(set(np.unique(np.geomspace(1, len(summary["by_position"]), 12).astype(int) - 1).tolist()))
    for e in every:
        _row(positions, str(e), summary["by_position"][e])
    latents = _table(f"by latent ({name})", "latent (documents)")
    for one in summary["by_latent"]:
        _row(latents, f"{one['latent']} ({one['documents']})", one)
    OUT.print(positions, latents)


def _table(title: str, first: str) -> Table:
    table = Table(title=plain(title), title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for name in COLUMNS.values():
        table.add_column(name, justify="right")
    return table


def _row(table: Table, label: str, means: dict[str, Any]) -> None:
    table.add_row(plain(label), *(_cell(means[name]) for name in COLUMNS))


def _cell(value: dict[str, float | None] | None) -> str:
    if value is None:
        return "-"
    half = value["half_width"]
    return f"{value['mean']:.4f}" + ("" if half is None else f" ± {half:.4f}")
