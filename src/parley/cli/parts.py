"""Commands that make the Planner's partners: pretrain-reporter, pretrain-actor, pretrain-reach."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from parley import assemble
from parley.actors.cloned import ClonedPolicy, clone
from parley.actors.cloned_walker import ClonedWalk, clone_walk
from parley.actors.reach_training import ReachRecipe, train_reach
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.core.errors import BadInput
from parley.pretraining.reporter import ReporterRecipe, pretrain_reporter
from parley.report.bars import Bars
from parley.runs.directory import storage
from parley.worlds.household import House


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("pretrain-reporter", _reporter, "learn a Reporter by contrast from states and sentences (extra torch)")
    c.add_argument("--world", required=True)
    c.add_argument("--out", type=Path, required=True, help="where it is kept; then `parley run --reporter learned:OUT`")
    for f in fields(ReporterRecipe):
        about = "tables, or for household: grid, pixels" if f.name == "view" else "a number"
        c.add_argument(f"--{f.name}", type=type(f.default), default=f.default, help=f"{about} (default {f.default})")

    c = command("pretrain-actor", _actor, "clone an Actor from demonstrations, some of them optimal")
    c.add_argument("--world", choices=("household", "house"), default="household", help="house needs the extra mujoco")
    c.add_argument("--out", type=Path, required=True, help="where it is kept; then `parley run --actor cloned:OUT`")
    c.add_argument("--share", type=float, required=True, help="of the demonstrations that are optimal, 0 to 1")
    c.add_argument("--demonstrations", type=int, help="default: 2000, of house 60")
    c.add_argument("--seed", type=int, default=0)

    c = command("pretrain-reach", _reach, "train the reaching of sorter's arm with SAC and HER (extra reach)")
    c.add_argument("--out", type=Path, required=True, help="where it is kept; then `--world sorter:actor=reach:OUT`")
    for f in fields(ReachRecipe):
        c.add_argument(f"--{f.name}", type=type(f.default), default=f.default, help=f"default {f.default}")


def _reporter(args: argparse.Namespace) -> Any:
    tables = assemble.world(args.world).tables
    if tables is None:
        raise BadInput(f"world {args.world!r} has no tables: the pairs (state, sentence) are drawn from them")
    recipe = ReporterRecipe(**{f.name: getattr(args, f.name) for f in fields(ReporterRecipe)})
    learned = pretrain_reporter(tables, args.world, recipe)
    with storage(args.out):
        learned.save(args.out)
    if not args.json:
        OUT.print(f"{args.out}: total variation to the true E {learned.about['total_variation']:.4f}", markup=False)
    return {"out": str(args.out), **learned.about}


def _actor(args: argparse.Namespace) -> Any:
    number = {} if args.demonstrations is None else {"demonstrations": args.demonstrations}
    policy: ClonedPolicy | ClonedWalk
    if args.world == "house":
        policy, unit = (
            clone_walk(args.share, **number, seed=args.seed),
            "distance to the optimal forces (100 N)",
        )
    else:
        policy, unit = clone(House(), args.share, **number, seed=args.seed), "total variation to the optimal Actor"
    with storage(args.out):
        policy.save(args.out)
    if not args.json:
        OUT.print(f"{args.out}: {unit} {policy.about['error']:.4f}", markup=False)
    return {"out": str(args.out), **policy.about}


def _reach(args: argparse.Namespace) -> Any:
    recipe = ReachRecipe(**{f.name: getattr(args, f.name) for f in fields(ReachRecipe)})
    with Bars(ERR) as bars:
        policy = train_reach(recipe, bars.episodes("training to reach", recipe.steps, "actions"))
    with storage(args.out):
        policy.save(args.out)
    if not args.json:
        reached = ", ".join(f"{n} (seed {seed})" for seed, n in policy.about["successes"].items())
        OUT.print(f"{args.out}: of {policy.about['goals']} goals each, reached {reached}", markup=False)
    return {"out": str(args.out), **policy.about}
