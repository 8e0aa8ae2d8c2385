"""The Actor of `forage`: leads three foragers to their fruits, one step of one of them at a time, then all load."""

from collections import deque
from itertools import permutations, product
from typing import Any

from parley.core.errors import BadInput
from parley.worlds.forage.environment import EAST, GONE, LOAD, NORTH, SIZE, SOUTH, STAND, WEST
from parley.worlds.forage.tables import ACTORS, MENU

Cell = tuple[int, int]
STEPS = {NORTH: (-1, 0), SOUTH: (1, 0), WEST: (0, -1), EAST: (0, 1)}
FAR = 10**6


class Foragers:
    """Takes up joint subgoals, parts joined by " / "; ends when all have loaded, or nobody can come nearer."""

    def begin(self, subgoal: str) -> None:
        """Take up one part for each forager."""
        parts = subgoal.split(" / ")
        if len(parts) != ACTORS or any(part not in MENU for part in parts):
            raise BadInput(
                f"subgoal {subgoal!r} means nothing to the foragers: expected {ACTORS} parts of {', '.join(MENU)}"
            )
        self._fruits = [MENU.index(part) for part in parts]
        self._plan: dict[int, Cell] | None = None
        self._loaded = False

    def act(self, state: Any) -> tuple[int, ...] | None:
        """The next actions of all foragers, or None when the subgoal is at its end."""
        fruits, places = ([(int(row), int(column)) for row, column in state[of]] for of in ("fruits", "foragers"))
        if self._plan is None:
            self._plan = self._choose(fruits, places)
        for i, goal in self._plan.items():  # one after the other
            if places[i] != goal:
                move = first_step(places[i], goal, _growing(fruits) | {p for j, p in enumerate(places) if j != i})
                return None if move is None else tuple(move if j == i else STAND for j in range(ACTORS))
        if self._loaded or not self._plan:
            return None
        self._loaded = True
        return tuple(LOAD if i in self._plan else STAND for i in range(ACTORS))

    def _choose(self, fruits: list[Cell], places: list[Cell]) -> dict[int, Cell]:
        """Different cells beside their fruits, as near as can be, and an order in which each can walk to its own.

        Foragers whose fruit is gone have none: they stand, and stand in the way.
        """
        sent = [i for i in range(ACTORS) if fruits[self._fruits[i]] in _growing(fruits)]
        reach = {i: distances(places[i], _growing(fruits)) for i in sent}
        beside = [[cell for cell in _around(fruits[self._fruits[i]]) if cell in reach[i]] for i in sent]
        chosen = [cells for cells in product(*beside) if len(set(cells)) == len(cells)]
        for cells in sorted(chosen, key=lambda cells: sum(reach[i][cell] for i, cell in zip(sent, cells, strict=True))):
            goals = dict(zip(sent, cells, strict=True))
            for order in permutations(sent):
                if _can_walk({i: goals[i] for i in order}, fruits, places):
                    return {i: goals[i] for i in order}
        return {}


def _growing(fruits: list[Cell]) -> set[Cell]:
    return {fruit for fruit in fruits if fruit[0] != GONE}


def _can_walk(plan: dict[int, Cell], fruits: list[Cell], places: list[Cell]) -> bool:
    """Whether each can walk to its cell in turn, the others standing where they stand then."""
    now = list(places)
    for i, goal in plan.items():
        if goal not in distances(now[i], _growing(fruits) | {p for j, p in enumerate(now) if j != i}):
            return False
        now[i] = goal
    return True


def _around(cell: Cell) -> list[Cell]:
    return [(cell[0] + dx, cell[1] + dy) for dx, dy in STEPS.values()]


def _inside(cell: Cell) -> bool:
    return 0 <= cell[0] < SIZE and 0 <= cell[1] < SIZE


def distances(start: Cell, blocked: set[Cell]) -> dict[Cell, int]:
    """Steps from `start` to every cell that can be reached around the `blocked` cells."""
    found, waiting = {start: 0}, deque([start])
    while waiting:
        cell = waiting.popleft()
        for then in _around(cell):
            if _inside(then) and then not in blocked and then not in found:
                found[then] = found[cell] + 1
                waiting.append(then)
    return found


def first_step(start: Cell, goal: Cell, blocked: set[Cell]) -> int | None:
    """The action that begins a shortest way; None if no way exists."""
    if goal in blocked:
        return None
    back = distances(goal, blocked - {start})
    near = [(back.get((start[0] + dx, start[1] + dy), FAR), move) for move, (dx, dy) in STEPS.items()]
    distance, move = min(near)
    return None if distance >= FAR else move
