"""Reporters that fill in sentence templates."""

from typing import Any

import numpy as np

from parley.worlds.household.environment import IN_HAND
from parley.worlds.household.tables import PLACES, House, handing_over, sentence


class HouseholdReporter:
    """Says where the robot is, what it holds and what lies there, each thing being missed with probability `miss`."""

    def __init__(self, house: House) -> None:
        self.house = house

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence for a raw state of `HouseholdGrid` at the end of a subgoal.

        The robot is then at a place, unless the subgoal was cut short. In that case it is said to be at the nearest
        one, where it sees nothing.
        """
        cell, *things, handed = (int(entry) for entry in state)
        if handed:
            return handing_over(handed - 1)
        place = self._nearest(cell)
        held = things.index(IN_HAND) if IN_HAND in things else None
        present = [i for i, at in enumerate(things) if at == place < len(PLACES) and cell in self.house.cells]
        return sentence(place, held, [i for i in present if rng.random() >= self.house.miss])

    def _nearest(self, cell: int) -> int:
        """The number of the place with the fewest rows and columns to it, the first of several."""
        if cell in self.house.cells:
            return self.house.cells.index(cell)
        at, of = np.array(self.house.grid.cells[cell]), np.array(self.house.grid.cells)[list(self.house.cells)]
        return int(np.abs(of - at).sum(axis=1).argmin())
