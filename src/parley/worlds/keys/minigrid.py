"""The MiniGrid below `keys` (needs the extra `minigrid`): imported by `keys_env` only when a world is made."""

from typing import Any

from minigrid.core.grid import Grid
from minigrid.core.mission import MissionSpace
from minigrid.core.world_object import Ball, Door, Key
from minigrid.minigrid_env import MiniGridEnv

from parley.worlds.keys.tables import COLOURS

WIDTH, HEIGHT = 19, 13
CORNERS = {"hall": (7, 7), "west room": (1, 7), "north room": (7, 1), "vault": (13, 7)}  # of rooms of 5 x 5 cells
OPENINGS = ((6, 9), (9, 6))  # hall to west room, hall to north room
DOOR = (12, 9)
ENTRIES = {"hall": (9, 9), "west room": (5, 9), "north room": (9, 5), "vault": (13, 9)}
KEY_CELLS = ((7, 7), (11, 7), (7, 11), (11, 11))


class GreyDoor(Door):
    """Is opened by the key of one colour, whatever its own; once open it stays open."""

    def __init__(self, fits: str) -> None:
        super().__init__("grey")
        self.fits, self.is_locked, self.is_open = fits, True, False

    def toggle(self, env: Any, pos: Any) -> bool:
        if self.is_locked and isinstance(env.carrying, Key) and env.carrying.color == self.fits:
            self.is_locked, self.is_open = False, True
        return self.is_open


class KeysMiniGrid(MiniGridEnv):
    """The four rooms; everything but the secret is drawn anew at each reset."""

    def __init__(self, secret: tuple[str, str]) -> None:
        self.secret = secret
        mission = MissionSpace(mission_func=lambda: "keys")
        super().__init__(mission, width=WIDTH, height=HEIGHT, max_steps=10**9)

    def _gen_grid(self, width: int, height: int) -> None:
        self.grid = Grid(width, height)
        for x, y in CORNERS.values():
            self.grid.wall_rect(x - 1, y - 1, 7, 7)
        for x, y in OPENINGS:
            self.grid.set(x, y, None)
        self.put_obj(GreyDoor(self.secret[0]), *DOOR)
        cells = [KEY_CELLS[i] for i in self.np_random.permutation(len(KEY_CELLS))]
        for colour, cell in zip(COLOURS, cells, strict=False):
            self.put_obj(Key(colour), *cell)
        corner, entry = CORNERS[self.secret[1]], ENTRIES[self.secret[1]]
        free = [
            (corner[0] + i, corner[1] + j)
            for i in range(5)
            for j in range(5)
            if abs(corner[0] + i - entry[0]) + abs(corner[1] + j - entry[1]) > 1  # nobody stands before it by chance
        ]
        self.put_obj(Ball("red"), *free[int(self.np_random.integers(len(free)))])
        self.place_agent((8, 8), (3, 3))
        self.mission = "keys"
