"""The Reporters of `sorter` and `sorter-floor`: say where each block lies."""

from typing import Any

import numpy as np

from parley.worlds import sorter, sorter_floor
from parley.worlds.sorter_floor_env import stored
from parley.worlds.sorter_layout import places


class SorterReporter:
    """Goes by the blocks' places alone."""

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence for a raw state of `SorterArm`; nothing in it is drawn."""
        return sorter.sentence(places(state["blocks"]))


class FloorReporter:
    """Goes by the blocks' places, and by which were lifted."""

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence for a raw state of `FloorArm`; nothing in it is drawn."""
        return sorter_floor.sentence(stored(state))
