"""The low level of `sorter-floor`: the arm, three blocks in line with their mats, a rough or an icy table."""

from typing import Any

import gymnasium as gym
import numpy as np

from parley.worlds.sorter.environment import TURN, Arm, make_fetch
from parley.worlds.sorter.floor.tables import FRICTION, PUSHED, PUT, TABLE, Rules, Stored
from parley.worlds.sorter.layout import BLOCK, HALF_MAT, TABLE_TOP
from parley.worlds.sorter.tables import COLOURS

LANES = (0.6, 0.75, 0.9)  # metres: y of each colour
START_AT, MAT_AT_X = 1.18, 1.32  # metres: x
FELT_FROM, FELT = (1.1, 1.42), 60.0  # metres: x where the felt ends and begins; newtons a metre a second
MATS = np.array([[MAT_AT_X, y] for y in LANES])
SPREAD = 0.01
LIFTED = 0.015  # metres


class FloorArm(Arm):
    """Raw states have `lifted`, (3,): whether a block was lifted since it last lay on the table.

    The latent 0 is the rough table, 1 the icy one.
    """

    def __init__(self, rules: Rules, latent: int) -> None:
        fetch = make_fetch("sorter-floor", FRICTION[latent])
        super().__init__(fetch, rules.noise, MATS, lifted=gym.spaces.MultiBinary(len(COLOURS)))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Each block begins nearer to the robot than its mat."""
        super().reset(seed=seed)
        at = np.array([[START_AT, y] for y in LANES]) + self.np_random.uniform(-SPREAD, SPREAD, (len(LANES), 2))
        self.fetch.begin(at, self.np_random.uniform(-TURN, TURN, len(LANES)) / 2)
        self._lifted = np.zeros(len(COLOURS), dtype=np.int8)
        return self._raw(), {}

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """A twenty-fifth of a second."""
        super().step(action)
        for i, block in enumerate(self.fetch.blocks()):
            high = block[2] > TABLE_TOP + BLOCK + LIFTED
            low = block[2] < TABLE_TOP + BLOCK + 0.01
            self._lifted[i] = high or (self._lifted[i] and (not low or on_own_mat(i, block)))
        return self._raw(), 0.0, False, False, {}

    def _act(self) -> None:
        """Felt slows down what slides on it."""
        for body, block in zip(self.fetch.bodies, self.fetch.blocks(), strict=True):
            on_felt = not FELT_FROM[0] < block[0] < FELT_FROM[1] and block[2] < TABLE_TOP + BLOCK + LIFTED
            self.fetch.data.xfrc_applied[body, :2] = -FELT * block[3:5] if on_felt else 0.0

    def _raw(self) -> dict[str, np.ndarray]:
        return {**super()._raw(), "lifted": self._lifted.copy()}


def on_own_mat(colour: int, block: np.ndarray) -> bool:
    """Whether a block (x, y, z, ...) stands on the mat of its colour."""
    return bool(np.abs(block[:2] - MATS[colour]).max() < HALF_MAT and block[2] < TABLE_TOP + BLOCK + 0.01)


def stored(state: dict[str, Any]) -> Stored:
    """The tables' state of a raw state."""
    found = [
        (PUT if lifted else PUSHED) if on_own_mat(i, block) else TABLE
        for i, (block, lifted) in enumerate(zip(state["blocks"], state["lifted"], strict=True))
    ]
    return tuple(found)
