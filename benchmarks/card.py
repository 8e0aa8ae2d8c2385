"""Whether `parley bench` names planted faults, and whether two cards of one planner agree.

    python -m benchmarks.card faults --seeds 40      # the share of seeds in which each planted fault is named
    python -m benchmarks.card agree --pairs 100      # the share of entries in which two cards of other seeds agree

`--first N` goes on where an earlier call ended: its numbers are of the seeds or pairs from N on, and add up.
Small suites: 12 episodes, batches of 32 runs, at most 2 of an entry. Planners are those of `tests/bench/planted.py`.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench.planted import FAULTS

from parley.bench.arms import Sizes
from parley.bench.budget import Budget
from parley.bench.cards import card_of
from parley.bench.conducting import Bench, Plan
from parley.experiments.base import wilson
from parley.report.cards import Card, Line

WORLD = "bandit:arms=4,gap=0.5"


def card(planner: str, suites: tuple[str, ...], seed: int) -> Card:
    """A small card."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Plan(planner, suites, (WORLD,), Sizes(episodes=12, runs=32, batches=2, seed=seed)), Path(folder))
        return card_of(bench, bench.conduct(Budget(), lambda said: None))


def faults(seeds: range, names: Sequence[str]) -> None:
    """How often each planted fault is named, and the faults named besides it, and of the exact planner."""
    named: dict[str, Counter[str]] = {name: Counter() for name in names}
    for seed in seeds:
        for name, found in named.items():
            planner = f"tests.bench.planted:{name}" if name in FAULTS else name
            found.update({one.fault for one in card(planner, ("bayes",), seed).findings} or {"nothing"})
        print(f"after seed {seed}: { ({name: dict(found) for name, found in named.items()}) }", flush=True)
    for name, found in named.items():
        fault = FAULTS.get(name, "nothing")
        low, share, high = wilson(found[fault], len(seeds))
        print(
            f"{name}: {fault!r} is named in {share:.1%} [{low:.1%}, {high:.1%}] of {len(seeds)} seeds; "
            f"all: {dict(found)}"
        )


def agree(pairs: range) -> None:
    """In how many entries the intervals of two cards with different seeds have a number in common."""
    same, total, inside = 0, 0, 0
    planners = ("exact", "random", *(f"tests.bench.planted:{name}" for name in FAULTS))
    for pair in pairs:
        one, other = (card(planners[pair % len(planners)], ("bayes",), 1000 + 2 * pair + i) for i in range(2))
        for a, b in zip(one.entries, other.entries, strict=True):
            if a.value is not None and b.value is not None:
                total += 1
                same += _meet(a, b)
                inside += _meet(a, replace(b, low=b.value, high=b.value))
        print(
            f"after pair {pair}: {same} of {total} entries meet; {inside} values lie in the other interval",
            flush=True,
        )
    low, share, high = wilson(same, total)
    print(f"intervals meet in {share:.2%} [{low:.2%}, {high:.2%}] of {total} entries of {len(pairs)} pairs")


def _meet(a: Line, b: Line) -> bool:
    assert a.low is not None and a.high is not None and b.low is not None and b.high is not None
    return a.low <= b.high and b.low <= a.high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["faults", "agree"], default="faults")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed or pair to begin with (default: 0)")
    parser.add_argument("--only", nargs="+", default=[*FAULTS, "exact"], help="planners, of those planted")
    args = parser.parse_args()
    if args.what == "faults":
        faults(range(args.first, args.seeds), args.only)
    else:
        agree(range(args.first, args.pairs))


if __name__ == "__main__":
    main()
