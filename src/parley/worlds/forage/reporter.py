"""The Reporter of `forage`: names the fruits in the basket, and nothing of how many foragers a fruit takes."""

from typing import Any

import numpy as np

from parley.worlds.forage.environment import GONE
from parley.worlds.forage.tables import Basket, sentence


class ForageReporter:
    """Counts fruits."""

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence for a raw state of `ForageGrid`."""
        return sentence(basket(state))


def basket(state: Any) -> Basket:
    """Which fruits have been gathered."""
    return tuple(bool(row == GONE) for row, _ in state["fruits"])
