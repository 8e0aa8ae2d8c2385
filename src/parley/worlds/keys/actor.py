"""The Actor of `keys`: shortest ways on the grid by breadth-first search, then one act on the cell ahead."""

from collections import deque
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.worlds.keys.environment import CELL_COLOURS, CELL_TYPES, DROP, FORWARD, LEFT, OPEN, PICK_UP, RIGHT, TOGGLE
from parley.worlds.keys.tables import MENU, TRIES

Pose = tuple[int, int, int]
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # east, south, west, north
DOOR, DOOR_FRONT = (12, 9), (11, 9)
ENTRIES = {"west room": (5, 9), "north room": (9, 5), "vault": (13, 9)}
KEY_CELLS = ((7, 7), (11, 7), (7, 11), (11, 11))


class GridSearchActor:
    """Holds at most one key; ends where the subgoal is done or cannot be done."""

    def begin(self, subgoal: str) -> None:
        """Take up a subgoal of `keys.MENU`."""
        if subgoal not in MENU:
            raise BadInput(f"subgoal {subgoal!r} means nothing to the Actor of keys; it knows: {', '.join(MENU)}")
        self._subgoal, self._tried = subgoal, 0
        self._ways: dict[tuple[Any, ...], dict[Pose, int]] = {}

    def act(self, state: Any) -> int | None:
        """The next action of MiniGrid, or None when the subgoal is at its end."""
        if self._subgoal.startswith("pick up"):
            return self._fetch(state, CELL_COLOURS[self._subgoal.split()[3]])
        if self._subgoal == "open the grey door":
            return self._open(state)
        if self._subgoal == "go to the red ball":
            return self._to_the_ball(state)
        room = self._subgoal.removeprefix("go to the ")
        shut = state["grid"][DOOR][2] != OPEN
        return self._walk(state, DOOR_FRONT if room == "vault" and shut else ENTRIES[room], facing=False)

    def _fetch(self, state: Any, colour: int) -> int | None:
        if state["held"] == colour:
            return None
        if state["held"] >= 0:  # first the key in hand goes into a free corner
            free = next(cell for cell in KEY_CELLS if state["grid"][cell][0] == CELL_TYPES["empty"])
            way = self._walk(state, free, facing=True)
            return DROP if way is None else way
        way = self._walk(state, _find(state, "key", colour), facing=True)
        return PICK_UP if way is None else way

    def _open(self, state: Any) -> int | None:
        if state["grid"][DOOR][2] == OPEN or self._tried == TRIES:
            return None
        way = self._walk(state, DOOR, facing=True)
        self._tried += way is None
        return TOGGLE if way is None else way

    def _to_the_ball(self, state: Any) -> int | None:
        ball = _find(state, "ball", CELL_COLOURS["red"])
        x, y, _ = state["agent"]
        same = _room(x, y) == _room(*ball)
        return self._walk(state, ball, facing=True) if same else None

    def _walk(self, state: Any, goal: tuple[int, int], facing: bool) -> int | None:
        """The next step towards `goal`, or towards standing before it; None on arrival."""
        key = (goal, facing, state["held"])
        if key not in self._ways:
            self._ways[key] = shortest_ways(state["grid"], goal, facing)
        x, y, direction = (int(v) for v in state["agent"])
        action = self._ways[key][x, y, direction]
        return None if action < 0 else action


def shortest_ways(grid: np.ndarray, goal: tuple[int, int], facing: bool) -> dict[Pose, int]:
    """The action that begins a shortest way from each pose; -1 at the end of the way.

    The way ends on `goal`, or before it with the face towards it.
    """
    types, states = grid[:, :, 0], grid[:, :, 2]
    free = (types == CELL_TYPES["empty"]) | ((types == CELL_TYPES["door"]) & (states == OPEN))
    if facing:
        ends = [(goal[0] - dx, goal[1] - dy, d) for d, (dx, dy) in enumerate(STEPS) if free[goal[0] - dx, goal[1] - dy]]
    else:
        ends = [(*goal, d) for d in range(4)]
    ways: dict[Pose, int] = dict.fromkeys(ends, -1)
    waiting = deque(ends)
    while waiting:
        x, y, d = waiting.popleft()
        dx, dy = STEPS[d]
        # Poses from which one action leads here: turned from either side, or walked one cell.
        before = [((x, y, (d + 1) % 4), LEFT), ((x, y, (d - 1) % 4), RIGHT)]
        if free[x - dx, y - dy]:
            before.append(((x - dx, y - dy, d), FORWARD))
        for pose, action in before:
            if pose not in ways:
                ways[pose] = action
                waiting.append(pose)
    return ways


def _find(state: Any, kind: str, colour: int) -> tuple[int, int]:
    grid = state["grid"]
    found = np.argwhere((grid[:, :, 0] == CELL_TYPES[kind]) & (grid[:, :, 1] == colour))
    return int(found[0][0]), int(found[0][1])


def _room(x: int, y: int) -> tuple[int, int]:
    return int(x) // 6, int(y) // 6
