"""The Reporter of `sorter-floor`: says where each block lies."""

from typing import Any

import numpy as np

from parley.worlds.sorter.floor.environment import stored
from parley.worlds.sorter.floor.tables import sentence


class FloorReporter:
    """Goes by the blocks' places, and by which were lifted."""

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence for a raw state of `FloorArm`; nothing in it is drawn."""
        return sentence(stored(state))
