"""Commands that make planners: pretrain."""

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from parley import assemble
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.core.errors import BadInput
from parley.pretraining.train import PRESETS, Recipe, pretrain
from parley.report.bars import Bars


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("pretrain", _pretrain, "train a transformer planner for a world (needs the extra torch)")
    c.add_argument("--world", required=True)
    c.add_argument("--out", type=Path, required=True, help="the checkpoint directory, new or empty")
    c.add_argument("--start", type=Path, help="begin with the weights of this checkpoint (same lines, same shape)")
    for f in fields(Recipe):
        option = "--" + f.name.replace("_", "-")
        c.add_argument(option, type=type(f.default), help=f"default: the world's preset, else {f.default}")


def _pretrain(args: argparse.Namespace) -> Any:
    tables = assemble.world(args.world).tables
    if tables is None:
        raise BadInput(f"world {args.world!r} has no exact tables: pretraining needs its expert")
    given = {f.name: getattr(args, f.name) for f in fields(Recipe) if getattr(args, f.name) is not None}
    recipe = replace(PRESETS.get(args.world, Recipe()), **given)
    with Bars(ERR) as bars:
        bar = bars.training(f"pretraining on {args.world}")
        about = pretrain(tables, args.world, args.out, recipe, bar, args.start)
    if not args.json:
        OUT.print(f"{args.out}: {about['parameters']:,} parameters, loss {about['loss']:.4f}", markup=False)
    return {"out": str(args.out), **about}
