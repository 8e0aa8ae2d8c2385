"""Command bench: a card of a planner, against a known floor and ceiling; a leaderboard of cards."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parley.bench import pages
from parley.bench.arms import Sizes
from parley.bench.budget import Budget
from parley.bench.cards import card_of
from parley.bench.conducting import Bench, Plan
from parley.bench.export.writing import write
from parley.bench.planning import plan_table, planned
from parley.bench.suites import SUITES
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.cluster.engines import engine_of
from parley.core.errors import BadInput
from parley.report.bars import Bars
from parley.report.cards import read_card
from parley.report.tables import plain
from parley.runs.directory import write_whole
from parley.runs.ledger import Prices


def add(command: AddCommand, group: AddGroup) -> None:
    """The command and its options."""
    c = command("bench", _bench)
    c.add_argument("planner", nargs="?", help="see `parley list planners` (required, but for --show and --leaderboard)")
    c.add_argument(
        "--suite", action="append", metavar="NAME", help=f"all, {', '.join(SUITES)}; may be repeated (default: all)"
    )
    c.add_argument(
        "--world",
        action="append",
        default=[],
        help="instead of the suite's worlds; may be repeated (default: the suite's)",
    )
    c.add_argument(
        "--budget",
        default="",
        metavar="N",
        help="stop once so much is spent: 20m, 2h, 500kt, 2.5usd (default: no limit)",
    )
    c.add_argument("--prices", type=Path, metavar="FILE", help="a table of prices, for a budget in usd (default: none)")
    c.add_argument("--episodes", type=int, default=12, metavar="T", help="of each run")
    c.add_argument("--runs", type=int, default=8, metavar="B", help="runs of a batch")
    c.add_argument("--batches", type=int, default=8, metavar="N", help="of an entry, at most")
    c.add_argument("--seed", type=int, default=0, help="of all random numbers")
    c.add_argument("--out", type=Path, help="the card's directory; one that is there goes on (default: none, required)")
    c.add_argument(
        "--on", metavar="WHERE", help="where batches are run: ray, ray://HOST:PORT, slurm:... (default: here)"
    )
    c.add_argument("--dry-run", action="store_true", help="print the plan and what it costs, and run nothing")
    c.add_argument("--show", type=Path, metavar="DIR", help="print the card by the runs in DIR (default: measure)")
    c.add_argument("--trust", action="store_true", help="with --show: import code that the plan names")
    c.add_argument(
        "--leaderboard", type=Path, nargs="+", metavar="CARD", help="cards (files, folders) as one page (default: none)"
    )
    c.add_argument(
        "--to", metavar="NAME", help="with `export` for a planner: inspect, openenv, verifiers (default: none)"
    )
    c.add_argument("--page", type=Path, help="where to write the leaderboard (default: standard output)")


def _bench(args: argparse.Namespace) -> Any:
    if args.leaderboard:
        return _leaderboard(args)
    if args.planner == "export" or args.to:
        return _export(args)
    if args.show:
        return _card(args, Bench(Plan.trusted(args.show, args.trust), args.show), "", keep=False)
    if not args.planner or not args.out:
        raise BadInput("bench needs a planner and --out DIR, or --show DIR, or --leaderboard CARD")
    budget = Budget.read(args.budget, Prices.read(args.prices) if args.prices else None)
    bench = Bench(_plan(args), args.out)
    rows = planned(bench)
    if not args.json:
        OUT.print(plan_table(rows, bench, args.budget))
    if args.dry_run:
        return {"planner": args.planner, "out": str(args.out), "plan": rows, "left_out": bench.left}
    with Bars(ERR) as bars:
        ended = bench.conduct(budget, _saying(bars, bench), engine=engine_of(args.on) if args.on else None)
    return _card(args, bench, ended, keep=True)


def _plan(args: argparse.Namespace) -> Plan:
    asked = args.suite or ["all"]
    suites = tuple(SUITES) if "all" in asked else tuple(dict.fromkeys(asked))
    return Plan(args.planner, suites, tuple(args.world), Sizes(args.episodes, args.runs, args.batches, args.seed))


def _export(args: argparse.Namespace) -> Any:
    if args.planner != "export" or not args.to or not args.out:
        raise BadInput("the suites are written for others by `parley bench export --to inspect --out DIR`")
    path = write(_plan(args), args.to, args.out)
    if not args.json:
        OUT.print(f"written: {plain(str(path))}; its first lines say how it is used", soft_wrap=True)
    return {"to": args.to, "file": str(path)}


def _saying(bars: Bars, bench: Bench) -> Callable[[str], None]:
    """Counts the runs that were begun, of the most that there may be."""
    count = 0
    bar = bars.episodes(bench.plan.planner, bench.num_arms * bench.plan.sizes.batches, "runs, at most")

    def said(text: str) -> None:
        nonlocal count
        count += 1
        bar(count)

    return said


def _card(args: argparse.Namespace, bench: Bench, ended: str, keep: bool) -> Any:
    card = card_of(bench, ended)
    if keep:
        pages.keep(card, bench.out)
    if not args.json:
        OUT.print(pages.card_table(card))
        if keep:
            ERR.print(f"{plain(ended)}; the card: {plain(str(bench.out / 'card.md'))} and card.json", soft_wrap=True)
    answer = json.loads(card.as_json())
    if refused := [bench.refusal(entry) for entry in bench.entries if bench.refusal(entry)]:
        if len(refused) == len(bench.entries):
            raise BadInput(f"no entry could be measured: {refused[0]}", answer)
    return answer


def _leaderboard(args: argparse.Namespace) -> Any:
    paths = [
        found for path in args.leaderboard for found in (sorted(path.rglob("*.json")) if path.is_dir() else [path])
    ]
    cards = [read_card(path) for path in paths]
    page = pages.leaderboard(cards)
    if args.page:
        write_whole(args.page, page.encode())
    elif not args.json:
        print(page, end="")
    return {"cards": [str(path) for path in paths], "page": str(args.page) if args.page else page}
