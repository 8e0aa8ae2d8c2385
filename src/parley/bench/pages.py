"""Cards as tables and Markdown: one of them, or a leaderboard of several. All texts of a card are data."""

import re
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from parley.core.text import inert
from parley.report.cards import Card, Line
from parley.report.tables import plain
from parley.runs.directory import write_whole

COLUMNS = ("entry", "value", "95% interval", "runs", "floor", "ceiling", "share of the way")


def number(value: float | None) -> str:
    """A number of a card; a dash for None.

    >>> number(0.12345), number(None)
    ('0.123', '-')
    """
    return "-" if value is None else f"{value:.3f}"


def cells(line: Line) -> list[str]:
    """The row of an entry."""
    between = "-" if line.low is None else f"{number(line.low)} to {number(line.high)}"
    share = number(line.normalised)
    if line.normalised is not None:
        share += f" [{number(line.normalised_low)}, {number(line.normalised_high)}]"
    row = [line.name, number(line.value), between, str(line.num_runs), number(line.floor), number(line.ceiling), share]
    return row


def keep(card: Card, out: Path) -> None:
    """Write a card to its directory, as `card.json` and `card.md`."""
    write_whole(out / "card.json", card.as_json().encode())
    write_whole(out / "card.md", markdown(card).encode())


def card_table(card: Card) -> Table:
    """A card in the terminal."""
    table = Table(
        title=plain(f"{card.planner}, seed {card.seed}"), title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0)
    )
    for i, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if i else "left", overflow="fold")
    for line in card.entries:
        table.add_row(*map(plain, cells(line)))
    table.caption = "\n".join(map(plain, sentences(card)))
    table.caption_justify = "left"
    return table


def sentences(card: Card) -> list[str]:
    """Findings, and what was left out with the reason."""
    found = [f"{one.fault}: {one.sentence} ({one.entry})" for one in card.findings] or ["no fault is shown"]
    names: dict[str, list[str]] = {}
    for name, why in card.left_out.items():
        names.setdefault(why, []).append(name)
    return found + [f"not measured: {', '.join(these)}: {why}" for why, these in names.items()]


def markdown(card: Card) -> str:
    """A card as a page."""
    spent = card.spent
    lines = [f"# Card of `{_code(card.planner)}`", ""]
    lines += [f"Suites {', '.join(map(_cell, card.suites))}; seed {card.seed}; {card.episodes} episodes a run.", ""]
    lines += ["## Findings", "", *(f"- {_cell(one)}" for one in sentences(card)), ""]
    lines += [
        "## Entries",
        "",
        "Floor: a random planner. Ceiling: the exact planner, which knows the family. Intervals",
        "",
    ]
    lines[-2] += " hold at any sample size (95%)."
    lines += [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    lines += [f"| {' | '.join(map(_cell, cells(line)))} |" for line in card.entries]
    lines += ["", "Entry by entry:", ""]
    lines += [_about(line) for line in card.entries]
    taken = ", ".join(f"{spent[name]:,.6g} {name.replace('_', ' ')}" for name in sorted(spent) if spent[name])
    lines += ["", f"Spent: {_cell(taken)}. {_cell(card.ended)}", ""]
    return "\n".join(lines)


def _about(line: Line) -> str:
    """What an entry measures, and its details."""
    details = "".join(f"; {name.replace('_', ' ')} {value:.4g}" for name, value in line.details.items())
    return f"- `{_code(line.name)}`: {_cell(line.measures)}, in {_cell(line.unit)}{_cell(details)}"


def leaderboard(cards: Sequence[Card]) -> str:
    """Cards side by side: each suite's mean share of the way from floor to ceiling, and the faults that are shown."""
    suites = list(dict.fromkeys(line.suite for card in cards for line in card.entries if line.normalised is not None))
    lines = [
        "# Leaderboard",
        "",
        "Made by `parley bench --leaderboard`. Each number is a mean over the entries of a suite.",
    ]
    lines += [
        "An entry counts as the share of the way from random (0) to exact (1), cut to -1 and 1. Only cards of the"
    ]
    lines += ["same suites, worlds and sizes are comparable. Intervals are on the cards.", ""]
    head = ["planner", *map(_cell, suites), "faults shown", "runs", "worlds"]
    lines += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for card in sorted(cards, key=lambda card: (-_mean(card, None), card.planner, card.seed)):
        means = [f"{_mean(card, suite):.2f}" if _shares(card, suite) else "-" for suite in suites]
        faults = ", ".join(sorted({one.fault for one in card.findings})) or "none"
        runs = max((line.num_runs for line in card.entries), default=0)
        worlds = ", ".join(dict.fromkeys(line.world for line in card.entries if line.num_runs)) or "none"
        row = [f"`{_code(card.planner)}`, seed {card.seed}", *means, _cell(faults), str(runs), _cell(worlds)]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _shares(card: Card, suite: str | None) -> list[float]:
    named = [line for line in card.entries if suite in (None, line.suite)]
    return [line.normalised for line in named if line.normalised is not None]


def _mean(card: Card, suite: str | None) -> float:
    found = _shares(card, suite)
    return sum(max(-1.0, min(1.0, one)) for one in found) / len(found) if found else 0.0


def _cell(text: str) -> str:
    """A text in Markdown: nothing in it is markup, HTML or a new line."""
    return re.sub(r"([\\`*_{}\[\]()>|#!&~])", r"\\\1", " ".join(inert(text, 400).split())).replace("<", "‹")


def _code(text: str) -> str:
    """A text between backquotes, in a table too."""
    return " ".join(inert(text, 400).split()).replace("`", "'").replace("|", "¦").replace("<", "‹")
