"""The Actor of `house`: walks from middle to middle with a speed controller, and gives up where it gets no further."""

from math import hypot, inf
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.worlds.house.environment import middle, place
from parley.worlds.house.tables import DOORS, ROOMS

SPEED = 1.5  # metres a second: slow enough that no swing carries it through a draught
GAIN = 3.0  # wished speed per metre of distance
STIFFNESS = 2.0  # force per missing metre a second
NEAR, CALM = 0.08, 0.4  # metres, metres a second: arrived
PATIENCE = 60  # actions without getting nearer
ADVANCE = 0.02  # metres that count as getting nearer
CORNER_AT = 0.3  # metres from the middle, along x and y


class WaypointActor:
    """Goes to a neighbouring room through its door; to the corner of its room where no door leads to the goal."""

    def begin(self, subgoal: str) -> None:
        """Take up "go to the {room}"."""
        goal = subgoal.removeprefix("go to the ")
        if goal not in ROOMS:
            raise BadInput(f"subgoal {subgoal!r} means nothing to the house's Actor; it knows: go to the {ROOMS}")
        self._goal = ROOMS.index(goal)
        self._ways: list[tuple[float, float]] | None = None
        self._mark, self._idle = inf, 0

    def act(self, state: Any) -> np.ndarray | None:
        """Forces of the two motors, or None when it has arrived or given up."""
        x, y, speed_x, speed_y = state.tolist()
        if self._ways is None:
            self._next(self._plan(state))
        away_x, away_y = self._x - x, self._y - y
        distance = hypot(away_x, away_y)
        if distance < NEAR and hypot(speed_x, speed_y) < CALM:
            if not self._ways:
                return None
            self._next(self._ways)
            return self.act(state)
        if distance < self._mark:
            self._mark, self._idle = distance - ADVANCE, 0
        elif self._idle == PATIENCE:
            return None
        else:
            self._idle += 1
        share = GAIN if distance * GAIN < SPEED else SPEED / distance
        # In floats, written out: in numpy these few numbers would take as long as a step of physics.
        force_x, force_y = STIFFNESS * (away_x * share - speed_x), STIFFNESS * (away_y * share - speed_y)
        forces = np.empty(2)
        forces[0] = 1.0 if force_x > 1.0 else -1.0 if force_x < -1.0 else force_x
        forces[1] = 1.0 if force_y > 1.0 else -1.0 if force_y < -1.0 else force_y
        return forces

    @property
    def way(self) -> tuple[float, float]:
        """The point to which it is on its way, x and y in metres; after `act`."""
        return self._x, self._y

    def _next(self, ways: list[tuple[float, float]]) -> None:
        """Take up the first of these waypoints; a distance below `_mark` counts as nearer than before."""
        (self._x, self._y), *self._ways = ways
        self._mark, self._idle = inf, 0

    def _plan(self, state: Any) -> list[tuple[float, float]]:
        room, (off_x, off_y) = place(np.asarray(state))
        own, goal = middle(room), middle(self._goal)
        if room == self._goal:
            return [own]
        if (min(room, self._goal), max(room, self._goal)) not in DOORS:
            return [(own[0] + CORNER_AT, own[1] + CORNER_AT)]
        aside = abs(off_x if own[0] == goal[0] else off_y)
        return [own, goal] if aside > NEAR else [goal]
