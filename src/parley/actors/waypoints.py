"""The Actor of `house`: walks from middle to middle with a speed controller, and gives up where it gets no further."""

import math
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.worlds.house import DOORS, ROOMS
from parley.worlds.house_env import middle, place

SPEED = 1.5  # metres a second: slow enough that no swing carries it through a draught
GAIN = 3.0  # wished speed per metre of distance
STIFFNESS = 2.0  # force per missing metre a second
NEAR, CALM = 0.08, 0.4  # metres, metres a second: arrived
PATIENCE = 60  # actions without getting nearer
ADVANCE = 0.02  # metres that count as getting nearer
CORNER_AT = np.array([0.3, 0.3])  # metres from the middle


class WaypointActor:
    """Goes to a neighbouring room through its door; to the corner of its room where no door leads to the goal."""

    def begin(self, subgoal: str) -> None:
        """Take up "go to the {room}"."""
        goal = subgoal.removeprefix("go to the ")
        if goal not in ROOMS:
            raise BadInput(f"subgoal {subgoal!r} means nothing to the house's Actor; it knows: go to the {ROOMS}")
        self._goal = ROOMS.index(goal)
        self._ways: list[list[float]] | None = None

    def act(self, state: Any) -> np.ndarray | None:
        """Forces of the two motors, or None when it has arrived or given up."""
        x, y, speed_x, speed_y = state.tolist()
        if self._ways is None:
            self._ways, self._best, self._idle = self._plan(state), math.inf, 0
        away_x, away_y = self._ways[0][0] - x, self._ways[0][1] - y
        distance = math.hypot(away_x, away_y)
        if distance < NEAR and math.hypot(speed_x, speed_y) < CALM:
            self._ways = self._ways[1:]
            self._best, self._idle = math.inf, 0
            return self.act(state) if self._ways else None
        if distance < self._best - ADVANCE:
            self._best, self._idle = distance, 0
        elif self._idle == PATIENCE:
            return None
        else:
            self._idle += 1
        share = GAIN if distance * GAIN < SPEED else SPEED / distance
        return np.array((_limited(away_x * share - speed_x), _limited(away_y * share - speed_y)))

    def _plan(self, state: Any) -> list[list[float]]:
        room, off = place(np.asarray(state))
        own, goal = middle(room), middle(self._goal)
        if room == self._goal:
            return [own.tolist()]
        if (min(room, self._goal), max(room, self._goal)) not in DOORS:
            return [(own + CORNER_AT).tolist()]
        aside = np.abs(off[(goal - own) == 0]).max()
        return [own.tolist(), goal.tolist()] if aside > NEAR else [goal.tolist()]


def _limited(missing: float) -> float:
    """The force for a missing speed; in floats, since numpy takes longer over two numbers than the physics."""
    force = STIFFNESS * missing
    return 1.0 if force > 1.0 else -1.0 if force < -1.0 else force
