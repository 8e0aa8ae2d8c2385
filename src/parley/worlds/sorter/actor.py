"""The Actor of `sorter`: reaches above a block, goes down, grasps, lifts, moves over the mat, lowers and releases."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.worlds.sorter.layout import BLOCK, MAT_AT, TABLE_TOP, places
from parley.worlds.sorter.tables import meaning

Reach = Callable[[Any, np.ndarray], np.ndarray]  # (`arm` of a raw state, goal in metres) -> x, y, z of an action

OPEN, CLOSE = 1.0, -1.0
HOVER = TABLE_TOP + 0.14  # metres: the grip's height above all blocks, also with one in hand
GRASP = TABLE_TOP + BLOCK
GAIN, FASTEST = 10.0, 0.5  # action (of 5 cm) per metre, and the largest one
NEAR, WITHIN_REACH = 0.01, 0.05  # metres
PATIENCE = {"reach": 60, "descend": 60, "grasp": 8, "lift": 40, "carry": 80, "lower": 40, "release": 6, "rise": 40}
STILL, LOOKS = 0.005, 3  # metres a second; so many looks in a row
LONGEST_LOOK = 60


def straight(arm: Float[np.ndarray, " 10"], goal: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
    """The script's way of reaching: straight to the goal, slower near it."""
    wish = GAIN * (goal - arm[:3])
    return wish * min(1.0, FASTEST / max(float(np.abs(wish).max()), 1e-9))


class Grasp:
    """Takes a block to a place: `reach` brings the grip to within 5 cm above the block, the script does the rest.

    It gives up a phase that takes longer than `PATIENCE` and goes on with the next: what came of it is the Reporter's
    to say.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def begin(self, colour: int, at: Float[np.ndarray, " 2"]) -> None:
        """Take up the block of this colour, to be brought to `at` (metres)."""
        self._colour, self._at = colour, at
        self._phases = [*PATIENCE, "look"]
        self._count = self._calm = 0

    def act(self, state: Any) -> np.ndarray | None:
        """The next action, or None when the block is at rest."""
        arm, block = state["arm"], state["blocks"][self._colour]
        while self._phases and self._over(self._phases[0], arm, block):
            self._phases, self._count = self._phases[1:], 0
        if not self._phases:
            return None
        self._count += 1
        return self._move(self._phases[0], arm, block)

    def _over(self, phase: str, arm: np.ndarray, block: np.ndarray) -> bool:
        if phase == "look":
            self._calm = self._calm + 1 if np.abs(block[3:6]).max() < STILL else 0
            return self._calm >= LOOKS or self._count >= LONGEST_LOOK
        if self._count >= PATIENCE[phase]:
            return True
        if phase in ("grasp", "release"):
            return False
        tolerance = WITHIN_REACH if phase == "reach" else NEAR
        return bool(np.linalg.norm(self._goal(phase, arm, block) - arm[:3]) < tolerance)

    def _goal(self, phase: str, arm: np.ndarray, block: np.ndarray) -> np.ndarray:
        """Where the grip is to go (metres)."""
        if phase == "reach":
            return np.array([*block[:2], HOVER])
        if phase in ("descend", "grasp"):
            aligned = np.abs(block[:2] - arm[:2]).max() < NEAR or arm[2] < TABLE_TOP + 2 * BLOCK
            return np.array([*block[:2], GRASP if aligned else HOVER])
        if phase in ("carry", "lower"):
            return np.array([*self._at, HOVER if phase == "carry" else GRASP + 0.003])
        return np.array([*arm[:2], arm[2] if phase == "release" else HOVER])

    def _move(self, phase: str, arm: np.ndarray, block: np.ndarray) -> np.ndarray:
        goal = self._goal(phase, arm, block)
        move = self._reach(arm, goal) if phase == "reach" else straight(arm, goal)
        closed = phase in ("grasp", "lift", "carry", "lower")
        return np.array([*move, CLOSE if closed else OPEN])


class PickPlaceActor:
    """Brings blocks onto mats; leaves everything as it is where a block lies on the mat already."""

    def __init__(self, reach: Reach = straight) -> None:
        self._grasp = Grasp(reach)

    def begin(self, subgoal: str) -> None:
        """Take up "put the {colour} block on the {mat}"."""
        colour, self._mat = meaning(subgoal)
        self._begun = False
        self._grasp.begin(colour, MAT_AT[self._mat])

    def act(self, state: Any) -> np.ndarray | None:
        """The next action, or None when the block is at rest, or where there is nothing to do."""
        if not self._begun and self._mat in places(state["blocks"]):
            return None
        self._begun = True
        return self._grasp.act(state)
