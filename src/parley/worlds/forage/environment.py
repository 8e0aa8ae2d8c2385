"""The low level of `forage` as a Gymnasium environment of three foragers; raw states do not hold what a fruit takes."""

import warnings
from typing import Any

import gymnasium as gym
import numpy as np

from parley.core.errors import MissingExtra
from parley.worlds.forage.tables import ACTORS, FRUITS

STAND, NORTH, SOUTH, WEST, EAST, LOAD = range(6)  # the actions of lbforaging
SIZE = 8
GONE = -1  # the row and column of a fruit that has been gathered


class ForageGrid(gym.Env[dict[str, Any], Any]):
    """One action of every forager a step.

    A raw state has `fruits` (3, 2), row and column of the apple, the plum and the cherry, -1 where gathered. It also
    has `foragers` (3, 2). lbforaging does not come back to the same state for the same seed: each episode gets a fresh
    one.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}
    render_mode = "rgb_array"

    def __init__(self, takes: tuple[int, ...]) -> None:
        try:
            from lbforaging.foraging.environment import ForagingEnv
        except ImportError:
            raise MissingExtra("world 'forage'", "forage") from None
        self._make, self.takes = ForagingEnv, takes
        self.action_space = gym.spaces.MultiDiscrete([LOAD + 1] * ACTORS)
        places = gym.spaces.Box(GONE, SIZE - 1, (len(FRUITS), 2), np.int64)
        self.observation_space = gym.spaces.Dict(
            fruits=places, foragers=gym.spaces.Box(0, SIZE - 1, (ACTORS, 2), np.int64)
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Foragers anywhere, fruits with free cells around them."""
        super().reset(seed=seed)
        most = max(self.takes)
        with warnings.catch_warnings():  # of its own observation space, which nobody looks at
            warnings.simplefilter("ignore")
            self.low = self._make(
                players=ACTORS,
                min_player_level=1,
                max_player_level=1,
                min_food_level=1,
                max_food_level=[most] * len(FRUITS),
                field_size=(SIZE, SIZE),
                max_num_food=len(FRUITS),
                sight=SIZE,
                max_episode_steps=10**9,
                force_coop=False,
            )
            self.low.reset(seed=int(self.np_random.integers(2**31)))
        places = np.argwhere(self.low.field > 0)
        self._places = places[self.np_random.permutation(len(places))]
        for (row, column), level in zip(self._places, self.takes, strict=True):
            self.low.field[row, column] = level
        return self._raw(), {}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Carry out one action of each forager; who cannot do it stands."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.low.step([int(a) for a in action])
        return self._raw(), 0.0, False, False, {}

    def render(self) -> np.ndarray:
        """A picture from above: fruits in their colours, foragers white."""
        picture = np.full((SIZE, SIZE, 3), 60, dtype=np.uint8)
        raw = self._raw()
        for (row, column), colour in zip(raw["fruits"], ((120, 200, 60), (130, 70, 170), (220, 40, 50)), strict=True):
            if row != GONE:
                picture[row, column] = colour
        for row, column in raw["foragers"]:
            picture[row, column] = 240
        return picture.repeat(40, axis=0).repeat(40, axis=1)

    def _raw(self) -> dict[str, Any]:
        growing = self.low.field[self._places[:, 0], self._places[:, 1]] > 0
        foragers = np.array([player.position for player in self.low.players], dtype=np.int64)
        return {"fruits": np.where(growing[:, None], self._places, GONE).astype(np.int64), "foragers": foragers}
