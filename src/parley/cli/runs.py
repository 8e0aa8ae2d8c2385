"""Commands that look at runs: show, report, diagnose, list."""

import argparse
import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

from parley import assemble
from parley.assemble.diagnosed import diagnosed
from parley.cli.console import OUT, AddCommand, AddGroup
from parley.core.errors import BadInput, RunDamaged
from parley.core.spec import is_count
from parley.planners.world_model import WorldModelPlanner
from parley.report.searches import shown_search
from parley.report.signatures import Diagnosis
from parley.report.summary import Curves, readable_manifest, reading
from parley.report.tables import (
    calls_line,
    diagnoses_table,
    invalid_line,
    names_table,
    plain,
    proposal_lines,
    runs_table,
    summary_table,
)
from parley.runs.directory import write_whole

PARTS = {
    "worlds": assemble.WORLDS,
    "planners": assemble.PLANNERS,
    "explorers": assemble.EXPLORERS,
    "memories": assemble.MEMORIES,
    "templates": assemble.TEMPLATES,
    "hooks": assemble.HOOKS,
}


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("show", _show)
    c.add_argument("run", type=Path, nargs="+")
    c.add_argument("--episode", type=int, help="show this episode, counted from 0 ...")
    c.add_argument("--of-run", type=int, default=0, help="... of this run (default 0)")

    trusting = [c := command("report", _report)]
    c.add_argument("run", type=Path, nargs="+")
    c.add_argument("--out", type=Path, help="where to write the page (default: report.html in the first run directory)")
    c.add_argument("--figure", type=Path, help="where to write the figure (default: regret.png beside the page)")
    c.add_argument(
        "--tree", metavar="RUN:EPISODE:STEP,...", help="show what planner world-model imagined there (first directory)"
    )
    c.add_argument("--live", action="store_true", help="with --tree: a planner may ask its server again")

    trusting.append(c := command("diagnose", _diagnose))
    c.add_argument("run", type=Path, nargs="+")
    c.add_argument("--without-tables", action="store_true", help="decide from the log alone, tables or not")
    c.add_argument("--figure", type=Path, help="where to draw what decided (default: diagnosis.png in the first run)")

    for c in trusting:
        c.add_argument(
            "--trust", action="store_true", help="read and import what the run names, though you did not begin it"
        )

    c = command("list", _list)
    c.add_argument("what", choices=[*PARTS, "runs"])
    c.add_argument("--under", type=Path, default=Path("runs"), help="where to look for runs (default: runs)")


def _diagnose(args: argparse.Namespace) -> Any:
    from parley.report.plots import evidence_figure, save_png  # matplotlib takes half of a start

    found = {out: diagnosed(out, not args.without_tables, args.trust) for out in args.run}
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
            if wrong := invalid_line(c.manifest.get("totals", {}), str(out)):
                OUT.print(f"{plain(str(out))}: {plain(wrong)}", soft_wrap=True, highlight=False)
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
    from parley.report.page import report_page
    from parley.report.plots import by_world, regret_figure, save_png

    page = args.out or args.run[0] / "report.html"
    picture = args.figure or page.with_name("regret.png")
    searches = [_search(args, part) for part in args.tree.split(",")] if args.tree else []
    write_whole(page, report_page(args.run, searches, [_judged(out, args.trust) for out in args.run]).encode())
    save_png(regret_figure(by_world([Curves.read(out) for out in args.run])), picture)
    if not args.json:
        OUT.print(f"{plain(str(page))}\n{plain(str(picture))}", soft_wrap=True, highlight=False)
    return {"page": str(page), "figure": str(picture)}


def _judged(out: Path, trust: bool) -> Diagnosis | str:
    """The diagnosis of a run for its page, or why there is none."""
    try:
        return diagnosed(out, trust=trust)
    except BadInput as refused:
        return str(refused)


def _search(args: argparse.Namespace, where: str) -> dict[str, Any]:
    """The search tree of one decision, grown again: the log has all that the planner heard before it."""
    numbers = where.split(":")
    if len(numbers) != 3 or not all(is_count(n.strip()) for n in numbers):
        raise BadInput(f"--tree {where!r}: expected RUN:EPISODE:STEP, runs and episodes from 0, steps from 1")
    run, episode, step = map(int, numbers)
    out = args.run[0]
    spec = readable_manifest(out)["config"]["planner"]
    if spec.partition(":")[0] != "world-model":
        raise BadInput(f"--tree {where!r}: planner {spec!r} of {out} does not search: only `world-model` does")
    with assemble.retold(out, run, episode, step, args.trust, args.live) as planner:
        assert isinstance(planner, WorldModelPlanner)
        return shown_search(planner, f"run {run}, episode {episode}, step {step}")


def _list(args: argparse.Namespace) -> Any:
    if args.what == "runs":
        return _list_runs(args)
    kinds = PARTS[args.what]
    rows = []
    for name, kind in kinds.items():
        parameters = inspect.signature(kind.factory).parameters.values()
        shown = [
            p.name if p.default is p.empty else f"{p.name}={p.default}"
            for p in parameters
            if p.name not in ("scene", "writer")
        ]
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
