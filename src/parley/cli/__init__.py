"""The command line: parse, assemble, print. Answers go to standard output, progress and messages to standard error.

A command's module is imported when the command is given: `parley --help` starts at once.
"""

import argparse
import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from parley.cli.signals import heeded
from parley.core.errors import BadInput, ParleyError
from parley.core.paths import address, require_local
from parley.core.spec import suggestion
from parley.core.text import inert


class Command(NamedTuple):
    """Where a command, or a group of commands, is, and the line about it."""

    module: str
    about: str


COMMANDS = {
    "run": Command("running", "carry out runs of a planner in a world, into a new directory"),
    "resume": Command("resuming", "continue a run that was killed, paused or interrupted"),
    "merge": Command("shards", "make one log of a run that was carried out in shards (--on)"),
    "export": Command("shards", "tables of runs as Parquet, for DuckDB, polars, pandas, Spark (extra data)"),
    "list": Command("runs", "what there is: worlds, planners, explorers, or runs below a directory"),
    "show": Command("runs", "the table of one or more runs, or one episode step by step"),
    "view": Command("viewing", "look at runs and experiments in a browser, live (extra view)"),
    "report": Command("reporting", "one or more runs as one HTML page, the viewer with chosen episodes, and a figure"),
    "diagnose": Command("runs", "what goes wrong in runs: which failure signature, why, where, and what to try"),
    "new": Command("plugins", "a package with a world, planner, explorer or memory of your own, and its test"),
    "check": Command("plugins", "hold a part, ours or yours, to the contract that ours keep"),
    "prompt": Command("prompts", "the prompt of one decision of a run, as it was sent or as a template makes it"),
    "quickstart": Command("quickstart", "see a transformer plan, explore and learn, in two minutes"),
    "world": Command("worlds", "worlds and world files"),
    "theory": Command("laboratory", "what the theory says of a world: eta, epsilon, bound, and traps"),
    "bench": Command("benching", "a card of a planner: memory, exploration, Bayes, against a known floor and ceiling"),
    "experiment": Command("laboratory", "claims of the paper as experiments"),
    "data": Command("data", "pretraining data: documents of episodes, labelled by the expert who knows the latent"),
    "pretrain": Command("pretraining", "train a transformer planner for a world (needs the extra torch)"),
    "evaluate": Command("evaluate", "measure a checkpoint's distance to the exact oracle on held-out documents"),
    "finetune": Command("pretraining", "tune a language model, LoRA: on chat examples, or on generated worlds"),
    "models": Command("models", "language models as files: installed ones, and the files made of them"),
    "pretrain-reporter": Command("parts", "learn a Reporter by contrast from states and sentences (extra torch)"),
    "pretrain-actor": Command("parts", "clone an Actor from demonstrations, some of them optimal"),
    "pretrain-reach": Command("parts", "train the reaching of sorter's arm with SAC and HER (extra reach)"),
    "serve": Command("serving", "serve a checkpoint by an OpenAI-compatible API (extra serve)"),
}
ABOUT = "LLM agents that plan in words and get better from episode to episode."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0; 2 on bad usage or input; 1 on failure; 130 on Ctrl-C and 143 on SIGTERM, after what was finished is saved.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without a letter still gets its answer
    if "_ARGCOMPLETE" in os.environ:
        _complete()
    given = list(sys.argv[1:] if argv is None else argv)
    args = argparse.Namespace(json="--json" in given)  # until they are parsed
    with heeded() as came:
        try:
            named = given[0] if given and given[0] in COMMANDS else None
            args = parser([named] if named else []).parse_args(given)
            _bring_runs(named, args)
            with _aside(args.json and named != "view"):
                answer = args.command(args)
            if args.json and answer is not None:
                print(json.dumps(answer))
            return 0
        except ParleyError as wrong:
            return _fail(args, str(wrong), wrong.exit_code, wrong.details)
        except KeyboardInterrupt:
            how = "`parley resume` continues a run, the same command all else"
            return _fail(args, f"interrupted; what was finished is saved: {how}", 128 + (came or [signal.SIGINT])[0])
        except BrokenPipeError:
            sys.stderr.close()
            return 1


