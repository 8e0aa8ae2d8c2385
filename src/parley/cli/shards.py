"""Commands that make other files of runs: merge, export."""

import argparse
from pathlib import Path
from typing import Any

from parley.api.runs import open as opened
from parley.cli.console import OUT, AddCommand, AddGroup
from parley.cluster.addressed import brought
from parley.core.errors import BadInput
from parley.core.paths import address
from parley.report.tables import plain
from parley.runs.frames import export
from parley.runs.merging import merge

TABLES = ("episodes", "steps", "calls", "cuts")


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("merge", _merge)
    c.add_argument("run", type=Path, help="a run directory with shards")
    c.add_argument("--out", type=Path, help="a new directory for the merged run (default: in its own, shards removed)")
    c = command("export", _export)
    c.add_argument("run", nargs="+", help="run directories, or patterns: 'runs/*'; of several, `source` says which")
    c.add_argument("--parquet", type=Path, required=True, metavar="DIR", help="where the files are written")
    c.add_argument("--table", action="append", choices=TABLES, help="may be repeated (default: all)")


def _merge(args: argparse.Namespace) -> Any:
    if address(args.run) and args.out is None:
        raise BadInput(f"{address(args.run)} is merged into a directory: name one with --out")
    manifest = merge(brought(args.run), args.out)
    out = args.out or args.run
    if not args.json:
        OUT.print(f"merged: {plain(str(out))} ({manifest['status']})", soft_wrap=True, highlight=False)
    return {"out": str(out), "status": manifest["status"]}


def _export(args: argparse.Namespace) -> Any:
    paths = [path for one in args.run for path in opened(one).paths]
    found = export(list(dict.fromkeys(paths)), args.parquet, args.table or TABLES)
    if not args.json:
        for table, rows in found.items():
            OUT.print(f"{plain(str(args.parquet / table))}.parquet: {rows:,} rows", soft_wrap=True, highlight=False)
    return {"out": str(args.parquet), "rows": found}
