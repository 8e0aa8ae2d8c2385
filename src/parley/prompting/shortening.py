"""Leaves parts of an episode out of a prompt where not even one fits: by rule, and told in its place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST = 64  # characters to which something said is shortened at most


@dataclass(frozen=True)
class Shape:
    """How an episode is shown: `longest` characters of each thing heard (0: all), without its first `skipped` steps."""

    longest: int = 0
    skipped: int = 0

    def smaller(self, said: int, steps: int) -> "Shape | None":
        """The next smaller shape of an episode whose longest sentence has `said` characters. None where no shape is
        smaller.

        First what was heard is shortened, by half at a time; then steps are left out, the older half at a time.
        """
        longest = min(self.longest or said, said) // 2
        if longest >= SHORTEST:
            return Shape(longest, self.skipped)
        left = steps - self.skipped
        return Shape(self.longest, self.skipped + (left + 1) // 2) if left > 1 else None


def shortened(text: str, longest: int) -> str:
    """The beginning and the end of a text, and how much stood between; `longest` characters of it are kept, 0: all.

    >>> shortened("x" * 60 + "y" * 60, 30)
    'xxxxxxxxxxxxxxxxxxxx [... 90 characters are left out ...] yyyyyyyyyy'
    """
    if not longest or len(text) <= longest:
        return text
    end = longest // 3
    return f"{text[: longest - end]} [... {len(text) - longest} characters are left out ...] {text[len(text) - end :]}"


def changes(said: Sequence[str]) -> list[str]:
    """Each text without what the one before it said already, in whole lines, or sentences where it has one line.

    >>> changes(["A lamp. A door.", "A lamp. A key.", "A lamp. A key.", "Dark."])
    ['A lamp. A door.', 'A key. [the rest is as before]', '[all is as before]', 'Dark.']
    """
    return [*said[:1], *(_since(before, now) for before, now in zip(said, said[1:], strict=False))]


def _since(before: str, now: str) -> str:
    known, pieces = set(_pieces(before)), _pieces(now)
    new = [piece for piece in pieces if piece not in known]
    if len(new) == len(pieces):
        return now
    between = "\n" if "\n" in now else " "
    return between.join([*new, "[the rest is as before]"] if new else ["[all is as before]"])


def _pieces(text: str) -> list[str]:
    """The lines of a text, or its sentences where it has one line."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines if len(lines) > 1 else re.split(r"(?<=[.!?])\s+", text.strip())
