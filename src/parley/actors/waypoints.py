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
        self._ways: list[np.ndarray] | None = None

    def act(self, state: Any) -> np.ndarray | None:
        """Forces of the two motors, or None when it has arrived or given up."""
        if self._ways is None:
            self._ways = self._plan(state)
            self._best, self._idle = np.inf, 0
        here, speed = np.asarray(state[:2]), np.asarray(state[2:4])
        away = self._ways[0] - here
        distance = math.hypot(*away)
        if distance < NEAR and math.hypot(*speed) < CALM:
            self._ways = self._ways[1:]
            if not self._ways:
                return None
            self._best, self._idle = np.inf, 0
            away = self._ways[0] - here
            distance = math.hypot(*away)
        self._idle = 0 if distance < self._best - ADVANCE else self._idle + 1
        self._best = min(self._best, distance) if self._idle == 0 else self._best
        if self._idle > PATIENCE:
            return None
        wished = away * min(GAIN, SPEED / max(distance, 1e-9))
        return np.clip(STIFFNESS * (wished - speed), -1, 1)

    def _plan(self, state: Any) -> list[np.ndarray]:
        room, off = place(np.asarray(state))
        own, goal = middle(room), middle(self._goal)
        if room == self._goal:
            return [own]
        if (min(room, self._goal), max(room, self._goal)) not in DOORS:
            return [own + CORNER_AT]
        aside = np.abs(off[(goal - own) == 0]).max()
        return [own, goal] if aside > NEAR else [goal]
