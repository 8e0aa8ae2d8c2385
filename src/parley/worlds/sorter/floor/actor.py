"""The Actor of `sorter-floor`: pushes a block onto its mat between two fingers, or puts it there with a grasp."""

from typing import Any

import numpy as np

from parley.worlds.sorter.actor import GRASP, HOVER, LONGEST_LOOK, LOOKS, NEAR, STILL, Grasp, straight
from parley.worlds.sorter.floor.environment import MATS, stored
from parley.worlds.sorter.floor.tables import TABLE, meaning

BEHIND = 0.075  # metres from the block's middle: where the fingers come down
SHORT = 0.015  # metres before the mat's middle where the push ends: the block slides on a little
HEIGHT = GRASP + 0.008  # metres: the grip's while it pushes
PUSH, BACK = 0.3, 0.03  # action; metres that the fingers draw back
PATIENCE = {"reach": 60, "descend": 40, "push": 40, "back": 10, "rise": 40}
FINGERS = 0.004  # metres: how far each is open, so that both touch the block


class PushActor:
    """The raw states are those of `FloorArm`; a block that is stored is left alone."""

    def __init__(self) -> None:
        self._grasp = Grasp(straight)

    def begin(self, subgoal: str) -> None:
        """Take up "push the {colour} block onto its mat" or "put the {colour} block on its mat"."""
        self._verb, self._colour = meaning(subgoal)
        self._phases: list[str] | None = None
        self._grasp.begin(self._colour, MATS[self._colour])

    def act(self, state: Any) -> np.ndarray | None:
        """The next action, or None when the block is at rest, or where there is nothing to do."""
        arm, block = state["arm"], state["blocks"][self._colour]
        if self._phases is None:
            self._phases = [*PATIENCE, "look"] if stored(state)[self._colour] == TABLE else []
            self._count = self._calm = 0
            self._ahead = 1.0 if MATS[self._colour, 0] > block[0] else -1.0  # which way along x
            self._from = np.array([block[0] - self._ahead * BEHIND, block[1]])
        if self._phases and self._verb == "put":
            return self._grasp.act(state)
        while self._phases and self._over(self._phases[0], arm, block):
            self._phases, self._count, self._where = self._phases[1:], 0, arm[:3].copy()
        if not self._phases:
            return None
        self._count += 1
        return np.array([*self._move(self._phases[0], arm), FINGERS - arm[3:5].mean()])

    def _over(self, phase: str, arm: np.ndarray, block: np.ndarray) -> bool:
        if phase == "look":
            self._calm = self._calm + 1 if np.abs(block[3:6]).max() < STILL else 0
            return self._calm >= LOOKS or self._count >= LONGEST_LOOK
        if self._count >= PATIENCE[phase]:
            return True
        if phase == "push":
            return bool(self._ahead * (MATS[self._colour, 0] - block[0]) < SHORT)
        if phase == "back":
            return bool(self._ahead * (self._where[0] - arm[0]) > BACK)
        if phase == "rise":
            return bool(arm[2] > HOVER - NEAR)
        height = HOVER if phase == "reach" else HEIGHT
        return bool(np.linalg.norm(arm[:3] - [*self._from, height]) < NEAR)

    def _move(self, phase: str, arm: np.ndarray) -> np.ndarray:
        """x, y, z of the action."""
        if phase in ("push", "back"):
            level = straight(arm, np.array([arm[0], self._from[1], HEIGHT]))
            return level + np.array([self._ahead * (PUSH if phase == "push" else -PUSH), 0, 0])
        if phase in ("reach", "descend"):
            return straight(arm, np.array([*self._from, HOVER if phase == "reach" else HEIGHT]))
        return straight(arm, np.array([*arm[:2], HOVER]))
