"""`house`: a robot goes from room to room in MuJoCo physics; locked doors and a draught are hidden.

Latents (up to 32): which of the 12 doors are locked, and which doorway has a draught so strong that nobody passes
against it. There are `locks` sets of locked doors, 1 to 8; each leaves every room within reach. There are `draughts`
doorways that may have the draught, 1 to 4. Prior: the first set of locked doors has probability `usual`, the others
share the rest; draughts are equally likely.

Subgoals (9): "go to the {room}". Instructions (8): "come to the {room}", every room but the hall, where episodes begin.
Horizon 8. Every step that ends with the robot newly in the called room, or still in its middle, pays 0.1. A robot that
arrives with the k-th step and stays has 0.9 - k/10 in the end.

Low level: PointMaze of gymnasium-robotics, 9 rooms of one cell, doors of one cell. Locked doors are walls. In the
doorway with the draught a force of 130 N along its axis drives the robot (whose motors have 100 N) back. Normal noise
of standard deviation `noise` is added to every action. The Actor (`actor.py`) walks to the room if it is the next one,
and gives up where it gets no further. If no door leads to the room, it goes into the corner of the room it is in.

The planner sees which room it is in, whether it stands in the corner, and at which door it is stuck (not why).

Tables: an abstract model of 42 states (9 rooms: middle, corner, stuck at each door), deterministic for each latent;
`parley world verify house` holds it against the physics.

Why: the usual house has a long way round. Who imitates its inhabitants never tries the doors that are usually locked.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.worlds.kit.tabular.rules import Family, tables_of

ROOMS = ("hall", "study", "library", "kitchen", "lounge", "nursery", "pantry", "cellar", "workshop")
SIDE = 3  # rooms a row
DOORS = tuple(
    (a, b) for a, b in product(range(9), range(9)) if b == a + SIDE or (b == a + 1 and b % SIDE)
)  # pairs of neighbours
HEADINGS = ((-1, 0), (1, 0), (0, -1), (0, 1))  # (rows down, columns right)


def door(a: str, b: str) -> tuple[int, int]:
    """The door between two neighbouring rooms, as it stands in `DOORS`."""
    i, j = sorted((ROOMS.index(a), ROOMS.index(b)))
    return DOORS[DOORS.index((i, j))]


LOCKED = (
    (door("hall", "study"), door("lounge", "cellar")),
    (door("lounge", "cellar"),),
    (door("hall", "study"), door("kitchen", "pantry"), door("nursery", "workshop")),
    (door("study", "library"), door("kitchen", "pantry")),
    (door("hall", "kitchen"), door("lounge", "nursery")),
    (door("hall", "study"), door("study", "lounge"), door("lounge", "cellar")),
    (door("library", "nursery"), door("kitchen", "lounge"), door("lounge", "cellar")),
    (door("hall", "kitchen"), door("study", "lounge"), door("kitchen", "pantry")),
)
# The way from the first room to the second goes against the draught.
AGAINST = tuple(
    (ROOMS.index(a), ROOMS.index(b))
    for a, b in (("study", "lounge"), ("kitchen", "pantry"), ("lounge", "nursery"), ("nursery", "workshop"))
)
MIDDLE, CORNER = "middle", "corner"


@dataclass(frozen=True)
class Plan:
    """One latent: the doors that are locked, and the way (from room, to room) that the draught closes."""

    locked: tuple[tuple[int, int], ...]
    against: tuple[int, int]

    def mechanism(self, room: int, goal: int) -> str:
        """Why a walk from `room` to `goal` ends as it does."""
        pair = (min(room, goal), max(room, goal))
        if room == goal:
            return "it is there already"
        if pair not in DOORS:
            return "no door leads there"
        if pair in self.locked:
            return "a locked door stops it"
        if (room, goal) == self.against:
            return "the draught drives it back"
        return "it passes with the draught" if (goal, room) == self.against else "it passes an open door"

    def after(self, room: int, goal: int) -> tuple[int, str]:
        """The room and the posture (middle, corner, or the name of the room at whose door it is stuck)."""
        mechanism = self.mechanism(room, goal)
        if mechanism == "no door leads there":
            return room, CORNER
        stuck = mechanism in ("a locked door stops it", "the draught drives it back")
        return (room, ROOMS[goal]) if stuck else (goal, MIDDLE)

    def __str__(self) -> str:
        doors = ", ".join(f"{ROOMS[a]}|{ROOMS[b]}" for a, b in self.locked)
        return f"locked: {doors}; draught against {ROOMS[self.against[0]]} to {ROOMS[self.against[1]]}"


@dataclass(frozen=True)
class Mansion:
    """The settings of a house."""

    usual: float = 0.5
    locks: int = 8
    draughts: int = 4
    horizon: int = 8
    noise: float = 0.2

    def __post_init__(self) -> None:
        for name, most in (("locks", len(LOCKED)), ("draughts", len(AGAINST))):
            if not 1 <= getattr(self, name) <= most:
                raise BadInput(f"house: {name}={getattr(self, name)}: expected a number from 1 to {most}")
        if not 0 < self.usual < 1:
            raise BadInput(f"house: usual={self.usual}: expected a probability strictly between 0 and 1")
        if self.horizon < 1:
            raise BadInput(f"house: horizon={self.horizon}: expected at least 1")
        if not 0 <= self.noise <= 2:
            raise BadInput(f"house: noise={self.noise}: expected a standard deviation from 0 to 2")

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """The latents."""
        return tuple(Plan(*z) for z in product(LOCKED[: self.locks], AGAINST[: self.draughts]))

    @property
    def prior(self) -> np.ndarray:
        rest = (1 - self.usual) / max(self.locks - 1, 1)
        sets = np.array([self.usual if self.locks > 1 else 1.0, *[rest] * (self.locks - 1)])
        return np.repeat(sets / self.draughts, self.draughts)


def neighbour(room: int, heading: tuple[int, int]) -> int | None:
    """The next room in a direction, where there is one."""
    row, column = room // SIDE + heading[0], room % SIDE + heading[1]
    return row * SIDE + column if 0 <= row < SIDE and 0 <= column < SIDE else None


def neighbours(room: int) -> list[int]:
    """The next rooms, in the order of `HEADINGS`."""
    return [near for heading in HEADINGS if (near := neighbour(room, heading)) is not None]


def postures() -> tuple[tuple[int, str], ...]:
    """Room and posture of every state, in the order of the tables."""
    rooms = range(len(ROOMS))
    return tuple((r, p) for r in rooms for p in (MIDDLE, CORNER, *(ROOMS[near] for near in neighbours(r))))


def sentence(room: int, posture: str) -> str:
    """What the Reporter says.

    >>> sentence(0, "kitchen")
    'you are in the hall, stuck at the door to the kitchen'
    """
    if posture == CORNER:
        return f"you are in a corner of the {ROOMS[room]}"
    return f"you are in the {ROOMS[room]}" + (f", stuck at the door to the {posture}" if posture != MIDDLE else "")


def mansion_tables(mansion: Mansion) -> Tables:
    """The tables of the subgoal process."""
    arrived = {sentence(goal, MIDDLE): goal - 1 for goal in range(1, len(ROOMS))}
    menu = tuple(f"go to the {room}" for room in ROOMS)
    goals = {subgoal: room for room, subgoal in enumerate(menu)}
    family = Family(
        states=tuple(sentence(*state) for state in postures()),
        secrets=mansion.plans,
        begins=sentence(0, MIDDLE),
        after=lambda plan, state, subgoal: sentence(*plan.after(ROOM_OF[state], goals[subgoal])),
        says=lambda plan, state: state,
        pays=lambda said: 0.1 * np.array([np.arange(len(ROOMS) - 1) == arrived.get(words, -1) for words in said]),
    )
    return tables_of(
        family,
        (menu,),
        name="house",
        horizon=mansion.horizon,
        latents=tuple(map(str, mansion.plans)),
        instructions=tuple(f"come to the {room}" for room in ROOMS[1:]),
        prior=mansion.prior,
        doc=__doc__ or "",
    )


ROOM_OF = {sentence(*state): state[0] for state in postures()}
