"""Cells of a log, read with suspicion: what stands in a column must be what a run writes there."""

import json
import math
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from parley.core.errors import RunDamaged

LONGEST = 16 * 2**20  # characters of a cell that is read
DEEPEST = 4  # lists within lists: Actors, menu entries


@dataclass(frozen=True)
class Cell:
    """What a run writes into a column: the types, and the least and the most, of text the characters."""

    types: frozenset[type]
    least: float = -math.inf
    most: float = math.inf

    def or_nothing(self) -> "Cell":
        """The same, or nothing."""
        return replace(self, types=self.types | {type(None)})

    def holds(self, values: Collection[Any]) -> bool:
        """Whether a run can have written all of them; a column is looked at by its types and its extremes alone."""
        found = set(map(type, values))
        if not found <= self.types:
            return False
        if math.isinf(self.most):
            return True
        present = [value for value in values if value is not None] if type(None) in found else values
        sizes = list(map(len, present)) if str in found else present
        return not sizes or (self.least <= min(sizes) and max(sizes) <= self.most)


WHOLE, FLAG = Cell(frozenset({int}), 0, 2**53 - 1), Cell(frozenset({int}), 0, 1)
# Rewards are finite (`core.answered`): no infinity stands in a log.
NUMBER = Cell(frozenset({int, float}), -sys.float_info.max, sys.float_info.max)
TEXT = Cell(frozenset({str}), 0, LONGEST)
CELLS = {
    **dict.fromkeys(("run", "episode", "step"), WHOLE),
    "explored": FLAG,
    **dict.fromkeys(("observation", "subgoal", "instruction", "next_observation", "menu"), TEXT),
    **dict.fromkeys(("proposal", "proposal_source", "answers", "law"), TEXT.or_nothing()),
    **dict.fromkeys(("reward", "return", "wall_s"), NUMBER),
    **dict.fromkeys(("optimal_value", "regret", "expected_regret", "score"), NUMBER.or_nothing()),
}


def check_row(names: Sequence[str], row: Sequence[Any]) -> None:
    """Raise `RunDamaged` naming the first cell of a row that a run cannot have written."""
    for name, value in zip(names, row, strict=True):
        check_column(name, (value,))


def check_column(name: str, values: Collection[Any]) -> None:
    """The same for a column."""
    cell = CELLS.get(name)
    if cell is None or cell.holds(values):
        return
    wrong = next(value for value in values if not cell.holds((value,)))
    raise RunDamaged(f"run.sqlite holds {short(wrong)} as {name}, which no run writes there")


def numbers_of(text: str, name: str) -> list[Any]:
    """A cell of probabilities: a list of numbers, or one such list an Actor."""
    found = _json(text, name)
    if not found or not all(_numbers(found) or (isinstance(row, list) and _numbers(row)) for row in found):
        raise RunDamaged(f"run.sqlite holds {short(text)} as {name}: expected a list of numbers")
    return found


def menu_of(text: Any) -> list[Any]:
    """A cell of sentences: a list of sentences (None: padding), or one such list an Actor."""
    found = _json(text, "menu")
    if not found or not (_sentences(found) or all(isinstance(row, list) and row and _sentences(row) for row in found)):
        raise RunDamaged(f"run.sqlite holds {short(text)} as a menu: expected a list of sentences")
    return found


def _json(text: Any, name: str) -> list[Any]:
    try:
        found = json.loads(text) if TEXT.holds((text,)) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise RunDamaged(f"run.sqlite holds {short(text)} as {name}: expected a list")
    return found


def _numbers(row: Sequence[Any]) -> bool:
    return all(type(value) in (int, float) for value in row)


def _sentences(row: Sequence[Any]) -> bool:
    return all(value is None or type(value) is str for value in row)


def short(value: Any) -> str:
    """A value as a sentence shows it."""
    text = repr(value) if not isinstance(value, bytes | str) or len(value) < 60 else f"{value[:40]!r}..."
    return text.encode("ascii", "backslashreplace").decode()
