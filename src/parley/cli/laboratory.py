"""Commands of the theory laboratory: theory, experiment list, experiment run."""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

from parley.assemble.theory import theory_summary
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.cluster.engines import engine_of
from parley.core.errors import BadInput, ParleyError
from parley.core.spec import suggestion
from parley.experiments.base import conduct
from parley.experiments.cells import measuring
from parley.experiments.known import EXPERIMENTS
from parley.experiments.results import read_findings, write_results
from parley.report.bars import Bars
from parley.report.plots import save_png
from parley.report.tables import findings_table, names_table, plain, theory_table
from parley.runs.directory import storage, write_whole


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("theory", _theory)
    c.add_argument("world", help="a world with tables, as for --world of parley run")
    c.add_argument(
        "--episodes", type=int, default=1000, metavar="T", help="the T of epsilon, bound, escapes (default 1000)"
    )
    c.add_argument("--seed", type=int, default=0, help="of the simulated runs")
    c.add_argument(
        "--pretraining-error",
        type=float,
        default=0.0,
        metavar="E",
        help="a model's total variation to the oracle (of `parley evaluate`): the bound gains H^2 T E (default 0)",
    )
    c.add_argument(
        "--reporter-error",
        type=float,
        default=0.0,
        metavar="E",
        help="a Reporter's total variation to the true one: the bound gains H^2 T E (default 0)",
    )
    c.add_argument("--planner", default="", help="one with a checkpoint: is T beyond its documents? (default: none)")

    trials = group("experiment")
    command("list", _experiments, "the experiments and their claims", trials)
    c = command("run", _experiment, "carry out an experiment; interrupted, the same command goes on", trials)
    c.add_argument("name", help="of `experiment list`, or `all`")
    c.add_argument("--quick", action="store_true", help="minutes rather than hours; may be undecided")
    c.add_argument(
        "--on", metavar="WHERE", help="where cells are measured: ray, ray://HOST:PORT, slurm:... (default: here)"
    )
    c.add_argument("--out", type=Path, help="where cells, figure and finding are kept (default: experiments/NAME)")
    c = command("report", _results, "write the findings below a directory as a page", trials)
    c.add_argument("--under", type=Path, default=Path("experiments"), help="where to look (default: experiments)")
    c.add_argument("--out", type=Path, required=True, help="the page, figures beside it")


def _theory(args: argparse.Namespace) -> Any:
    errors = args.pretraining_error, args.reporter_error
    found = theory_summary(args.world, args.episodes, args.seed, *errors, args.planner)
    if not args.json:
        OUT.print(theory_table(found))
        OUT.print(plain(found["verdict"]), soft_wrap=True)
        for note in found["notes"]:
            OUT.print(f"note: {plain(note)}", soft_wrap=True, style="dim")
    return found


def _experiments(args: argparse.Namespace) -> Any:
    rows = [(name, "", experiment.CLAIM) for name, experiment in EXPERIMENTS.items()]
    if not args.json:
        OUT.print(names_table("experiments", rows))
    return [{"name": name, "claim": claim} for name, _, claim in rows]


def _experiment(args: argparse.Namespace) -> Any:
    if args.name == "all":
        return _all(args)
    if args.name not in EXPERIMENTS:
        raise BadInput(f"unknown experiment {args.name!r}{suggestion(args.name, [*EXPERIMENTS, 'all'])}")
    out = args.out or _default(args)
    finding = _carry_out(args.name, args.quick, out, args.on)
    if not args.json:
        low, high = finding["interval"]
        OUT.print(f"[bold]{finding['verdict']}[/]: {plain(finding['claim'])}")
        OUT.print(f"{finding['quantity']}: {finding['estimate']:.3f} [{low:.3f}, {high:.3f}]", markup=False)
        OUT.print(f"figure: {out / 'figure.png'}", markup=False, soft_wrap=True)
    return {**finding, "figure": str(out / "figure.png")}


def _default(args: argparse.Namespace) -> Path:
    return Path("experiments") / (args.name + ("-quick" if args.quick else ""))


def _carry_out(name: str, quick: bool, out: Path, on: str | None = None) -> dict[str, Any]:
    """One experiment; its cells, figure and finding are kept in `out`."""
    experiment = EXPERIMENTS[name]
    with storage(out), Bars(ERR) as bars:
        ahead = measuring(engine_of(on), partial(bars.episodes, unit="cells")) if on else None
        finding, figure = conduct(experiment, out, quick, bars.begin, ahead)
        save_png(figure, out / "figure.png")
        kept = {"experiment": name, "quick": quick, **finding.as_dict()}
        text = json.dumps(kept, indent=1, default=float)
        write_whole(out / "finding.json", (text + "\n").encode())
    return {key: value for key, value in kept.items() if key != "cells"}


def _all(args: argparse.Namespace) -> Any:
    """Every experiment in turn; one that fails loses none of the others."""
    under, rows, failed = args.out or Path("experiments"), [], []
    for name in EXPERIMENTS:
        try:
            rows.append(_carry_out(name, args.quick, under / (name + ("-quick" if args.quick else "")), args.on))
        except ParleyError as wrong:
            failed.append(f"{name}: {wrong}")
            ERR.print(f"[bold red]{name}:[/] {plain(str(wrong))}", soft_wrap=True)
    if not args.json:
        OUT.print(findings_table(rows))
    if failed:
        raise ParleyError(f"{len(failed)} of {len(EXPERIMENTS)} experiments could not be carried out: {failed[0]}")
    return rows


def _results(args: argparse.Namespace) -> Any:
    findings = read_findings(args.under)
    write_results(findings, list(EXPERIMENTS), args.out)
    if not args.json:
        OUT.print(plain(str(args.out)), soft_wrap=True, highlight=False)
    return {"page": str(args.out), "experiments": sorted(findings)}
