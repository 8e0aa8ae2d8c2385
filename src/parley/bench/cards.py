"""The card of a bench: its entries as lines, and the faults that their intervals show."""

from dataclasses import asdict
from typing import Any

from parley.bench.conducting import Bench
from parley.bench.entries import Entry, Measured
from parley.report.cards import Card, Finding, Line
from parley.runs.directory import versions


def card_of(bench: Bench, ended: str = "") -> Card:
    """The card by the runs that have ended."""
    plan, left = bench.plan, dict(bench.left)
    lines, shown = list[Line](), list[Entry]()
    for entry in bench.entries:
        if why := bench.refusal(entry):
            left[entry.name] = why
            continue
        now = bench.measure(entry)
        lines.append(_line(entry, now))
        if entry.fault and now.interval.num and entry.fault.shown(now):
            shown.append(entry)
    findings = _findings(shown)
    spent = bench.spending.total
    counts = {**asdict(spent), "minutes": round(spent.minutes, 3), "cost": round(spent.cost, 6)}
    return Card(
        plan.planner, list(plan.suites), plan.sizes.seed, plan.sizes.episodes, ended, counts, versions(), lines,
        findings, left,
    )  # fmt: skip


def _findings(shown: list[Entry]) -> list[Finding]:
    """The faults of entries whose intervals show them, but for those that another one explains."""
    named = {(entry.world, entry.fault.name) for entry in shown if entry.fault}
    return [
        Finding(entry.fault.name, entry.fault.sentence, entry.name)
        for entry in shown
        if entry.fault and not any((entry.world, other) in named for other in entry.fault.unless)
    ]


NUMBERS = ("value", "low", "high", "floor", "ceiling", "normalised", "normalised_low", "normalised_high")


def _line(entry: Entry, now: Measured) -> Line:
    found = now.interval
    about = {name: getattr(entry, name) for name in ("name", "suite", "world", "measures", "unit")}
    if not found.num:
        return Line(**about, num_runs=0, **dict.fromkeys(NUMBERS), decided="")  # type: ignore[arg-type]
    ends = [now.normalised(one) for one in (found.mean, found.low, found.high)]
    ordered = sorted(ends[1:]) if None not in ends else ends[1:]  # type: ignore[type-var]
    numbers = (found.mean, found.low, found.high, now.floor, now.ceiling, ends[0], *ordered)
    rounded = [None if one is None else round(one, 6) + 0.0 for one in numbers]
    named: dict[str, Any] = dict(zip(NUMBERS, rounded, strict=True))
    details = {name: round(value, 6) for name, value in now.details.items()}
    return Line(**about, num_runs=found.num, **named, decided=entry.decided(now), details=details)
