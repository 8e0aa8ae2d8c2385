"""The Reporter of `quest`: the game speaks for itself."""

from typing import Any

import numpy as np

from parley.worlds.quest.tables import Turn


class QuestReporter:
    """Says what the game answered last."""

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The answer in a raw state of `QuestGame`."""
        said: str = state["said"]
        return said


def turn(state: Any) -> Turn:
    """The tables' state of a raw state; behind the open door nobody can stand unless it is open."""
    place = "vault" if state["seen"].startswith("Vault") else "hall"
    return Turn(place, "open iron door" in state["seen"], "gold coin" in state["held"], state["said"])
