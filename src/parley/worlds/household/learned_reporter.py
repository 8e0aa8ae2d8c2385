"""What a learned Reporter is given of the household's low level: its grid, or pixels."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.worlds.household.environment import HANDED_OVER, IN_HAND, RawState
from parley.worlds.household.picture import picture
from parley.worlds.household.tables import HOMES, KEPT, THINGS, House, standings
from parley.worlds.kit.learned_reporter import LearnedReporter


class LowLevelReporter:
    """A learned Reporter on the raw states of `HouseholdGrid`, by its view of them: the grid, or pixels."""

    def __init__(self, learned: LearnedReporter, house: House) -> None:
        if learned.about["view"] not in VIEWS:
            raise BadInput(
                f"reporter: trained on the view {learned.about['view']!r}, which a low level does not have; "
                f"use {' or '.join(VIEWS)}"
            )
        self.learned, self.house = learned, house
        self._known: dict[tuple[int, ...], np.ndarray] = {}

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """A sentence drawn with the learned probabilities."""
        key = tuple(int(entry) for entry in state)
        if key not in self._known:
            self._known[key] = self.learned.law(raw_features(self.learned.about["view"], self.house, [key]))[0]
        return str(rng.choice(np.array(self.learned.sentences, dtype=object), p=self._known[key]))


def raw_state(house: House, homes: tuple[int, int], now: Any) -> RawState:
    """The raw state of the low level at a subgoal boundary."""
    mug, book = (
        home if status == KEPT else IN_HAND + status - 1 for home, status in zip(homes, now.things, strict=True)
    )
    return house.cells[now.place], mug, book, 0 if now.handed is None else 1 + now.handed


def raw_features(view: str, house: House, states: Sequence[tuple[int, ...]]) -> Float[np.ndarray, "N F"]:
    """Pixels between 0 and 1, or for each entry of a raw state which value it has."""
    if view == "pixels":
        return np.array([picture(house, state).ravel() / 255 for state in states])
    sizes = (len(house.grid.cells), HANDED_OVER + 1, HANDED_OVER + 1, 1 + len(THINGS))
    columns = np.array(states).T
    return np.concatenate([np.eye(n)[column] for n, column in zip(sizes, columns, strict=True)], axis=1)


def _every(view: str) -> Float[np.ndarray, "ZS F"]:
    house = House()
    return raw_features(view, house, [raw_state(house, homes, now) for homes in HOMES for now in standings()])


VIEWS = {view: partial(_every, view) for view in ("grid", "pixels")}
