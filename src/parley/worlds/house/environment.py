"""The low level of `house`: PointMaze (gymnasium-robotics) with doors that may be locked, and a draught."""

import os
import tempfile
import threading
from typing import Any

import gymnasium as gym
import numpy as np

from parley.worlds.house.picture import picture
from parley.worlds.house.tables import DOORS, ROOMS, SIDE, Mansion, Plan
from parley.worlds.kit.graphics import importing_mujoco

CELLS = 2 * SIDE + 1
DRAUGHT_N = 130.0  # the robot's motors have 100 N
START_SPREAD = 0.1  # metres to either side of the middle of the hall
_TEMPORARY = threading.Lock()


class HouseMaze(gym.Env[np.ndarray, np.ndarray]):
    """One low-level action a step: the forces of two motors, each in [-1, 1] (100 N); 100 steps a second.

    A raw state is (x, y, speed along x, along y), in metres and metres a second. The rooms' middles are 2 m apart, and
    the lounge's is the origin; y points from the cellar to the study. There is no reward at this level and no end.
    Doors and draught are those of `plan`, for good.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}

    render_mode = "rgb_array"  # needs no GL

    def __init__(self, mansion: Mansion, plan: Plan) -> None:
        self.mansion, self.plan = mansion, plan
        self.maze = _point_maze()
        self.action_space = self.maze.action_space
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (4,), np.float64)
        self._particle = self.maze.model.body("particle").id
        for a, b in DOORS:
            self._set_wall(_door_cell(a, b), (a, b) in plan.locked)
        start, goal = (np.array(middle(room)) for room in plan.against)
        self._draughty = ((start + goal) / 2).tolist()  # the middle of its cell, 1 m wide
        self._force = DRAUGHT_N * (start - goal) / 2  # the middles are 2 m apart

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin near the middle of the hall, at rest."""
        super().reset(seed=seed)
        inner = int(self.np_random.integers(2**31))
        hall = np.array([1, 1])
        raw, _ = self.maze.reset(seed=inner, options={"reset_cell": hall, "goal_cell": hall})
        self._raw = raw["observation"]
        return self._raw.copy(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """A hundredth of a second."""
        x, y = self._raw[:2].tolist()
        blown = max(abs(x - self._draughty[0]), abs(y - self._draughty[1])) < 0.5
        self.maze.data.xfrc_applied[self._particle, :2] = self._force if blown else 0.0
        noise = self.mansion.noise * self.np_random.standard_normal(2)
        # The point itself: the maze around it would only work out the distance to a goal that nobody has.
        self._raw, *_ = self.maze.point_env.step(np.asarray(action, dtype=float) + noise)
        return self._raw.copy(), 0.0, False, False, {}

    def render(self) -> Any:
        """A picture from above."""
        return picture(self.plan, self._raw)

    def close(self) -> None:
        self.maze.close()

    def _set_wall(self, cell: tuple[int, int], shut: bool) -> None:
        model = self.maze.model
        geom = model.geom(f"block_{cell[0]}_{cell[1]}").id
        model.geom_contype[geom] = model.geom_conaffinity[geom] = int(shut)
        model.geom_rgba[geom, 3] = 1.0 if shut else 0.1


def middle(room: int) -> tuple[float, float]:
    """The coordinates of the middle of a room."""
    return 2.0 * (room % SIDE) - 2, 2 - 2.0 * (room // SIDE)


def place(raw: np.ndarray) -> tuple[int, tuple[float, float]]:
    """The room whose middle is nearest, and how far from it the robot stands (metres along x and y)."""
    x, y = raw[:2].tolist()
    column, row = (min(max(round(v), 0), SIDE - 1) for v in ((x + 2) / 2, (2 - y) / 2))
    room = row * SIDE + column
    own_x, own_y = middle(room)
    return room, (x - own_x, y - own_y)


def _door_cell(a: int, b: int) -> tuple[int, int]:
    return 1 + a // SIDE + b // SIDE, 1 + a % SIDE + b % SIDE


def _point_maze() -> Any:
    """The maze with all doors as walls; what it writes into the directory for temporary files is taken away again."""
    with importing_mujoco("house"):
        from gymnasium_robotics.envs.maze.point_maze import PointMazeEnv
    cells: list[list[Any]] = [[1] * CELLS for _ in range(CELLS)]
    for room in range(len(ROOMS)):
        cells[1 + 2 * (room // SIDE)][1 + 2 * (room % SIDE)] = 0
    cells[1][1] = "c"
    with _TEMPORARY, tempfile.TemporaryDirectory() as own:
        before, tempfile.tempdir = tempfile.tempdir, own  # its file is named by the clock: two at once would collide
        try:
            maze = PointMazeEnv(cells, continuing_task=True, reset_target=False)
        finally:
            tempfile.tempdir = before
        if os.path.exists(maze.tmp_xml_file_path):
            os.unlink(maze.tmp_xml_file_path)
    maze.position_noise_range = START_SPREAD
    return maze
