"""Commands for runs in shards: merge."""

import argparse
from pathlib import Path
from typing import Any

from parley.cli.console import OUT, AddCommand, AddGroup
from parley.report.tables import plain
from parley.runs.merging import merge


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("merge", _merge)
    c.add_argument("run", type=Path, help="a run directory with shards")
    c.add_argument("--out", type=Path, help="a new directory for the merged run (default: in its own, shards removed)")


def _merge(args: argparse.Namespace) -> Any:
    manifest = merge(args.run, args.out)
    out = args.out or args.run
    if not args.json:
        OUT.print(f"merged: {plain(str(out))} ({manifest['status']})", soft_wrap=True, highlight=False)
    return {"out": str(out), "status": manifest["status"]}
