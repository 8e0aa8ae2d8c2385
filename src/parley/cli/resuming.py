"""The command that goes on with a run: resume."""

import argparse
from pathlib import Path
from typing import Any

from parley import assemble
from parley.cli.carrying_out import beyond_of, closing, finished, limits_of, shared_options, to_render, warn
from parley.cli.console import ERR, AddCommand, AddGroup
from parley.cluster.addressed import brought
from parley.cluster.driver import Options, engine_for, resume_on
from parley.cluster.shelf import placed
from parley.core.errors import BadInput
from parley.core.paths import require_local
from parley.core.spec import parse_spec
from parley.execute import RunConfig, resume
from parley.report.bars import Bars
from parley.runs.directory import read_manifest


def add(command: AddCommand, group: AddGroup) -> None:
    """The command and its options."""
    c = command("resume", _resume)
    c.add_argument("run", type=Path, help="the run directory")
    c.add_argument(
        "--trust", action="store_true", help="import code that the run names and that is no installed plugin"
    )
    c.add_argument(
        "--set",
        metavar="KEY=VALUE,...",
        default="",
        help="change how a model is asked: budget=1500,way=parse (default: as before)",
    )
    shared_options(c)


def _resume(args: argparse.Namespace) -> Any:
    config = RunConfig.from_manifest(read_manifest(brought(args.run, shards=False))["config"])
    films = to_render(args, config, args.trust)
    if films:
        require_local(args.run)
    if engine := engine_for(args.run, args.on):
        if args.set:
            raise BadInput(f"--set {args.set}: a run in shards goes on as it was begun")
        with Bars(ERR) as bars:
            shown = bars.episodes(config.world, config.episodes * config.runs)
            options = Options(limits_of(args), tuple(args.hook), shown, warn, args.trust)
            manifest = resume_on(engine, args.run, options)
        args.out, args.quiet = args.run, False
        return closing(args, manifest, films, args.trust)
    with Bars(ERR) as bars:
        said: list[str] = []
        bar = bars.begin(config.world, config.episodes * config.runs, finished(brought(args.run)))
        hooks, (_, changes) = assemble.hooks_of(args.hook, args.trust), parse_spec(f"set:{args.set}", "--set")
        with placed(args.run) as here:
            manifest = resume(here, bar, said.append, limits_of(args), None, args.trust, hooks, changes)
    beyond = beyond_of(config)
    for warning in [*said, *filter(None, [beyond])]:
        warn(warning)
    args.out, args.quiet = args.run, False
    return {**closing(args, manifest, films, args.trust), **({"warning": beyond} if beyond else {})}
