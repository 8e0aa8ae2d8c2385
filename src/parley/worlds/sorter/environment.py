"""The low level of `sorter` as a Gymnasium environment: the arm, the blocks, and mats that drive blocks off."""

from typing import Any

import gymnasium as gym
import numpy as np

from parley.worlds.kit.graphics import importing_mujoco
from parley.worlds.sorter.layout import MAT_AT, beside, on_mat
from parley.worlds.sorter.picture import picture
from parley.worlds.sorter.tables import COLOURS, TABLE, Places, Rules

FORCE_N = 40.0  # the most with which a mat drives a block off
SPEED, SLOWER = 0.3, 6.0  # metres a second; and a second, per metre that is left
DRIVE = 400.0  # newtons per missing metre a second
ARRIVED = 0.02  # metres from the place beside the mat: friction does the rest
SPREAD, TURN = 0.01, 0.2  # metres and radians to either side of where a block begins


class Arm(gym.Env[dict[str, np.ndarray], np.ndarray]):
    """One low-level action a step: (x, y, z) of the grip in units of 5 cm, and the fingers; 25 a second.

    A raw state has `arm`, (10,), as FetchReach observes it (places in metres; speeds in metres a step), and `blocks`,
    (3, 6): places and speeds. There is no reward at this level and no end.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}
    render_mode = "rgb_array"  # needs no GL

    def __init__(self, fetch: Any, noise: float, mats: np.ndarray, **more: gym.Space[Any]) -> None:
        self.fetch, self._noise, self._mats = fetch, noise, mats
        self.action_space = gym.spaces.Box(-1, 1, (4,), np.float32)
        self.observation_space = gym.spaces.Dict(
            arm=gym.spaces.Box(-100, 100, (10,), np.float64),
            blocks=gym.spaces.Box(-100, 100, (len(COLOURS), 6), np.float64),
            **more,
        )

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """A twenty-fifth of a second."""
        noise = np.array([*(self._noise * self.np_random.standard_normal(3)), 0.0])
        self.fetch.command(np.asarray(action, dtype=float) + noise)
        self._notice()
        for _ in range(self.fetch.n_substeps):
            self._act()
            self.fetch.tick()
        return self._raw(), 0.0, False, False, {}

    def render(self) -> Any:
        """A picture from above."""
        return picture(self._raw(), self._mats)

    def close(self) -> None:
        self.fetch.close()

    def _notice(self) -> None:
        """What the table notices before an action."""

    def _act(self) -> None:
        """What the table does to the blocks meanwhile."""
        raise NotImplementedError

    def _raw(self) -> dict[str, np.ndarray]:
        return {"arm": self.fetch.arm(), "blocks": self.fetch.blocks()}


class SorterArm(Arm):
    """`plan` holds the mat that keeps each colour: the others drive it off."""

    def __init__(self, rules: Rules, plan: Places) -> None:
        super().__init__(make_fetch("sorter", rules.friction), rules.noise, MAT_AT)
        self.plan = plan

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Each block begins beside some mat."""
        super().reset(seed=seed)
        rng, colours = self.np_random, range(len(COLOURS))
        at = np.array([beside(colour, int(rng.integers(len(MAT_AT)))) for colour in colours])
        self.fetch.begin(at + rng.uniform(-SPREAD, SPREAD, at.shape), rng.uniform(-TURN, TURN, len(at)))
        self._driven: list[int] = [TABLE] * len(COLOURS)  # the mat that is driving each block off
        return self._raw(), {}

    def _notice(self) -> None:
        """Wrong mats begin to drive blocks off."""
        for colour, block in enumerate(self.fetch.blocks()):
            mat = on_mat(block)
            if mat not in (TABLE, self.plan[colour]):
                self._driven[colour] = mat

    def _act(self) -> None:
        """Blocks that are driven off go to the places beside the mats, and are let go there."""
        for colour, mat in enumerate(self._driven):
            if mat == TABLE:
                continue
            block, force = self.fetch.blocks()[colour], np.zeros(2)
            away = beside(colour, mat) - block[:2]
            left = float(np.hypot(*away))
            if left < ARRIVED:
                self._driven[colour] = TABLE
            else:
                force = DRIVE * (away * min(SLOWER, SPEED / left) - block[3:5])
                force *= min(1.0, FORCE_N / max(float(np.hypot(*force)), 1e-9))
            self.fetch.data.xfrc_applied[self.fetch.bodies[colour], :2] = force


def make_fetch(world: str, friction: float) -> Any:
    """The arm; raises `MissingExtra` where gymnasium-robotics or MuJoCo is not installed."""
    with importing_mujoco(world):
        from parley.worlds.sorter.fetch import SorterFetch
    return SorterFetch(friction)
