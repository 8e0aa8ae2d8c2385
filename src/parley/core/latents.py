"""Latents that are numbers: names without a list of them, and drawing one for each run."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from jaxtyping import Float, Int


class Numbered(Sequence[str]):
    """The names of a range of numbers, each its decimal digits; nothing is kept, however long the range.

    >>> names = Numbered(range(10, 2**31))
    >>> names[3], names.index("13"), "9" in names, "x" in names
    ('13', 3, False, False)
    """

    def __init__(self, numbers: range) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return Numbered(self.numbers[index]) if isinstance(index, slice) else str(self.numbers[int(index)])

    def __iter__(self) -> Iterator[str]:
        return map(str, self.numbers)

    def __contains__(self, name: object) -> bool:
        number = _number(name)
        return number is not None and number in self.numbers  # else a range compares all its values

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The position of a name; raises `ValueError` if it is not among them."""
        number = _number(value)
        if number is None:
            raise ValueError(f"{value!r} is no number")
        return self.numbers.index(number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Numbered) and self.numbers == other.numbers

    def __hash__(self) -> int:
        return hash(self.numbers)


def _number(name: object) -> int | None:
    """The number that a name spells, None where it spells none, or otherwise than `str` would."""
    try:
        number = int(name)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return None
    return number if str(number) == name else None


def alike(count: int) -> Float[np.ndarray, " Z"]:
    """The prior of so many latents that are all alike: one number, kept once."""
    return np.broadcast_to(np.float64(1 / count), (count,))


def all_alike(prior: Float[np.ndarray, " Z"]) -> bool:
    """Whether a prior is one number, kept once (`alike`): it sums to 1 without being looked at."""
    return prior.strides == (0,) and len(prior) > 0 and prior[0] == 1 / len(prior)


def draw_latent(prior: Float[np.ndarray, " Z"], u: Float[np.ndarray, " B"]) -> Int[np.ndarray, " B"]:
    """One latent for each uniform number, by inversion."""
    prior = np.asarray(prior, dtype=float)
    if all_alike(prior):
        return np.minimum((u * len(prior)).astype(np.int64), len(prior) - 1)
    cumulative = np.cumsum(prior)
    return np.minimum(np.searchsorted(cumulative, u * cumulative[-1], side="right"), len(prior) - 1)
