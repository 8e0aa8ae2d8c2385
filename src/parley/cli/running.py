"""Commands that carry out runs: run, resume, quickstart."""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from parley import assemble
from parley.api.studies import Cell, cells_of, read_study
from parley.assemble import Parts
from parley.assemble.estimate import Estimate, estimate
from parley.assemble.pretrained import pretrained
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.cluster.addressed import brought
from parley.cluster.driver import Options, engine_for, resume_on, run_on
from parley.cluster.engines import engine_of
from parley.cluster.shelf import placed
from parley.core.errors import BadInput, ParleyError
from parley.core.paths import address, require_local
from parley.core.spec import parse_spec
from parley.execute import RunConfig, resume, run
from parley.experiments.quickstart import SENTENCE, quickstart
from parley.report.bars import Bars
from parley.report.films import chosen, physical_of, render
from parley.report.summary import Curves, reading
from parley.report.tables import calls_line, estimates_table, invalid_line, plain, summary_table
from parley.runs.directory import read_manifest, write_whole
from parley.runs.ledger import Limits, Prices

Films = list[tuple[int, int]]  # run, episode


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
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
    _common(c)

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
    _common(c)

    c = command("quickstart", _quickstart)
    c.add_argument("--out", type=Path, help="where to keep the runs (default: a temporary directory)")
    c.add_argument("--figure", type=Path, help="where to draw the figure (default: quickstart.png in the directory)")


def _common(c: Any) -> None:
    """Options of both run and resume."""
    c.add_argument(
        "--hook",
        action="append",
        default=[],
        metavar="NAME",
        help="a hook, which is told what happens: a plugin or module:Name (default: none)",
    )
    c.add_argument(
        "--on",
        metavar="WHERE",
        help="ray, ray://HOST:PORT or slurm:partition=...,time=..., see docs/scale.md (default: here)",
    )
    c.add_argument(
        "--token-limit",
        type=int,
        default=0,
        metavar="N",
        help="pause once calls took so many tokens (default: 0, no limit)",
    )
    c.add_argument(
        "--cost-limit",
        type=float,
        default=0.0,
        metavar="X",
        help="pause once calls cost so much (default: 0, no limit)",
    )
    c.add_argument(
        "--prices", type=Path, metavar="FILE", help="a table of prices, see docs/endpoints.md (default: none)"
    )
    c.add_argument(
        "--render",
        metavar="RUN:EPISODE,...",
        help="keep films of these episodes (physical worlds; 0:-1: the last; default: none)",
    )
    c.add_argument(
        "--render-kind",
        default="gif",
        choices=["gif", "mp4"],
        help="of films; mp4 needs the extra video (default: gif)",
    )
    c.add_argument("--render-every", type=int, default=8, metavar="N", help="low-level actions a picture (default 8)")


def _cells(args: argparse.Namespace) -> list[Cell]:
    """The cells to run: those of a run file, or the options themselves."""
    names = (*(f.name for f in fields(RunConfig)), "out", "prices")
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    given = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    given |= {name: value for name in ("token_limit", "cost_limit") if (value := getattr(args, name))}
    given |= {"hooks": args.hook} if args.hook else {}
    if args.study is None and not (args.world and (args.out or args.dry_run)):
        raise BadInput("run needs --world and --out, or a run file (see `parley run --help`)")
    if (args.reporter or args.actor) and not args.world:
        raise BadInput("--reporter and --actor go with --world")
    for part in ("reporter", "actor"):  # they belong to the world: a manifest's world says them
        if getattr(args, part) is not None:
            given["world"] += f"{',' if ':' in given['world'] else ':'}{part}={getattr(args, part)}"
    return read_study(args.study, given) if args.study else cells_of(given, "parley run")


def _run(args: argparse.Namespace) -> Any:
    cells = _cells(args)
    parts = [cell.config.parts(trust=True) for cell in cells]  # faults are told before any bar is drawn
    beyond_all = [_beyond(cell.config) for cell in cells]
    for said in dict.fromkeys(filter(None, beyond_all)):
        _warn(said)
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
        films = _to_render(args, cell.config, trust=True)
        with Bars(ERR) as bars:
            manifest = _carried_out(cell, part, bars, args)
        args.out = cell.out
        warned = {"warning": beyond} if beyond else {}
        answers.append({**_closing(args, manifest, films, trust=True), **warned})
    if args.quiet and not args.json:
        shown = [replace(Curves.read(cell.out).summary(), label=cell.out.name) for cell in cells]
        OUT.print(summary_table(shown, str(args.study)))
    return answers if args.quiet else answers[0]


def _beyond(config: RunConfig) -> str | None:
    """Whether a checkpoint is run for more episodes than the theory speaks of. Only our planners say what they read."""
    planners = assemble.PLANNERS
    if config.planner.partition(":")[0].strip() not in planners.ours:
        return None
    planner = planners.find(config.planner)
    found = pretrained(planner.name, planner.arguments, config.world)
    return found.beyond(config.episodes) if found else None


def _carried_out(cell: Cell, parts: Parts, bars: Bars, args: argparse.Namespace) -> dict[str, Any]:
    """Carry out a cell; of a study, one that was begun before is taken up where its log ends."""
    config, hooks = cell.config, assemble.hooks_of(cell.hooks, trust=True)
    begun = args.study is not None and (cell.out / "manifest.json").is_file()
    if begun and RunConfig.from_manifest(read_manifest(cell.out)["config"]) != config.resolved(parts):
        raise BadInput(f"{cell.out} holds another run than the file describes: name another out, or remove it")
    if args.on:
        total = config.episodes * config.runs
        options = Options(cell.limits, cell.hooks, bars.episodes(config.world, total), _warn, trust=True)
        engine = engine_of(args.on)
        return resume_on(engine, cell.out, options) if begun else run_on(engine, config, cell.out, options)
    done = _finished(cell.out) if begun else 0
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


