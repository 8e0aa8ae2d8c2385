"""The command report: the viewer as one file, with the steps of chosen episodes."""

import argparse
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.core.errors import BadInput
from parley.core.spec import is_count
from parley.report.films import chosen
from parley.report.plots import by_world, regret_figure, save_png
from parley.report.summary import Curves
from parley.report.tables import plain
from parley.runs.directory import write_whole
from parley.view.page import held, page_of, recorded
from parley.view.tasks import SEARCHED_LIVE, carry_out


def add(command: AddCommand, group: AddGroup) -> None:
    """The command and its options."""
    c = command("report", _report)
    c.add_argument("run", type=Path, nargs="+", help="run directories")
    c.add_argument(
        "--episodes", metavar="RUN:EPISODE,...", help="the episodes whose steps it holds (default: as many as fit)"
    )
    c.add_argument("--out", type=Path, help="where to write the page (default: report.html in the first run directory)")
    c.add_argument("--figure", type=Path, help="where to write the figure (default: regret.png beside the page)")
    c.add_argument(
        "--tree",
        metavar="RUN:EPISODE:STEP,...",
        help="show what planner world-model imagined there, in the first directory (default: not shown)",
    )
    c.add_argument("--live", action="store_true", help="with --tree: a planner may ask its server again")


def _report(args: argparse.Namespace) -> Any:
    page = args.out or args.run[0] / "report.html"
    picture = args.figure or page.with_name("regret.png")
    curves = [Curves.read(out) for out in args.run]
    cells = [chosen(args.episodes, *_size(curve), option="--episodes") for curve in curves] if args.episodes else []
    trees = [_place(part) for part in args.tree.split(",")] if args.tree else []
    for place in trees:
        _require_search(args.run[0], place, args.live)
    return _write_page(
        args, recorded(args.run, cells, trees, args.live), page, picture, regret_figure(by_world(curves))
    )


def _write_page(args: argparse.Namespace, answers: dict[str, Any], page: Path, picture: Path, figure: Figure) -> Any:
    """The page, its size said before it is written, and the figure."""
    content = page_of(answers)
    episodes, size = held(answers), len(content) / 1e6
    ERR.print(f"{plain(str(page))}: {size:.1f} MB, with the steps of {episodes:,} episodes", soft_wrap=True)
    write_whole(page, content)
    save_png(figure, picture)
    if not args.json:
        OUT.print(f"{plain(str(page))}\n{plain(str(picture))}", soft_wrap=True, highlight=False)
    return {"page": str(page), "figure": str(picture), "episodes": episodes, "size_mb": round(size, 3)}


def _size(curve: Curves) -> tuple[int, int]:
    """How many runs and episodes there can be."""
    config = curve.manifest["config"]
    return len(curve.manifest["latents"]), int(config.get("episodes", 0))


def _place(where: str) -> tuple[int, int, int]:
    """The decision that `--tree` names."""
    numbers = where.split(":")
    if len(numbers) != 3 or not all(is_count(n.strip()) for n in numbers):
        raise BadInput(f"--tree {where!r}: expected RUN:EPISODE:STEP, runs and episodes from 0, steps from 1")
    run, episode, step = map(int, numbers)
    return run, episode, step


def _require_search(out: Path, place: tuple[int, int, int], live: bool) -> None:
    """Raise `BadInput` where there is no search tree of a decision."""
    found = carry_out(SEARCHED_LIVE if live else "searched", out, None, list(place))
    if "refused" in found:
        raise BadInput(f"--tree {':'.join(map(str, place))}: {found['refused']}")
