"""Checks of somebody else's environment: the right thing, or one sentence that names the fault."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, nan
from typing import Any

import numpy as np

from parley.core.errors import EnvironmentFailed
from parley.core.text import shown, whole

MOST_ENTRIES = 20_000  # of a menu
LONGEST = 10_000_000  # characters of a report

Step = tuple[Any, Any, Any, Any, Mapping[str, Any]]


def begun(answer: Any) -> tuple[Any, Mapping[str, Any]]:
    """Raw state and info of a `reset`; raises where it gave something else than Gymnasium's pair."""
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], Mapping):
        raise EnvironmentFailed(
            f"`reset` gave {_kind(answer)}: expected (observation, info), info being a dictionary, as in Gymnasium"
        )
    return answer


def stepped(answer: Any) -> Step:
    """The five things that a `step` gives; the four of the old Gym are understood."""
    if not isinstance(answer, tuple) or len(answer) not in (4, 5) or not isinstance(answer[-1], Mapping):
        raise EnvironmentFailed(
            f"`step` gave {_kind(answer)}: expected (observation, reward, terminated, truncated, info) as in "
            "Gymnasium, or (observation, reward, done, info) as in the old Gym. `info` is a dictionary"
        )
    if len(answer) == 5:
        return answer
    raw, paid, done, info = answer
    cut = bool(info.get("TimeLimit.truncated", False))
    return raw, paid, bool(done) and not cut, bool(done) and cut, info


def number(paid: Any) -> float:
    """A reward as a finite number: of Python, NumPy or a tensor, alone or in an array of size 1."""
    try:
        value = paid.item() if hasattr(paid, "item") else paid  # arrays and tensors
        value = nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        value = nan
    if isfinite(value):
        return value
    raise EnvironmentFailed(f"the environment gave a reward of {shown(paid)}: expected a finite number")


def highest(score: Any) -> float:
    """The highest return, by which returns are divided; NaN where nobody knows it, or (0) there is nothing to score."""
    if score is None or (isinstance(score, int | float | np.number) and score == 0):
        return nan
    if isinstance(score, float | int | np.number) and isfinite(score) and score > 0:
        return float(score)
    raise EnvironmentFailed(f"the environment gave a max_score of {shown(score)}: expected a number above 0, or None")


def text(said: Any, told_by: str = "describe") -> str:
    """A report as text that a file can hold; bytes are read as UTF-8. `told_by` is the argument that could mend it."""
    if isinstance(said, bytes):
        said = said.decode("utf-8", errors="replace")
    if not isinstance(said, str):
        raise EnvironmentFailed(
            f"the environment said {_kind(said)}, which is no text: give `{told_by}=`, a function to words"
        )
    if len(said) > LONGEST:
        raise EnvironmentFailed(f"the environment said {len(said):,} characters at once: expected {LONGEST:,} at most")
    return whole(said)


def entries(menu: Any) -> dict[str, Any]:
    """A menu as a dict of words to actions: in alphabetical order, which tells nothing; each entry once.

    A mapping tells its keys and does its values; of a list each text is both.
    """
    if isinstance(menu, str | bytes) or not isinstance(menu, Iterable):
        raise EnvironmentFailed(f"the menu is {_kind(menu)}: expected a list of texts")
    listed = list(menu)
    for i, entry in enumerate(listed):
        if not isinstance(entry, str) or not entry.strip():
            raise EnvironmentFailed(f"entry {i} of the menu is {shown(entry)}: expected a text of something to do")
    if not listed:
        raise EnvironmentFailed(
            "the menu is empty though the episode is not over: the environment offers nothing to do"
        )
    if len(listed) > MOST_ENTRIES:
        raise EnvironmentFailed(f"the menu has {len(listed):,} entries: expected {MOST_ENTRIES:,} at most")
    meant = menu if isinstance(menu, Mapping) else {}
    return {whole(entry): meant.get(entry, entry) for entry in sorted(listed)}


def _kind(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{shown(value)} ({type(value).__name__})"


def shared(menu: Sequence[str]) -> str:
    """A menu in one line of an error."""
    return ", ".join(menu[:20]) + (f", and {len(menu) - 20} more" if len(menu) > 20 else "")