WRITES_RUNS = {("run", "out"), ("resume", "run"), ("merge", "run")}  # commands that deal with addresses themselves


def _bring_runs(command: str | None, args: argparse.Namespace) -> None:
    """Runs that are named by addresses are brought here; of other paths, an address is refused."""
    for name, value in vars(args).items():
        several = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Path)]
        if not any(map(address, several)) or (command, name) in WRITES_RUNS:
            continue
        if name != "run":
            for path in several:
                require_local(path)
        from parley.cluster.addressed import brought

        found = [brought(path) for path in several]
        setattr(args, name, found if isinstance(value, list) else found[0])


def _aside(wanted: bool) -> AbstractContextManager[Any]:
    """What a part prints goes to standard error, where standard output has one answer in JSON."""
    return redirect_stdout(sys.stderr) if wanted else nullcontext()


def _complete() -> NoReturn:
    """Answer a shell that completes a command line: `eval "$(register-python-argcomplete parley)"`."""
    import argcomplete

    words = os.environ.get("COMP_LINE", "").split()
    named = [word for word in words[1:2] if word in COMMANDS]
    argcomplete.autocomplete(parser(named))
    raise SystemExit(1)  # there is nothing to complete


def _fail(args: argparse.Namespace, message: str, code: int, details: dict[str, Any] | None = None) -> int:
    from parley.cli.console import ERR
    from parley.report.tables import plain

    if args.json:
        print(json.dumps({**(details or {}), "error": message, "exit_code": code}))
    ERR.print(f"[bold red]parley:[/] {plain(inert(message, 4000))}", soft_wrap=True)
    return code


def _whole(text: str) -> int:
    """A whole number. Only ASCII digits count."""
    if not re.fullmatch(r"[+-]?[0-9]+", text.strip()):
        raise ValueError(text)
    return int(text)


class _Help(argparse.HelpFormatter):
    """Says the default of each option that has one, where its text does not."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text, default = action.help or "", action.default
        unsaid = default is None or isinstance(default, bool) or default in (argparse.SUPPRESS, "", [])
        if unsaid or not action.option_strings or "default" in text:
            return text if text or unsaid else "default: %(default)s"
        return f"{text} (default: %(default)s)".strip()


class _Parser(argparse.ArgumentParser):
    """Names the fault in the usage in one line. Takes no abbreviated options."""

    def __init__(self, **about: Any) -> None:
        super().__init__(**about, allow_abbrev=False, formatter_class=_Help)
        self.register("type", int, _whole)

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message} (see `{self.prog} --help`)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"unknown: {value!r}{suggestion(str(value), action.choices)}")


class _Version(argparse.Action):
    """Prints the version, which is looked up when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        import parley

        print(f"parley {parley.__version__}")
        parser.exit()


def parser(names: Sequence[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """The parser of these commands with all their options; of the others it knows the names."""
    top = _Parser(prog="parley", description=ABOUT)
    top.add_argument("--version", nargs=0, action=_Version, help="the version of this program")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: Callable[[argparse.Namespace], Any], text: str = "", to: Any = None) -> Any:
        if to is None and name not in names:
            return _Parser()  # its module adds it beside one that is asked for
        text = text or COMMANDS[name].about
        made = (to or commands).add_parser(name, help=text, description=text)
        made.add_argument("--json", action="store_true", help="answer in JSON on standard output")
        made.set_defaults(command=does)
        return made

    def group(name: str) -> Any:
        if name not in names:
            return _Parser().add_subparsers()
        made = commands.add_parser(name, help=COMMANDS[name].about, description=COMMANDS[name].about)
        return made.add_subparsers(required=True, metavar="ACTION")

    for name in COMMANDS:
        if name not in names:
            commands.add_parser(name, help=COMMANDS[name].about)
    for module in dict.fromkeys(COMMANDS[name].module for name in names):
        import_module(f"parley.cli.{module}").add(command, group)
    return top