def _to_render(args: argparse.Namespace, config: RunConfig, trust: bool) -> list[tuple[int, int]]:
    """The episodes to film. Faults in them are told before the run begins."""
    if args.render is None:
        return []
    parts = config.parts(trust)
    physical_of(parts.world, "--render")
    if args.render_every < 1:
        raise BadInput(f"--render-every {args.render_every}: expected at least 1")
    if config.resolved(parts).record != "steps":
        raise BadInput("--render plays recorded steps again: add --record steps")
    return chosen(args.render, config.runs, config.episodes)


def _limits(args: argparse.Namespace) -> Limits:
    return Limits(args.token_limit, args.cost_limit, Prices.read(args.prices) if args.prices else Prices())


def _warn(said: str) -> None:
    ERR.print(f"[yellow]parley:[/] {plain(said)}", soft_wrap=True)


def _resume(args: argparse.Namespace) -> Any:
    config = RunConfig.from_manifest(read_manifest(brought(args.run, shards=False))["config"])
    films = _to_render(args, config, args.trust)
    if films:
        require_local(args.run)
    if engine := engine_for(args.run, args.on):
        if args.set:
            raise BadInput(f"--set {args.set}: a run in shards goes on as it was begun")
        with Bars(ERR) as bars:
            shown = bars.episodes(config.world, config.episodes * config.runs)
            options = Options(_limits(args), tuple(args.hook), shown, _warn, args.trust)
            manifest = resume_on(engine, args.run, options)
        args.out, args.quiet = args.run, False
        return _closing(args, manifest, films, args.trust)
    with Bars(ERR) as bars:
        said: list[str] = []
        bar = bars.begin(config.world, config.episodes * config.runs, _finished(brought(args.run)))
        hooks, (_, changes) = assemble.hooks_of(args.hook, args.trust), parse_spec(f"set:{args.set}", "--set")
        with placed(args.run) as here:
            manifest = resume(here, bar, said.append, _limits(args), None, args.trust, hooks, changes)
    beyond = _beyond(config)
    for warning in [*said, *filter(None, [beyond])]:
        _warn(warning)
    args.out, args.quiet = args.run, False
    return {**_closing(args, manifest, films, args.trust), **({"warning": beyond} if beyond else {})}


def _finished(out: Path) -> int:
    """Episodes that all runs have behind them; 0 where the log cannot be read, which resuming judges."""
    try:
        with reading(out) as reader:
            return reader.episodes("explored").size
    except ParleyError:
        return 0


def _closing(args: argparse.Namespace, manifest: dict[str, Any], films: Films, trust: bool) -> Any:
    """The films, and the table at the end."""
    made: list[str] = []
    if films:
        world = assemble.world(manifest["config"]["world"], trust)
        made = [str(path) for path in render(args.out, world, films, args.render_kind, args.render_every)]
    curves, named = Curves.read(brought(args.out)), address(args.out) or str(args.out)
    kept = manifest["config"]["record"]
    if not args.json and not args.quiet:
        OUT.print(summary_table([curves.summary()], f"{manifest['config']['world']} ({named})"))
        if "calls" in manifest["totals"]:
            OUT.print(calls_line(manifest["totals"]["calls"]), soft_wrap=True, highlight=False)
        for path in made:
            OUT.print(f"film: {plain(path)}", soft_wrap=True, highlight=False)
        ERR.print(
            f"recorded: {kept}. Look at it:  parley {'show' if address(args.out) else 'view'} {plain(named)}",
            soft_wrap=True,
        )
    kinds = ("calls", "decisions", "invalid")
    told = {name: manifest["totals"][name] for name in kinds if name in manifest["totals"]}
    filmed = {"films": made} if made else {}
    answer = {"out": named, "record": kept, **curves.summary().as_dict(), **told, **filmed}
    wrong = invalid_line(manifest["totals"], named)
    if wrong and told["invalid"] == told["decisions"]:
        raise ParleyError(wrong, answer)
    if wrong:
        ERR.print(f"[yellow]parley:[/] {plain(wrong)}", soft_wrap=True)
    return answer


def _quickstart(args: argparse.Namespace) -> Any:
    from parley.report.plots import regret_figure, save_png  # with matplotlib, which takes half of a start
    from parley.view.page import report_page

    ERR.print(f"[bold]{SENTENCE}[/]", soft_wrap=True)
    out = args.out or Path(tempfile.mkdtemp(prefix="parley-"))
    with Bars(ERR) as bars:
        done = quickstart(out, bars.begin)
    panels = [(title, [Curves.read(d, label) for label, d in runs]) for title, runs in done.items()]
    if not args.json:
        for title, curves in panels:
            OUT.print(summary_table([c.summary() for c in curves], title))
    figure, page = args.figure or out / "quickstart.png", out / "report.html"
    save_png(regret_figure(panels), figure)
    write_whole(page, report_page([d for runs in done.values() for _, d in runs]))
    if not args.json:
        OUT.print(f"figure: {plain(str(figure))}\npage:   {plain(str(page))}", soft_wrap=True, highlight=False)
    worlds = {title: [c.summary().as_dict() for c in curves] for title, curves in panels}
    return {"worlds": worlds, "figure": str(figure), "page": str(page)}
