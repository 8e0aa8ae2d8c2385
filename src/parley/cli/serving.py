"""The command serve: a checkpoint behind an OpenAI-compatible API."""

import argparse
import os
from pathlib import Path
from typing import Any

from parley import assemble
from parley.cli.console import ERR, AddCommand, AddGroup
from parley.core.errors import BadInput, MissingExtra
from parley.report.tables import plain
from parley.serving.app import application
from parley.serving.engine import SESSIONS, Engine


def add(command: AddCommand, group: AddGroup) -> None:
    """The command and its options."""
    c = command("serve", _serve)
    c.add_argument("checkpoint", help="a directory, or the name of a checkpoint that ships")
    c.add_argument("--host", default="127.0.0.1", help="default: this machine only")
    c.add_argument("--port", type=int, default=8000)
    c.add_argument("--name", help="the model's name (default: the directory's)")
    c.add_argument("--api-key-env", metavar="VARIABLE", help="ask for the key that this variable holds")
    c.add_argument("--sessions", type=int, default=SESSIONS, help="prompts kept to go on from (default %(default)s)")


def _serve(args: argparse.Namespace) -> Any:
    try:
        import uvicorn
    except ImportError:
        raise MissingExtra("parley serve", "serve") from None
    path = Path(args.checkpoint) if Path(args.checkpoint).is_dir() else assemble.shipped(args.checkpoint)
    if args.sessions < 1 or not 0 <= args.port < 65536:
        raise BadInput(f"sessions={args.sessions}, port={args.port}: expected at least 1 session, and a port number")
    key = os.environ.get(args.api_key_env, "") if args.api_key_env else ""
    if args.api_key_env and not key:
        raise BadInput(f"api_key_env={args.api_key_env!r}: this variable is empty or not set")
    name = args.name or path.name
    app = application(Engine(path, args.sessions), name, key)
    ERR.print(
        f"serving {plain(name)} at http://{args.host}:{args.port}/v1; a planner of it:  "
        f"--planner endpoint:model=parley/{plain(name)},base_url=http://{args.host}:{args.port}/v1",
        soft_wrap=True,
    )
    uvicorn.run(app, host=args.host, port=args.port, log_level="warning")
    return None
