"""The Reporter of `sorter`: says where each block lies."""

from typing import Any

import numpy as np

from parley.worlds.sorter.layout import places
from parley.worlds.sorter.tables import sentence


class SorterReporter:
    """Goes by the blocks' places alone."""

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence for a raw state of `SorterArm`; nothing in it is drawn."""
        return sentence(places(state["blocks"]))
