"""Cells of a log, read with suspicion: what stands in a column must be what a run writes there."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from parley.core.errors import RunDamaged

LONGEST = 16 * 2**20  # characters of a cell that is read
DEEPEST = 4  # lists within lists: Actors, menu entries

Check = Callable[[Any], bool]


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _number(value: Any) -> bool:
    return type(value) in (int, float)


def _text(value: Any) -> bool:
    return type(value) is str and len(value) <= LONGEST


def _or_nothing(check: Check) -> Check:
    return lambda value: value is None or check(value)


CELLS: dict[str, Check] = {
    **dict.fromkeys(("run", "episode", "step"), _whole),
    "explored": lambda value: value in (0, 1) and type(value) is int,
    **dict.fromkeys(("observation", "subgoal", "instruction", "next_observation", "menu"), _text),
    **dict.fromkeys(("proposal", "proposal_source", "answers", "law"), _or_nothing(_text)),
    **dict.fromkeys(("reward", "return", "wall_s"), _number),
    **dict.fromkeys(("optimal_value", "regret", "expected_regret", "score"), _or_nothing(_number)),
}


def check_row(names: Sequence[str], row: Sequence[Any]) -> None:
    """Raise `RunDamaged` naming the first cell of a row that a run cannot have written."""
    for name, value in zip(names, row, strict=True):
        if name in CELLS and not CELLS[name](value):
            raise RunDamaged(f"run.sqlite holds {short(value)} as {name}, which no run writes there")


def check_column(name: str, values: Iterable[Any]) -> None:
    """The same for a column."""
    check = CELLS.get(name)
    if check is not None:
        for value in values:
            if not check(value):
                raise RunDamaged(f"run.sqlite holds {short(value)} as {name}, which no run writes there")


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
        found = json.loads(text) if _text(text) else None
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
