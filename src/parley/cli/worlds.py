"""Commands on world files: world export, world check."""

import argparse
import sys
from pathlib import Path
from typing import Any

from parley import assemble
from parley.cli.console import OUT, AddCommand, AddGroup
from parley.core.errors import BadInput
from parley.worlds.tabular.world_file import dump_world, load_world


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    worlds = group("world", "world files")
    c = command("export", _export, "write a world as a world file to standard output", worlds)
    c.add_argument("name")
    c = command("check", _check, "validate a world file", worlds)
    c.add_argument("file", type=Path)


def _export(args: argparse.Namespace) -> None:
    tables = assemble.world(args.name).tables
    if tables is None:
        raise BadInput(f"world {args.name!r} has no exact tables to export")
    sys.stdout.write(dump_world(tables))


def _check(args: argparse.Namespace) -> Any:
    t = load_world(args.file)
    sizes = {"states": len(t.states), "observations": len(t.observations), "subgoals": t.num_subgoals}
    sizes |= {"latents": t.num_latents, "instructions": len(t.instructions), "horizon": t.horizon}
    if not args.json:
        OUT.print(f"{args.file}: valid; {', '.join(f'{n} {name}' for name, n in sizes.items())}", markup=False)
    return {"valid": True, "name": t.name, **sizes}
