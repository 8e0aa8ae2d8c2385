"""The low level of `keys` as a Gymnasium environment whose raw states hold no secret that the robot could not sense."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np

from parley.core.errors import MissingExtra
from parley.worlds.keys.tables import Rules

LEFT, RIGHT, FORWARD, PICK_UP, DROP, TOGGLE, NOTHING = range(7)  # the actions of MiniGrid
CELL_TYPES = {"empty": 1, "wall": 2, "door": 4, "key": 5, "ball": 6}  # as MiniGrid encodes them
CELL_COLOURS = {"red": 0, "green": 1, "blue": 2, "grey": 5}
SHUT, OPEN = 2, 0  # the door
VIEW = 7  # cells ahead and across that the robot sees


class KeysGrid(gym.Env[dict[str, Any], int]):
    """One action of MiniGrid a step; with probability `slip` it does nothing.

    A raw state has `grid`, (19, 13, 3): type, colour and state of every cell. `agent` holds x, y and direction (0 east,
    1 south, 2 west, 3 north). `held` is the colour of the key in hand, or -1. None of them tells which key fits. With
    `view=partial` it has `image` too, (7, 7, 3): MiniGrid's standard view, with the robot in the middle of the last
    row.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}
    render_mode = "rgb_array"

    def __init__(self, rules: Rules, secret: tuple[str, str]) -> None:
        try:
            from parley.worlds.keys.minigrid import HEIGHT, WIDTH, KeysMiniGrid
        except ImportError:
            raise MissingExtra("world 'keys'", "minigrid") from None
        self.rules = rules
        self.mini = KeysMiniGrid(secret)
        self._slips: int | None = None  # the action that surely does
        self.action_space = gym.spaces.Discrete(NOTHING + 1)
        spaces: dict[str, gym.Space[Any]] = {
            "grid": gym.spaces.Box(0, 255, (WIDTH, HEIGHT, 3), np.uint8),
            "agent": gym.spaces.MultiDiscrete([WIDTH, HEIGHT, 4]),
            "held": gym.spaces.Discrete(7, start=-1),
        }
        if rules.view == "partial":
            spaces["image"] = gym.spaces.Box(0, 255, (VIEW, VIEW, 3), np.uint8)
        self.observation_space = gym.spaces.Dict(spaces)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin in the hall, keys in its corners, the door shut."""
        super().reset(seed=seed)
        self.mini.reset(seed=int(self.np_random.integers(2**31)))
        self._grid = self.mini.grid.encode()
        return self._raw(), {}

    def step(self, action: int) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Carry out one action, or nothing."""
        if self.np_random.random() >= self.rules.slip and action != self._slips:
            self.mini.step(self.mini.actions(int(action)))
            if action in (PICK_UP, DROP, TOGGLE):
                self._grid = self.mini.grid.encode()
        return self._raw(), 0.0, False, False, {}

    @contextmanager
    def stuck(self) -> Iterator[None]:
        """Toggling always slips: everything is then distributed as if the Actor gives up before toggling has worked."""
        self._slips = TOGGLE
        try:
            yield
        finally:
            self._slips = None

    def render(self) -> Any:
        """A picture from above."""
        return self.mini.get_frame(highlight=False, tile_size=16)

    def close(self) -> None:
        self.mini.close()

    def _raw(self) -> dict[str, Any]:
        held = self.mini.carrying
        x, y = (int(v) for v in self.mini.agent_pos)
        raw = {
            "grid": self._grid.copy(),
            "agent": np.array([x, y, int(self.mini.agent_dir)]),
            "held": -1 if held is None else CELL_COLOURS[held.color],
        }
        return {**raw, "image": self.mini.gen_obs()["image"]} if self.rules.view == "partial" else raw
