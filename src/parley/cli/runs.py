"""Commands that look at runs: show, diagnose, list."""

import argparse
import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

from parley import assemble
from parley.assemble.diagnosed import diagnosed
from parley.assemble.registry import Kind
from parley.cli.console import OUT, AddCommand, AddGroup
from parley.core.errors import BadInput, ParleyError, RunDamaged
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
    whole,
)
from parley.runs.shards import is_shard

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
    c.add_argument("run", type=Path, nargs="+", help="run directories")
    c.add_argument("--episode", type=int, help="show this episode, counted from 0 (default: the table of the runs)")
    c.add_argument("--of-run", type=int, default=0, help="with --episode: of this run (default 0)")

    c = command("diagnose", _diagnose)
    c.add_argument("run", type=Path, nargs="+", help="run directories")
    c.add_argument("--without-tables", action="store_true", help="decide from the log alone, tables or not")
    c.add_argument("--figure", type=Path, help="where to draw what decided (default: diagnosis.png in the first run)")
    c.add_argument("--trust", action="store_true", help="read and import what runs name that you did not begin")

    c = command("list", _list)
    c.add_argument("what", choices=[*PARTS, "runs"], help="what to list")
    c.add_argument("--under", type=Path, default=Path("runs"), help="where to look for runs (default: runs)")


def _diagnose(args: argparse.Namespace) -> Any:
    from parley.report.plots import evidence_figure, save_png  # matplotlib takes half of a start

    found = {out: diagnosed(out, not args.without_tables, args.trust) for out in args.run}
    picture = args.figure or args.run[0] / "diagnosis.png"
    save_png(evidence_figure([(f"{out.name}: {one.signature}", one.evidence) for out, one in found.items()]), picture)
    if not args.json:
        OUT.print(diagnoses_table(found))
        for out, one in found.items():
            if one.also:
                OUT.print(f"{plain(str(out))}: {plain(one.also)}", soft_wrap=True, highlight=False)
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
            OUT.print(f"[dim]{step['step']}[/] {whole(step['observation'])}", highlight=False)
            paid = f" [dim](paid {step['reward']:g})[/]" if step["reward"] else ""
            OUT.print(f"  [bold]> {plain(step['subgoal'])}[/]{' (exploring)' if step['explored'] else ''}{paid}")
            for line in proposal_lines(step):
                OUT.print(f"    [dim]{line}[/]", highlight=False)
        OUT.print(f"[dim]end[/] {whole(steps[-1]['next_observation'])}", highlight=False)
    return steps


def _list(args: argparse.Namespace) -> Any:
    if args.what == "runs":
        return _list_runs(args)
    kinds = PARTS[args.what]
    rows = []
    for name in kinds:
        try:
            rows.append(_row(name, kinds[name]))
        except ParleyError as wrong:  # of a plugin: the others are there all the same
            rows.append((name, "", f"cannot be used: {wrong}"))
    rows += [(name, "", f"cannot be used: {wrong}") for name, wrong in kinds.faults.items() if name in kinds.ours]
    if not args.json:
        OUT.print(names_table(args.what, rows))
    return [dict(zip(("name", "arguments", "about"), row, strict=True)) for row in rows]


def _row(name: str, kind: Kind) -> tuple[str, str, str]:
    """A part's name, its arguments, and the line about it."""
    shown = [
        p.name if p.default is p.empty else f"{p.name}={p.default}"
        for p in inspect.signature(kind.factory).parameters.values()
        if p.name not in ("scene", "writer")
    ]
    return name, ", ".join(shown), kind.line


def _list_runs(args: argparse.Namespace) -> Any:
    if not args.under.is_dir():
        raise BadInput(f"--under {str(args.under)!r}: there is no such directory")
    found = []
    for path in sorted(args.under.glob("**/manifest.json")):
        if is_shard(path.parent):
            continue
        try:
            manifest = readable_manifest(path.parent)
        except RunDamaged as wrong:
            found.append({"run": str(path.parent), "status": "damaged", "error": str(wrong)})
            continue
        found.append({"run": str(path.parent), "status": manifest["status"], **manifest["config"]})
    if not args.json:
        OUT.print(runs_table(found))
    return found
