"""What is hidden in a wrapped environment: its variations, their names, seeds and prior."""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.core.latents import Numbered, alike
from parley.core.tables import Tables
from parley.core.text import inert, shown

SEEDS = range(2**31)  # of low-level environments
ONLY = ("the only one",)
ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # in the name of an object that has none of its own


@dataclass(frozen=True)
class Hidden:
    """The variations: their names, and what `make_env` is given of each."""

    names: Sequence[str]
    values: Sequence[Any] | None  # None: `make_env` takes nothing

    def seed(self, latent: int) -> int:
        """The seed that stands for a variation: itself if it is a number, else its place."""
        value = latent if self.values is None else self.values[latent]
        return int(value) if isinstance(value, int | np.integer) else latent


def hidden_of(variations: Any, seeds: bool, tables: Tables | None) -> Hidden:
    """What `variations` of `wrap` means; with `seeds` and no variations, any seed. Raises `BadInput`."""
    if variations is None and tables is not None:
        return Hidden(tables.latents, range(len(tables.latents)))
    if variations is None:
        return Hidden(Numbered(SEEDS), None) if seeds else Hidden(ONLY, None)
    if isinstance(variations, range):
        if not variations:
            raise BadInput(f"variations={variations!r} is empty: expected at least one")
        return Hidden(Numbered(variations), variations)
    named = variations if isinstance(variations, Mapping) else None
    values = listed_in("variations", variations if named is None else list(named), "a range, a list or a mapping")
    names = [inert(str(value), 200) for value in values]
    if not names or len(set(names)) < len(names):
        raise BadInput(
            f"variations={shown(variations, 200)}: expected at least one, and each of them once; "
            "a mapping gives them names"
        )
    if unnamed := list(filter(ADDRESS.search, names)):
        raise BadInput(f"variations: {shown(unnamed[0])} is no name: give a mapping from names to what they stand for")
    return Hidden(tuple(names), values if named is None else list(named.values()))


def listed_in(what: str, given: Any, expected: str = "a list") -> tuple[Any, ...]:
    """The members of a collection; those of a set, which has no order, by name."""
    try:
        if isinstance(given, str | bytes | Mapping):
            raise TypeError
        return tuple(sorted(given, key=str) if isinstance(given, Set) else given)
    except TypeError:
        raise BadInput(f"{what}={shown(given)}: expected {expected}") from None


def count(number: Any) -> bool:
    """Whether something is a whole number of at least 1, and no truth value."""
    return isinstance(number, int | np.integer) and not isinstance(number, bool) and int(number) >= 1


def prior_of(prior: Any, tables: Tables | None, size: int) -> np.ndarray:
    """The prior of `size` variations, which are all alike where none is given."""
    if tables is not None:
        return tables.prior
    try:
        return alike(size) if prior is None else np.array(listed_in("prior", prior), dtype=float)
    except ValueError:
        raise BadInput(f"prior={shown(prior)}: expected {size} probabilities that sum to 1") from None
