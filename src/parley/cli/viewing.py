"""The command view: runs and experiments in a browser."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from parley.cli.console import ERR, AddCommand, AddGroup
from parley.core.errors import BadInput
from parley.report.tables import plain
from parley.view.app import LOOPBACK, Viewer
from parley.view.notes import usual_place

NICE = 5  # a run on the same machine goes first


def add(command: AddCommand, group: AddGroup) -> None:
    """The command and its options."""
    c = command("view", _view)
    c.add_argument("directory", nargs="?", type=Path, default=Path("."), help="all below it (default: here)")
    c.add_argument("--host", default="127.0.0.1", help="default: this machine only")
    c.add_argument("--port", type=int, default=8765, help="default: 8765; 0: any that is free")
    c.add_argument("--notes", type=Path, help=f"where notes and tags are kept (default: {_short(usual_place())})")


def _short(path: Path) -> str:
    home = str(Path.home())
    return "~" + str(path).removeprefix(home) if str(path).startswith(home) else str(path)


def _view(args: argparse.Namespace) -> Any:
    if not 0 <= args.port < 65536:
        raise BadInput(f"port={args.port}: expected a port number")
    viewer = Viewer(args.directory, args.host, args.port, args.notes or usual_place())
    if hasattr(os, "nice"):
        os.nice(NICE)
    if args.json:
        print(json.dumps({"url": viewer.url, "directory": str(viewer.found.root)}), flush=True)
    ERR.print(f"{plain(str(viewer.found.root))} at {viewer.url}  (Ctrl-C ends it)", soft_wrap=True)
    if args.host not in LOOPBACK and args.host != "::1":
        ERR.print("[yellow]who can reach this address can read these runs and write notes[/]", soft_wrap=True)
    viewer.run()
    return None
