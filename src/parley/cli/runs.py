"""Commands on runs: run, resume, show, report, list, quickstart."""

import argparse
import inspect
import tempfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from parley import assemble
from parley.assemble.diagnosed import diagnosed
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.core.errors import BadInput, ParleyError, RunDamaged
from parley.execute import RunConfig, resume, run
from parley.experiments.quickstart import SENTENCE, quickstart
from parley.planners.world_model import WorldModelPlanner
from parley.report.bars import Bars
from parley.report.films import chosen, physical_of, render
from parley.report.page import report_page
from parley.report.plots import by_world, evidence_figure, regret_figure, save_png
from parley.report.searches import shown_search
from parley.report.signatures import Diagnosis
from parley.report.summary import Curves, readable_manifest, reading
from parley.report.tables import (
    calls_line,
    diagnoses_table,
    names_table,
    plain,
    proposal_lines,
    runs_table,
    summary_table,
)
from parley.runs.directory import read_manifest, write_whole
from parley.runs.ledger import Limits, Prices


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("run", _run, "carry out runs of a planner in a world, into a new directory")
    c.add_argument("--world", required=True, help="a name, name:key=value,..., or a world file")
    c.add_argument("--planner", default="exact", help="default: exact")
    c.add_argument("--reporter", help="one with an error: learned:PATH, learned:PAIRS, noisy:SHARE (default: the true)")
    c.add_argument("--actor", help="cloned:PATH or cloned:SHARE, in household:low_level=true or house")
    c.add_argument("--explore", default="none", help="default: none")
    c.add_argument("--episodes", type=int, default=100, metavar="T")
    c.add_argument("--runs", type=int, default=64, metavar="B", help="independent runs, each with a secret of its own")
    c.add_argument("--seed", type=int, default=0)
    c.add_argument("--out", type=Path, required=True, help="the run directory, new or empty")
    c.add_argument("--latent", help="NAME or INDEX for all runs, `each` in turn; default: drawn from the prior")
    c.add_argument("--instructions", default="cyclic", help="cyclic, random, doubling, fixed:NAME, list:NAME|NAME|...")
    c.add_argument("--record", default="auto", choices=["steps", "episodes", "auto"])
    c.add_argument("--cohort", type=int, default=0, metavar="N", help="runs that move together (workers=N: an N-th)")
    c.add_argument("--threads", type=int, default=1, help="threads of the array library (default 1)")

    _limits_of(c)
    _films_of(c)

    c = command("resume", _resume, "continue a run that was killed, paused or interrupted")
    c.add_argument("run", type=Path)
    _trust_of(c)
    _limits_of(c)
    _films_of(c)

    c = command("show", _show, "the table of one or more runs, or one episode step by step")
    c.add_argument("run", type=Path, nargs="+")
    c.add_argument("--episode", type=int, help="show this episode, counted from 0 ...")
    c.add_argument("--of-run", type=int, default=0, help="... of this run (default 0)")

    c = command("report", _report, "a self-contained HTML page and a figure of one or more runs")
    c.add_argument("run", type=Path, nargs="+")
    c.add_argument("--out", type=Path, help="where to write the page (default: report.html in the first run directory)")
    c.add_argument("--figure", type=Path, help="where to write the figure (default: regret.png beside the page)")
    c.add_argument(
        "--tree", metavar="RUN:EPISODE:STEP,...", help="show what planner world-model imagined there (first directory)"
    )

    c = command("diagnose", _diagnose, "what goes wrong in runs: which failure signature, why, where, and what to try")
    c.add_argument("run", type=Path, nargs="+")
    c.add_argument("--without-tables", action="store_true", help="decide from the log alone, tables or not")
    c.add_argument("--figure", type=Path, help="where to draw what decided (default: diagnosis.png in the first run)")

    c = command("list", _list, "what there is: worlds, planners, explorers, or runs below a directory")
    c.add_argument("what", choices=["worlds", "planners", "explorers", "runs"])
    c.add_argument("--under", type=Path, default=Path("runs"), help="where to look for runs (default: runs)")

    c = command("quickstart", _quickstart, "see a transformer plan, explore and learn, in two minutes")
    c.add_argument("--out", type=Path, help="where to keep the runs (default: a temporary directory)")
    c.add_argument("--figure", type=Path, help="where to draw the figure (default: quickstart.png in the directory)")


def _trust_of(c: Any) -> None:
    c.add_argument(
        "--trust", action="store_true", help="import code that the run names and that is no installed plugin"
    )


def _limits_of(c: Any) -> None:
    c.add_argument("--token-limit", type=int, default=0, metavar="N", help="pause once calls took so many tokens")
    c.add_argument("--cost-limit", type=float, default=0.0, metavar="X", help="pause once calls cost so much")
    c.add_argument("--prices", type=Path, metavar="FILE", help="a table of prices (docs/endpoints.md)")


