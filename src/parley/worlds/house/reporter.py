"""The Reporter of `house`: says in which room the robot is, and whether in its corner or stuck at a door."""

from typing import Any

import numpy as np

from parley.worlds.house.environment import place
from parley.worlds.house.tables import CORNER, MIDDLE, ROOMS, neighbour, sentence

OFF = 0.2  # metres from the middle, along one axis


class HouseReporter:
    """Goes by the position alone."""

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence for a raw state of `HouseMaze`; nothing in it is drawn."""
        return sentence(*posture(state))


def posture(state: Any) -> tuple[int, str]:
    """Room, and middle, corner, or the name of the room at whose door the robot is stuck."""
    room, (east, north) = place(np.asarray(state))
    if min(abs(east), abs(north)) > OFF:
        return room, CORNER
    if max(abs(east), abs(north)) <= OFF:
        return room, MIDDLE
    heading = (0, int(np.sign(east))) if abs(east) > abs(north) else (-int(np.sign(north)), 0)
    near = neighbour(room, heading)
    return room, MIDDLE if near is None else ROOMS[near]
