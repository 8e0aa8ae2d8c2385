"""Commands for parts of one's own: new, check."""

import argparse
from pathlib import Path
from typing import Any

from parley.api.scaffolding import OBJECTS, scaffold
from parley.assemble.conformance import CHECKS, check
from parley.cli.console import OUT, AddCommand, AddGroup
from parley.core.errors import ParleyError
from parley.report.tables import plain


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("new", _new)
    c.add_argument("kind", choices=list(OBJECTS), help="the kind of part to make")
    c.add_argument("name", help="of the package, as in my-planner")
    c.add_argument("--into", type=Path, default=Path("."), help="the directory in which it is made (default: here)")
    c = command("check", _check)
    c.add_argument("kind", choices=list(CHECKS), help="the kind of part to check")
    c.add_argument("name", help="a name, a spec, or module:Name")
    c.add_argument("--world", default="shortcut", help="where planners and explorers are tried (default: shortcut)")


def _new(args: argparse.Namespace) -> Any:
    made = scaffold(args.kind, args.name, args.into)
    folder = args.into / args.name
    if not args.json:
        OUT.print(*(plain(str(path)) for path in made), sep="\n", soft_wrap=True, highlight=False)
        OUT.print(
            f"next:  pip install -e {plain(str(folder))}  and  parley check {args.kind} {args.name}", soft_wrap=True
        )
    return {"files": [str(path) for path in made]}


def _check(args: argparse.Namespace) -> Any:
    wrong = check(args.kind, args.name, args.world)
    if wrong:
        raise ParleyError(f"{args.kind} {args.name!r}: {'; '.join(wrong)}", {"conforms": False, "wrong": wrong})
    if not args.json:
        OUT.print(f"{plain(args.name)}: conforms", soft_wrap=True)
    return {"conforms": True, "kind": args.kind, "name": args.name}