def _films_of(c: Any) -> None:
    c.add_argument(
        "--render", metavar="RUN:EPISODE,...", help="keep films of these episodes (physical worlds; 0:-1: the last)"
    )
    c.add_argument(
        "--render-kind", default="gif", choices=["gif", "mp4"], help="default: gif; mp4 needs the extra video"
    )
    c.add_argument("--render-every", type=int, default=8, metavar="N", help="low-level actions a picture (default 8)")


def _to_render(args: argparse.Namespace, config: RunConfig, trust: bool) -> list[tuple[int, int]]:
    """The episodes to film; what is wrong with them is said before the run begins."""
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


def _run(args: argparse.Namespace) -> Any:
    for part in ("reporter", "actor"):  # they belong to the world: a manifest's world says them
        if getattr(args, part) is not None:
            args.world += f"{',' if ':' in args.world else ':'}{part}={getattr(args, part)}"
    config = RunConfig(**{f.name: getattr(args, f.name) for f in fields(RunConfig)})
    assemble.world(args.world, trust=True)  # a wrong name is said before any bar is drawn
    films = _to_render(args, config, trust=True)
    with Bars(ERR) as bars:
        manifest = run(config, args.out, bars.begin(args.world, config.episodes * config.runs), _limits(args))
    return _closing(args, manifest, films, trust=True)


def _resume(args: argparse.Namespace) -> Any:
    config = RunConfig.from_manifest(read_manifest(args.run)["config"])
    films = _to_render(args, config, args.trust)
    with Bars(ERR) as bars:
        said: list[str] = []
        bar = bars.begin(config.world, config.episodes * config.runs, _finished(args.run))
        manifest = resume(args.run, bar, said.append, _limits(args), trust=args.trust)
    for warning in said:
        ERR.print(f"[yellow]parley:[/] {plain(warning)}", soft_wrap=True)
    args.out = args.run
    return _closing(args, manifest, films, args.trust)


def _finished(out: Path) -> int:
    """Episodes that all runs have behind them; 0 where the log cannot be read, which resuming judges."""
    try:
        with reading(out) as reader:
            return reader.episodes("explored").size
    except ParleyError:
        return 0


def _closing(args: argparse.Namespace, manifest: dict[str, Any], films: list[tuple[int, int]], trust: bool) -> Any:
    """The films, and the table at the end."""
    made: list[str] = []
    if films:
        world = assemble.world(manifest["config"]["world"], trust)
        made = [str(path) for path in render(args.out, world, films, args.render_kind, args.render_every)]
    curves = Curves.read(args.out)
    kept = manifest["config"]["record"]
    if not args.json:
        OUT.print(summary_table([curves.summary()], f"{manifest['config']['world']} ({args.out})"))
        if "calls" in manifest["totals"]:
            OUT.print(calls_line(manifest["totals"]["calls"]), soft_wrap=True, highlight=False)
        for path in made:
            OUT.print(f"film: {plain(path)}", soft_wrap=True, highlight=False)
        ERR.print(f"recorded: {kept}. A page with every episode:  parley report {plain(str(args.out))}", soft_wrap=True)
    calls = {"calls": manifest["totals"]["calls"]} if "calls" in manifest["totals"] else {}
    filmed = {"films": made} if made else {}
    return {"out": str(args.out), "record": kept, **curves.summary().as_dict(), **calls, **filmed}


def _diagnose(args: argparse.Namespace) -> Any:
    found = {out: diagnosed(out, not args.without_tables) for out in args.run}
    picture = args.figure or args.run[0] / "diagnosis.png"
    save_png(evidence_figure([(f"{out.name}: {one.signature}", one.evidence) for out, one in found.items()]), picture)
    if not args.json:
        OUT.print(diagnoses_table(found))
        for out, one in found.items():
            OUT.print(f"{plain(str(out))}: try next: {one.try_next}", soft_wrap=True, highlight=False)
            for run, episode in one.look_at:
                OUT.print(f"look at: parley show {plain(str(out))} --of-run {run} --episode {episode}", soft_wrap=True)
        OUT.print(f"what decided: {plain(str(picture))}", soft_wrap=True, highlight=False)
    return [{"out": str(out), **one.as_dict(), "figure": str(picture)} for out, one in found.items()]


