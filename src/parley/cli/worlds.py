"""Commands on worlds: world export, check, verify, film."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parley import assemble
from parley.assemble.trust import require_trusted_world
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.core.errors import BadInput
from parley.report.bars import Bars
from parley.report.films import frames_of
from parley.report.tables import plain, verdicts_table
from parley.runs.directory import read_manifest, storage
from parley.runs.ownership import mine
from parley.worlds.kit.conformance import check_world
from parley.worlds.kit.film import save_film
from parley.worlds.kit.tabular.world_file import dump_world, load_world
from parley.worlds.kit.verify import verify


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    worlds = group("world")
    c = command("export", _export, "write a world as a world file to standard output", worlds)
    c.add_argument("name", help="a world, as for --world of parley run")
    c = command("check", _check, "validate a world file, or hold a world to the contract", worlds)
    c.add_argument("world", help="path/to/world.json, module:Class, or a name")
    c = command("verify", _verify, "hold a physical world's tables against its physics (extra theory)", worlds)
    c.add_argument("name", help="a world, as for --world of parley run")
    c.add_argument("--episodes", type=int, default=20, help="of random subgoals, for each latent (default 20)")
    c.add_argument("--seed", type=int, default=0, help="of the random subgoals")
    c.add_argument("--within", type=float, default=0.03, help="total variation that counts as small (default 0.03)")
    c = command("film", _film, "play an episode of a run in a physical world again, as a GIF or MP4", worlds)
    c.add_argument("run", type=Path, help="a run directory that holds steps")
    c.add_argument("--trust", action="store_true", help="import what the run names, though you did not begin it")
    c.add_argument("--of-run", type=int, default=0, help="of this run, counted from 0")
    c.add_argument("--episode", type=int, default=0, help="this episode, counted from 0")
    c.add_argument("--every", type=int, default=8, help="low-level actions from picture to picture (default 8)")
    c.add_argument("--out", type=Path, required=True, help="the film: a path that ends in .gif or .mp4")


def _export(args: argparse.Namespace) -> None:
    tables = assemble.world(args.name, trust=True).tables
    if tables is None:
        raise BadInput(f"world {args.name!r} has no exact tables to export")
    sys.stdout.write(dump_world(tables))


def _verify(args: argparse.Namespace) -> Any:
    world = assemble.world(args.name, trust=True)
    with Bars(ERR) as bars:
        progress = bars.episodes(args.name, args.episodes * len(world.latents))
        verdicts = verify(world, args.episodes, args.seed, progress=progress)
    rows = [{**asdict(v), "verdict": v.verdict(args.within)} for v in verdicts]
    counts = {name: sum(row["verdict"] == name for row in rows) for name in ("holds", "undecided", "differs")}
    if not args.json:
        OUT.print(verdicts_table(rows, args.name, args.within))
        OUT.print(f"of {len(rows)}: {', '.join(f'{n} {name}' for name, n in counts.items())}")
    return {"world": args.name, "episodes": args.episodes, "within": args.within, **counts, "mechanisms": rows}


def _film(args: argparse.Namespace) -> Any:
    manifest = read_manifest(args.run)
    require_trusted_world(args.run, manifest, args.trust)
    world = assemble.world(manifest["config"]["world"], args.trust or mine(manifest))
    frames = frames_of(args.run, world, args.of_run, args.episode, args.every)
    with storage(args.out):
        save_film(frames, args.out)
    if not args.json:
        OUT.print(f"{args.out}: {len(frames)} pictures", markup=False, soft_wrap=True)
    return {"film": str(args.out), "pictures": len(frames)}


def _check(args: argparse.Namespace) -> Any:
    return _check_file(args) if args.world.endswith(".json") else _check_world(args)


def _check_world(args: argparse.Namespace) -> Any:
    world = assemble.world(args.world, trust=True)
    wrong = check_world(world)
    if wrong:
        raise BadInput(f"world {args.world!r}: {'; '.join(wrong)}", {"valid": False, "wrong": wrong})
    sizes = {"latents": len(world.latents), "instructions": len(world.instructions), "horizon": world.horizon}
    if not args.json:
        OUT.print(plain(f"{args.world}: conforms; {_listed(sizes)}"), soft_wrap=True)
    return {"valid": True, "name": world.name, "exact_tables": world.tables is not None, **sizes}


def _check_file(args: argparse.Namespace) -> Any:
    t = load_world(args.world)
    sizes = {"states": len(t.states), "observations": len(t.observations), "subgoals": t.num_subgoals}
    sizes |= {"latents": t.num_latents, "instructions": len(t.instructions), "horizon": t.horizon}
    if not args.json:
        OUT.print(f"{args.world}: valid; {_listed(sizes)}", markup=False)
    return {"valid": True, "name": t.name, **sizes}


def _listed(sizes: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sizes.items())
