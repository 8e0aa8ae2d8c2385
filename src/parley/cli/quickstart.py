"""The command for the first two minutes: quickstart."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.experiments.quickstart import SENTENCE, quickstart
from parley.report.bars import Bars
from parley.report.summary import Curves
from parley.report.tables import plain, summary_table
from parley.runs.directory import write_whole


def add(command: AddCommand, group: AddGroup) -> None:
    """The command and its options."""
    c = command("quickstart", _quickstart)
    c.add_argument("--out", type=Path, help="where to keep the runs (default: a temporary directory)")
    c.add_argument("--figure", type=Path, help="where to draw the figure (default: quickstart.png in the directory)")


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
