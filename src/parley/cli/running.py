"""The command that carries out runs: run."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from parley import assemble
from parley.api.studies import ALTERATIONS, Cell, cells_of, read_study
from parley.assemble import Parts
from parley.assemble.estimate import Estimate, estimate
from parley.cli.carrying_out import beyond_of, closing, finished, shared_options, to_render, warn
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.cluster.driver import Options, resume_on, run_on
from parley.cluster.engines import engine_of
from parley.cluster.shelf import placed
from parley.core.errors import BadInput
from parley.core.paths import require_local
from parley.execute import RunConfig, resume, run
from parley.report.bars import Bars
from parley.report.summary import Curves
from parley.report.tables import estimates_table, summary_table
from parley.runs.directory import read_manifest

Films = list[tuple[int, int]]  # run, episode


def add(command: AddCommand, group: AddGroup) -> None:
    """The command and its options."""
    c = command("run", _run)
    c.add_argument("study", type=Path, nargs="?", help="a run file (TOML): these options; a list of values makes cells")
    c.add_argument(
        "--world", help="a name, name:key=value,..., a world file, or module:Name (required without a run file)"
    )
    c.add_argument("--planner", help="who plans, see `parley list planners` (default: exact)")
    c.add_argument("--reporter", help="one with an error: learned:PATH, learned:PAIRS, noisy:SHARE (default: the true)")
    c.add_argument(
        "--actor", help="cloned:PATH or cloned:SHARE, in household:low_level=true or house (default: the world's own)"
    )
    c.add_argument("--explore", help="who explores, see `parley list explorers` (default: none)")
    c.add_argument("--memory", help="what prompts show of earlier episodes (default: the planner's memory=)")
    c.add_argument("--episodes", type=int, metavar="T", help="episodes of each run (default: 100)")
    c.add_argument(
        "--runs", type=int, metavar="B", help="independent runs, each with a latent of its own (default: 64)"
    )
    c.add_argument("--seed", type=int, help="of all random numbers (default: 0)")
    c.add_argument(
        "--out",
        type=Path,
        help="the run directory, new or empty; of a run file: where its cells are (default: what the file says)",
    )
    c.add_argument("--latent", help="NAME or INDEX for all runs, `each` in turn (default: drawn from the prior)")
    c.add_argument(
        "--instructions", help="order of the tasks: cyclic (default), random, doubling, fixed:NAME, list:NAME|NAME|..."
    )
    c.add_argument("--record", choices=["steps", "episodes", "auto"], help="what the log keeps (default: auto)")
    c.add_argument(
        "--cohort",
        type=int,
        metavar="N",
        help="runs that move together (default: as the planner asks; workers=N: an N-th)",
    )
    c.add_argument("--threads", type=int, help="threads of the array library (default: 1)")
    c.add_argument("--dry-run", action="store_true", help="say what would be run, with calls, tokens and time")
    shared_options(c)


def _cells(args: argparse.Namespace) -> list[Cell]:
    """The cells to run: those of a run file, or the options themselves."""
    names = (*(f.name for f in fields(RunConfig)), *ALTERATIONS, "out", "prices")
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    given = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    given |= {name: value for name in ("token_limit", "cost_limit") if (value := getattr(args, name))}
    given |= {"hooks": args.hook} if args.hook else {}
    if args.study is None and not (args.world and (args.out or args.dry_run)):
        raise BadInput("run needs --world and --out, or a run file (see `parley run --help`)")
    return read_study(args.study, given) if args.study else cells_of(given, "parley run")


def _run(args: argparse.Namespace) -> Any:
    cells = _cells(args)
    parts = [cell.config.parts(trust=True) for cell in cells]  # faults are told before any bar is drawn
    for cell in cells:
        cell.require()
    beyond_all = [beyond_of(cell.config) for cell in cells]
    for said in dict.fromkeys(filter(None, beyond_all)):
        warn(said)
    if args.study or args.render is not None:  # films and the cells of a file are looked for where they are written
        for cell in cells:
            require_local(cell.out)
    if args.dry_run:
        return _estimates(args, cells, [estimate(cell.config, part) for cell, part in zip(cells, parts, strict=True)])
    args.quiet = len(cells) > 1
    if args.quiet and args.render is not None:
        raise BadInput("--render goes with one run")
    answers = []
    for cell, part, beyond in zip(cells, parts, beyond_all, strict=True):
        films = to_render(args, cell.config, trust=True)
        with Bars(ERR) as bars:
            manifest = _carried_out(cell, part, bars, args)
        args.out = cell.out
        warned = {"warning": beyond} if beyond else {}
        answers.append({**closing(args, manifest, films, trust=True), **warned})
    if args.quiet and not args.json:
        shown = [replace(Curves.read(cell.out).summary(), label=cell.out.name) for cell in cells]
        OUT.print(summary_table(shown, str(args.study)))
    return answers if args.quiet else answers[0]


def _carried_out(cell: Cell, parts: Parts, bars: Bars, args: argparse.Namespace) -> dict[str, Any]:
    """Carry out a cell; of a study, one that was begun before is taken up where its log ends."""
    config, hooks = cell.config, assemble.hooks_of(cell.hooks, trust=True)
    begun = args.study is not None and (cell.out / "manifest.json").is_file()
    if begun and RunConfig.from_manifest(read_manifest(cell.out)["config"]) != config.resolved(parts):
        raise BadInput(f"{cell.out} holds another run than the file describes: name another out, or remove it")
    if args.on:
        total = config.episodes * config.runs
        options = Options(cell.limits, cell.hooks, bars.episodes(config.world, total), warn, trust=True)
        engine = engine_of(args.on)
        return resume_on(engine, cell.out, options) if begun else run_on(engine, config, cell.out, options)
    done = finished(cell.out) if begun else 0
    bar = bars.begin(config.world, config.episodes * config.runs, done)
    if not begun:
        with placed(cell.out) as here:
            return run(config, here, bar, cell.limits, parts, hooks)
    return resume(cell.out, bar, None, cell.limits, parts, hooks=hooks)


def _estimates(args: argparse.Namespace, cells: Sequence[Cell], found: Sequence[Estimate]) -> Any:
    rows = [
        {"out": str(cell.out), **asdict(cell.config), **asdict(one)} for cell, one in zip(cells, found, strict=True)
    ]
    if not args.json:
        OUT.print(estimates_table(rows))
    return rows
