"""Commands that make the Planner's partners: pretrain-reporter, pretrain-actor, pretrain-reach."""

import argparse
from collections.abc import Callable
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

from parley import assemble
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.core.errors import BadInput
from parley.core.spec import bind
from parley.report.bars import Bars
from parley.runs.directory import storage
from parley.worlds.kit.alterations import grounded
from parley.worlds.kit.learned import Learned
from parley.worlds.kit.reporter_training import ReporterRecipe, pretrain_reporter

REACH = ("steps", "width", "entropy", "rate", "discount", "seed")  # options of `pretrain-reach`


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("pretrain-reporter", _reporter)
    c.add_argument("--world", required=True, help="the world whose states are reported")
    c.add_argument("--out", type=Path, required=True, help="where it is kept; then `parley run --reporter learned:OUT`")
    for f in fields(ReporterRecipe):
        about = "tables, or for household: grid, pixels" if f.name == "view" else "a number"
        c.add_argument(f"--{f.name}", type=type(f.default), default=f.default, help=f"{about} (default {f.default})")

    c = command("pretrain-actor", _actor)
    c.add_argument("--world", default="household", help="household (default), or house, which needs the extra mujoco")
    c.add_argument("--out", type=Path, required=True, help="where it is kept; then `parley run --actor cloned:OUT`")
    c.add_argument("--share", type=float, required=True, help="of the demonstrations that are optimal, 0 to 1")
    c.add_argument("--demonstrations", type=int, help="default: 2000, of house 60")
    c.add_argument("--seed", type=int, default=0, help="of the demonstrations")

    c = command("pretrain-reach", _reach)
    c.add_argument("--out", type=Path, required=True, help="where it is kept; then `--world sorter:actor=reach:OUT`")
    for name in REACH:
        c.add_argument(f"--{name}", help="a number (default: see the model card)")


def _reporter(args: argparse.Namespace) -> Any:
    world = assemble.world(args.world)
    tables = world.tables
    if tables is None:
        raise BadInput(f"world {args.world!r} has no tables: the pairs (state, sentence) are drawn from them")
    recipe = ReporterRecipe(**{f.name: getattr(args, f.name) for f in fields(ReporterRecipe)})
    views = getattr(world, "views", {})
    learned = pretrain_reporter(tables, args.world, recipe, views)
    return _kept(args, learned, f"total variation to the true E {learned.about['total_variation']:.4f}")


def _kept(args: argparse.Namespace, learned: Learned, said: str) -> Any:
    """Keep what was learned, and say how good it is."""
    with storage(args.out):
        learned.save(args.out)
    if not args.json:
        OUT.print(f"{args.out}: {said}", markup=False)
    return {"out": str(args.out), **learned.about}


def _actor(args: argparse.Namespace) -> Any:
    number = {} if args.demonstrations is None else {"demonstrations": args.demonstrations}
    policy = _lesson(args.world, "actor")(args.share, **number, seed=args.seed)
    return _kept(args, policy, f"{policy.about['measure']} {policy.about['error']:.4f}")


def _lesson(spec: str, part: str) -> Callable[..., Learned]:
    """How a part of a world is learned, on its low level."""
    world = assemble.world(spec)
    world = grounded(world, True) if getattr(world, "low_level", None) else world
    learns: dict[str, Callable[..., Learned]] = getattr(world, "learns", {})
    if part not in learns:
        raise BadInput(f"--world {spec!r}: nothing in it learns its {part} (known: {', '.join(learns) or 'none'})")
    return learns[part]


def _reach(args: argparse.Namespace) -> Any:
    learn = _lesson("sorter", "reach")
    given = {name: text for name in REACH if (text := getattr(args, name)) is not None}
    settings = bind(learn, given, "pretrain-reach", skip=["progress"])
    steps = settings.get("steps", signature(learn).parameters["steps"].default)
    with Bars(ERR) as bars:
        policy = learn(**settings, progress=bars.episodes("training to reach", steps, "actions"))
    reached = ", ".join(f"{n} (seed {seed})" for seed, n in policy.about["successes"].items())
    return _kept(args, policy, f"of {policy.about['goals']} goals each, reached {reached}")
