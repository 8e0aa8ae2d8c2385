"""The command line: parse, assemble, print. Answers go to standard output, progress and messages to standard error."""

import argparse
import io
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from parley.cli import data, evaluate, laboratory, parts, pretraining, prompts, runs, serving, worlds
from parley.cli.console import ERR
from parley.core.errors import BadInput, ParleyError
from parley.core.spec import suggestion
from parley.core.text import inert
from parley.report.tables import plain


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 on bad usage or input, 1 on failure, 130 on Ctrl-C after saving."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without a letter still gets its answer
    given = sys.argv[1:] if argv is None else argv
    args = argparse.Namespace(json="--json" in given)  # until they are parsed
    try:
        args = parser().parse_args(given)
        answer = args.command(args)
        if args.json and answer is not None:
            print(json.dumps(answer))
        return 0
    except ParleyError as wrong:
        return _fail(args, str(wrong), wrong.exit_code, wrong.details)
    except KeyboardInterrupt:
        how = "`parley resume` continues a run, the same command all else"
        return _fail(args, f"interrupted; what was finished is saved: {how}", 130)
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _fail(args: argparse.Namespace, message: str, code: int, details: dict[str, Any] | None = None) -> int:
    if args.json:
        print(json.dumps({**(details or {}), "error": message, "exit_code": code}))
    ERR.print(f"[bold red]parley:[/] {plain(inert(message, 4000))}", soft_wrap=True)
    return code


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the usage; takes no option by half its name."""

    def __init__(self, **about: Any) -> None:
        super().__init__(**about, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message} (see `{self.prog} --help`)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"unknown: {value!r}{suggestion(str(value), action.choices)}")


def parser() -> argparse.ArgumentParser:
    """All commands and their options; each module beside this one adds its own."""
    top = _Parser(prog="parley", description="LLM agents that plan in words and get better from episode to episode.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: Callable[[argparse.Namespace], Any], text: str, to: Any = None) -> Any:
        made = (to or commands).add_parser(name, help=text, description=text)
        made.add_argument("--json", action="store_true", help="answer in JSON on standard output")
        made.set_defaults(command=does)
        return made

    def group(name: str, text: str) -> Any:
        return commands.add_parser(name, help=text).add_subparsers(required=True, metavar="ACTION")

    for module in (runs, worlds, laboratory, pretraining, parts, evaluate, data, serving, prompts):
        module.add(command, group)
    return top
