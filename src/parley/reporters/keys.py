"""The Reporter of `keys`: puts into words what the robot senses where it stands."""

from typing import Any

import numpy as np

from parley.worlds.keys import BALL, Rules, Spot, sentence
from parley.worlds.keys_env import CELL_COLOURS, CELL_TYPES, OPEN

ORDER = {(1, 1): "hall", (0, 1): "west room", (1, 0): "north room", (2, 1): "vault"}  # rooms by thirds of the grid
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))


class KeysReporter:
    """Misses the ball with probability `miss`, unless the robot stands before it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence for a raw state of `KeysGrid`."""
        now, room = spot(state), room_of_ball(state)
        sees = now.place == room and rng.random() >= self.rules.miss
        return sentence(now, room, sees)


def spot(state: Any) -> Spot:
    """The tables' state of a raw state."""
    x, y, direction = (int(v) for v in state["agent"])
    dx, dy = AHEAD[direction]
    before_ball = state["grid"][x + dx, y + dy, 0] == CELL_TYPES["ball"]
    held = None if state["held"] < 0 else {i: name for name, i in CELL_COLOURS.items()}[int(state["held"])]
    shut = (state["grid"][:, :, 0] == CELL_TYPES["door"]) & (state["grid"][:, :, 2] != OPEN)
    return Spot(BALL if before_ball else ORDER[x // 6, y // 6], held, not shut.any())


def room_of_ball(state: Any) -> str:
    """Where the ball lies: used only to say what is in the robot's own room."""
    x, y = np.argwhere(state["grid"][:, :, 0] == CELL_TYPES["ball"])[0]
    return ORDER[int(x) // 6, int(y) // 6]
