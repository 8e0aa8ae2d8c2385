"""Reporters that fill in sentence templates."""

from typing import Any

import numpy as np

from parley.worlds.household import PLACES, House, handing_over, sentence
from parley.worlds.household_env import IN_HAND


class HouseholdReporter:
    """Says where the robot is, what it holds and what lies there, each thing being missed with probability `miss`."""

    def __init__(self, house: House) -> None:
        self.house = house

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence for a raw state of `HouseholdGrid` at the end of a subgoal, when the robot is at a place."""
        cell, *things, handed = (int(entry) for entry in state)
        if handed:
            return handing_over(handed - 1)
        place = self.house.cells.index(cell)
        held = things.index(IN_HAND) if IN_HAND in things else None
        present = [i for i, at in enumerate(things) if at == place < len(PLACES)]
        return sentence(place, held, [i for i in present if rng.random() >= self.house.miss])
