"""The Reporter of `keys`: puts into words what the robot senses where it stands."""

from typing import Any

import numpy as np

from parley.worlds.keys.environment import CELL_COLOURS, CELL_TYPES, OPEN, VIEW
from parley.worlds.keys.tables import BALL, Rules, Spot, sentence

ORDER = {(1, 1): "hall", (0, 1): "west room", (1, 0): "north room", (2, 1): "vault"}  # rooms by thirds of the grid
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))
NAMES = {i: name for name, i in CELL_COLOURS.items()}


class KeysReporter:
    """Misses the ball with probability `miss`, unless the robot stands before it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence for a raw state of `KeysGrid`."""
        now, room = spot(state), room_of_ball(state)
        sees = now.place == room and rng.random() >= self.rules.miss
        return sentence(now, room, sees)


class PartialKeysReporter:
    """Goes by the cells ahead of the robot (`image`) and its pose; what it saw in the episode it remembers."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def begin(self) -> None:
        """Nothing has been seen."""
        self._open, self._ball = False, ""  # the door; the room of the ball

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence for a raw state of `KeysGrid`."""
        x, y, direction = (int(v) for v in state["agent"])
        image, (ahead_x, ahead_y) = state["image"], AHEAD[direction]
        self._open |= bool(((image[:, :, 0] == CELL_TYPES["door"]) & (image[:, :, 2] == OPEN)).any())
        for across, row in np.argwhere(image[:, :, 0] == CELL_TYPES["ball"]):
            far, right = VIEW - 1 - int(row), int(across) - VIEW // 2
            at = x + far * ahead_x - right * ahead_y, y + far * ahead_y + right * ahead_x
            self._ball = ORDER[at[0] // 6, at[1] // 6]
        own, next_to = image[VIEW // 2, VIEW - 1], image[VIEW // 2, VIEW - 2]
        held = NAMES[int(own[1])] if own[0] == CELL_TYPES["key"] else None  # MiniGrid draws it where the robot is
        place = BALL if next_to[0] == CELL_TYPES["ball"] else ORDER[x // 6, y // 6]
        sees = place == self._ball and rng.random() >= self.rules.miss
        return sentence(Spot(place, held, self._open), self._ball, sees)


def spot(state: Any) -> Spot:
    """The tables' state of a raw state."""
    x, y, direction = (int(v) for v in state["agent"])
    dx, dy = AHEAD[direction]
    before_ball = state["grid"][x + dx, y + dy, 0] == CELL_TYPES["ball"]
    held = None if state["held"] < 0 else NAMES[int(state["held"])]
    shut = (state["grid"][:, :, 0] == CELL_TYPES["door"]) & (state["grid"][:, :, 2] != OPEN)
    return Spot(BALL if before_ball else ORDER[x // 6, y // 6], held, not shut.any())


def room_of_ball(state: Any) -> str:
    """The room of the ball: used only to say what the robot's own room holds."""
    x, y = np.argwhere(state["grid"][:, :, 0] == CELL_TYPES["ball"])[0]
    return ORDER[int(x) // 6, int(y) // 6]
