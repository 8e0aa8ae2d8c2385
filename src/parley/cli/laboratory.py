"""Commands of the theory laboratory: theory, experiment list, experiment run."""

import argparse
import json
from pathlib import Path
from typing import Any

from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.core.errors import BadInput
from parley.core.spec import suggestion
from parley.experiments import EXPERIMENTS
from parley.experiments.base import conduct
from parley.experiments.summary import theory_summary
from parley.report.bars import Bars
from parley.report.plots import save_png
from parley.report.tables import names_table, plain, theory_table
from parley.runs.directory import storage


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("theory", _theory, "what the theory says of a world: eta, epsilon, bound, and traps")
    c.add_argument("world")
    c.add_argument("--episodes", type=int, default=1000, metavar="T", help="the T of epsilon and bound (default 1000)")
    c.add_argument("--seed", type=int, default=0)

    trials = group("experiment", "claims of the paper as experiments")
    command("list", _experiments, "the experiments and their claims", trials)
    c = command("run", _experiment, "carry out an experiment; interrupted, the same command goes on", trials)
    c.add_argument("name")
    c.add_argument("--quick", action="store_true", help="minutes rather than hours; may honestly be undecided")
    c.add_argument("--out", type=Path, help="where cells, figure and finding are kept (default: experiments/NAME)")


def _theory(args: argparse.Namespace) -> Any:
    found = theory_summary(args.world, args.episodes, args.seed)
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
    if args.name not in EXPERIMENTS:
        raise BadInput(f"unknown experiment {args.name!r}{suggestion(args.name, EXPERIMENTS)}")
    out = args.out or Path("experiments") / (args.name + ("-quick" if args.quick else ""))
    with storage(out), Bars(ERR) as bars:
        finding, figure = conduct(EXPERIMENTS[args.name], out, args.quick, bars.begin)
        save_png(figure, out / "figure.png")
        (out / "finding.json").write_text(json.dumps(finding.as_dict(), indent=1) + "\n", encoding="utf-8")
    if not args.json:
        low, high = finding.interval
        OUT.print(f"[bold]{finding.verdict}[/]: {plain(finding.claim)}")
        OUT.print(f"{finding.quantity}: {finding.estimate:.3f} [{low:.3f}, {high:.3f}]", markup=False)
        OUT.print(f"figure: {out / 'figure.png'}", markup=False, soft_wrap=True)
    return {**finding.as_dict(), "figure": str(out / "figure.png")}
