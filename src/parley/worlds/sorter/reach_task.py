"""Reaching as a goal-conditioned task on the table of `sorter`, after FetchReach (Plappert et al. 2018, 1802.09464)."""

from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Float

from parley.worlds.sorter.environment import SorterArm
from parley.worlds.sorter.layout import BESIDE, MAT_AT, TABLE_TOP
from parley.worlds.sorter.tables import Rules

WITHIN = 0.05  # metres: as FetchReach
EPISODE = 50  # actions
FRESH = 10  # episodes on one table: the others begin where the arm is
MARGIN = 0.03  # metres around all places where a block may be
_SPOTS = (MAT_AT[:, None] + BESIDE).reshape(-1, 2)
LOW = np.array([*(_SPOTS.min(axis=0) - MARGIN), TABLE_TOP + 0.1])
HIGH = np.array([*(_SPOTS.max(axis=0) + MARGIN), TABLE_TOP + 0.2])


class ReachTask(gym.Env[dict[str, np.ndarray], np.ndarray]):
    """Bring the grip within 5 cm of a goal drawn from a box above the table; an action moves it, fingers open.

    An observation has `observation` (`arm` of a raw state, (10,)), `achieved_goal` and `desired_goal` (metres). The
    reward is 0 within 5 cm and -1 elsewhere. The arm stays where it is between episodes, as it does between subgoals.
    Every tenth episode begins on a fresh table, and so does one that is given a seed.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.arm = SorterArm(rules or Rules(), (0, 1, 2))
        self.action_space = gym.spaces.Box(-1, 1, (3,), np.float32)
        place = gym.spaces.Box(-100, 100, (3,), np.float64)
        self.observation_space = gym.spaces.Dict(
            observation=self.arm.observation_space["arm"], achieved_goal=place, desired_goal=place
        )
        self._episode = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """A new goal."""
        super().reset(seed=seed)
        if seed is not None or self._episode % FRESH == 0:
            self._raw = self.arm.reset(seed=int(self.np_random.integers(2**31)))[0]["arm"]
            self._episode = 0
        self._episode, self._used = self._episode + 1, 0
        self._goal = self.np_random.uniform(LOW, HIGH)
        return self._observed(), {}

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """A twenty-fifth of a second; `truncated` after 50."""
        self._raw = self.arm.step(np.array([*action, 1.0]))[0]["arm"]
        self._used += 1
        seen = self._observed()
        reward = float(self.compute_reward(seen["achieved_goal"], self._goal, {}))
        return seen, reward, False, self._used == EPISODE, {"is_success": reward == 0}

    def compute_reward(
        self, achieved_goal: Float[np.ndarray, "*n 3"], desired_goal: Float[np.ndarray, "*n 3"], info: Any
    ) -> Float[np.ndarray, "*n"]:
        """The reward, also of other goals (hindsight experience replay; Andrychowicz et al. 2017, 1707.01495)."""
        return -(np.linalg.norm(achieved_goal - desired_goal, axis=-1) >= WITHIN).astype(np.float32)

    def close(self) -> None:
        self.arm.close()

    def _observed(self) -> dict[str, np.ndarray]:
        return {"observation": self._raw, "achieved_goal": self._raw[:3].copy(), "desired_goal": self._goal.copy()}