def _show(args: argparse.Namespace) -> Any:
    if args.episode is not None:
        return _show_episode(args)
    curves = [Curves.read(out) for out in args.run]
    if not args.json:
        worlds = [f"{c.manifest['config']['world']} ({out})" for out, c in zip(args.run, curves, strict=True)]
        shown = [c.summary() for c in curves]
        if len(shown) > 1:
            shown = [replace(s, label=f"{world}: {s.label}") for s, world in zip(shown, worlds, strict=True)]
        OUT.print(summary_table(shown, "runs" if len(shown) > 1 else worlds[0]))
        for out, c in zip(args.run, curves, strict=True):
            if "calls" in c.manifest.get("totals", {}):
                said = calls_line(c.manifest["totals"]["calls"])
                OUT.print(f"{plain(str(out))}: {said}", soft_wrap=True, highlight=False)
    return [{"out": str(out), **c.summary().as_dict()} for out, c in zip(args.run, curves, strict=True)]


def _show_episode(args: argparse.Namespace) -> Any:
    if len(args.run) > 1:
        raise BadInput(f"--episode {args.episode}: one episode of one run is shown; name one run directory")
    with reading(args.run[0]) as reader:
        steps = reader.trace(args.of_run, args.episode)
    reader.close()
    if not steps:
        raise BadInput(f"{args.run[0]}: no steps are recorded of run {args.of_run}, episode {args.episode}")
    if not args.json:
        for step in steps:
            OUT.print(f"[dim]{step['step']}[/] {plain(step['observation'])}")
            OUT.print(f"  [bold]> {plain(step['subgoal'])}[/]{' (exploring)' if step['explored'] else ''}")
            for line in proposal_lines(step):
                OUT.print(f"    [dim]{line}[/]", highlight=False)
        OUT.print(f"[dim]end[/] {plain(steps[-1]['next_observation'])}")
    return steps


def _report(args: argparse.Namespace) -> Any:
    page = args.out or args.run[0] / "report.html"
    picture = args.figure or page.with_name("regret.png")
    searches = [_search(args.run[0], part) for part in args.tree.split(",")] if args.tree else []
    write_whole(page, report_page(args.run, searches, [_judged(out) for out in args.run]).encode())
    save_png(regret_figure(by_world([Curves.read(out) for out in args.run])), picture)
    if not args.json:
        OUT.print(f"{plain(str(page))}\n{plain(str(picture))}", soft_wrap=True, highlight=False)
    return {"page": str(page), "figure": str(picture)}


def _judged(out: Path) -> Diagnosis | str:
    """The diagnosis of a run for its page, or why there is none."""
    try:
        return diagnosed(out)
    except BadInput as refused:
        return str(refused)


def _search(out: Path, where: str) -> dict[str, Any]:
    """The search tree of one decision, grown again: the log has all that the planner heard before it."""
    numbers = where.split(":")
    if len(numbers) != 3 or not all(n.strip().isdigit() for n in numbers):
        raise BadInput(f"--tree {where!r}: expected RUN:EPISODE:STEP, runs and episodes from 0, steps from 1")
    run, episode, step = map(int, numbers)
    with assemble.retold(out, run, episode, step) as planner:
        if not isinstance(planner, WorldModelPlanner):
            raise BadInput(f"--tree {where!r}: the planner of {out} does not search: only `world-model` does")
        return shown_search(planner, f"run {run}, episode {episode}, step {step}")


def _list(args: argparse.Namespace) -> Any:
    if args.what == "runs":
        return _list_runs(args)
    kinds = {"worlds": assemble.WORLDS, "planners": assemble.PLANNERS, "explorers": assemble.EXPLORERS}[args.what]
    rows = []
    for name, kind in kinds.items():
        parameters = inspect.signature(kind.factory).parameters.values()
        shown = [p.name if p.default is p.empty else f"{p.name}={p.default}" for p in parameters if p.name != "scene"]
        rows.append((name, ", ".join(shown), kind.line))
    if not args.json:
        OUT.print(names_table(args.what, rows))
    return [dict(zip(("name", "arguments", "about"), row, strict=True)) for row in rows]


def _list_runs(args: argparse.Namespace) -> Any:
    if not args.under.is_dir():
        raise BadInput(f"--under {str(args.under)!r}: there is no such directory")
    found = []
    for path in sorted(args.under.glob("**/manifest.json")):
        try:
            manifest = readable_manifest(path.parent)
        except RunDamaged as wrong:
            found.append({"run": str(path.parent), "status": "damaged", "error": str(wrong)})
            continue
        found.append({"run": str(path.parent), "status": manifest["status"], **manifest["config"]})
    if not args.json:
        OUT.print(runs_table(found))
    return found


def _quickstart(args: argparse.Namespace) -> Any:
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
    write_whole(page, report_page([d for runs in done.values() for _, d in runs]).encode())
    if not args.json:
        OUT.print(f"figure: {plain(str(figure))}\npage:   {plain(str(page))}", soft_wrap=True, highlight=False)
    worlds = {title: [c.summary().as_dict() for c in curves] for title, curves in panels}
    return {"worlds": worlds, "figure": str(figure), "page": str(page)}
