"""The command serve: a checkpoint behind an OpenAI-compatible API."""

import argparse
import os
from typing import Any

from threadpoolctl import threadpool_limits

from parley import assemble
from parley.cli.console import ERR, AddCommand, AddGroup
from parley.core.errors import BadInput, MissingExtra
from parley.report.tables import plain
from parley.serving.app import application
from parley.serving.engine import SESSIONS, Engine
from parley.serving.waiting import Room

MOST_SESSIONS = 100_000


def add(command: AddCommand, group: AddGroup) -> None:
    """The command and its options."""
    c = command("serve", _serve)
    c.add_argument("checkpoint", help="a directory, or the name of a checkpoint that ships")
    c.add_argument("--host", default="127.0.0.1", help="default: this machine only")
    c.add_argument("--port", type=int, default=8000, help="the port to listen on")
    c.add_argument("--name", help="the model's name (default: the directory's)")
    c.add_argument(
        "--api-key-env", metavar="VARIABLE", help="ask clients for the key that this variable holds (default: no key)"
    )
    c.add_argument("--sessions", type=int, default=SESSIONS, help="prompts kept to go on from (default %(default)s)")


def _serve(args: argparse.Namespace) -> Any:
    try:
        from parley.serving.listening import Listening, bound, is_loopback
    except ImportError:
        raise MissingExtra("parley serve", "serve") from None
    path = assemble.checkpoint(args.checkpoint)
    if not 1 <= args.sessions <= MOST_SESSIONS or not 0 <= args.port < 65536:
        raise BadInput(
            f"sessions={args.sessions}, port={args.port}: expected 1 to {MOST_SESSIONS} sessions, and a port number"
        )
    key = os.environ.get(args.api_key_env, "") if args.api_key_env else ""
    if args.api_key_env and not key:
        raise BadInput(f"api_key_env={args.api_key_env!r}: this variable is empty or not set")
    if not key and not is_loopback(args.host):
        raise BadInput(
            f"host={args.host!r}: others than this machine reach it: ask for a key, --api-key-env VARIABLE, or serve "
            "127.0.0.1 alone"
        )
    name, room = args.name or path.name, Room()
    app, at = application(Engine(path, args.sessions), name, key, room), bound(args.host, args.port)
    shown = f"[{args.host}]" if ":" in args.host else args.host
    url = f"http://{shown}:{at.getsockname()[1]}/v1"

    def ready() -> None:
        planner = f"--planner endpoint:model=parley/{plain(name)},base_url={plain(url)}"
        ERR.print(f"serving {plain(name)} at {plain(url)}; a planner of it:  {planner}", soft_wrap=True)

    try:
        with threadpool_limits(1):  # as in `parley run`: answers depend on no number of cores, and waiting is dear
            Listening(app, at, ready, room).serve_forever()
    except KeyboardInterrupt:
        ERR.print("no longer serving")
    return None
