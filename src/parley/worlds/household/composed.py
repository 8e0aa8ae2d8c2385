"""The kernel of whole subgoals that a cloned Actor makes of `household`: exact, by the low-level chain.

`ClonedActor` and the grid together are a chain over (cell, status of the things) of at most H_a actions. Its end is a
state of the tables. With the optimal Actor's probabilities the kernel is that of the tables.
"""

from itertools import product

import numpy as np
from jaxtyping import Float

from parley.worlds.household.environment import GRIP
from parley.worlds.household.tables import (
    DOCK,
    GONE,
    HELD,
    HOMES,
    KEPT,
    MENU,
    PLACES,
    SOFA,
    THINGS,
    House,
    Standing,
    standings,
)

COMBINATIONS = tuple(c for c in product((KEPT, HELD, GONE), repeat=len(THINGS)) if c.count(HELD) < 2)


def composed_kernel(house: House, law: Float[np.ndarray, "G C A"]) -> Float[np.ndarray, "Z S G S"]:
    """P_z(s' given s, g) under an Actor with action probabilities `law` (`ClonedPolicy.law`)."""
    number = {standing: i for i, standing in enumerate(standings())}
    kernel = np.zeros((len(HOMES), len(number), len(MENU), len(number)))
    for z, homes in enumerate(HOMES):
        for g in range(len(MENU)):
            chain = _Chain(house, homes, g, law[g], number)
            kernel[z, :, g] = chain.run()
    return kernel


class _Chain:
    """One subgoal of one latent, from all states at once: `alive` is (start, combination, cell)."""

    def __init__(
        self,
        house: House,
        homes: tuple[int, ...],
        subgoal: int,
        law: Float[np.ndarray, "C A"],
        number: dict[Standing, int],
    ) -> None:
        self.house, self.homes, self.number = house, homes, number
        self.law, self.taken = law, subgoal - len(PLACES)
        self.goal = None if 0 <= self.taken < len(THINGS) else house.cells[min(subgoal, SOFA)]
        self.walk = np.einsum("ca,acd->cd", law[:, :GRIP], house.grid.law)
        self.alive = np.zeros((len(number), len(COMBINATIONS), len(house.grid.cells)))
        for standing, i in number.items():
            self.alive[i, COMBINATIONS.index(standing.things), house.cells[standing.place]] = 1
        self.ended = np.zeros((len(number), len(number)))

    def run(self) -> Float[np.ndarray, "S S"]:
        for _ in range(self.house.max_actions - 1):
            self._reach()
            self._act()
        self._reach()
        for c in range(len(COMBINATIONS)):
            self._carry_back(c, self.alive[:, c].sum(axis=1))
        return self.ended

    def _reach(self) -> None:
        """End subgoals that have come so far: thing in the hand, or goal reached (at the sofa the hand opens)."""
        for c, things in enumerate(COMBINATIONS):
            if self.goal is None:
                if things[self.taken] == HELD:
                    self._stop(c, self.alive[:, c])
                    self.alive[:, c] = 0
                continue
            there = self.alive[:, c, self.goal].copy()
            self.alive[:, c, self.goal] = 0
            if self.goal == self.house.cells[SOFA] and HELD in things:
                handed = things.index(HELD)
                now = tuple(GONE if i == handed else status for i, status in enumerate(things))
                self._end(Standing(SOFA, now, handed), there)  # type: ignore[arg-type]
            else:
                self._end(Standing(self.house.cells.index(self.goal), things), there)  # type: ignore[arg-type]

    def _act(self) -> None:
        """One action: a move, a grip of what lies here (it may fail), or a grip in vain, which ends the subgoal."""
        after = self.alive @ self.walk
        for c, things in enumerate(COMBINATIONS):
            vain = self.alive[:, c, None] * self.law[:, GRIP : GRIP + len(THINGS)].T  # start, thing, cell
            for thing, status in enumerate(things):
                if HELD not in things and status == KEPT:
                    cell = self.house.cells[self.homes[thing]]
                    tried = vain[:, thing, cell].copy()
                    vain[:, thing, cell] = 0
                    held = tuple(HELD if i == thing else other for i, other in enumerate(things))
                    after[:, COMBINATIONS.index(held), cell] += self.house.grip * tried
                    after[:, c, cell] += (1 - self.house.grip) * tried
            self._stop(c, vain.sum(axis=1))
        self.alive = after

    def _stop(self, c: int, mass: Float[np.ndarray, "S C"]) -> None:
        """End here where the robot may stand (at a place, and not at the sofa with a full hand), else at the dock."""
        left = mass.sum(axis=1)
        for place, cell in enumerate(self.house.cells):
            if not (place == SOFA and HELD in COMBINATIONS[c]):
                self._end(Standing(place, COMBINATIONS[c]), mass[:, cell])  # type: ignore[arg-type]
                left = left - mass[:, cell]
        self._carry_back(c, left)

    def _carry_back(self, c: int, mass: Float[np.ndarray, " S"]) -> None:
        self._end(Standing(DOCK, COMBINATIONS[c]), mass)  # type: ignore[arg-type]

    def _end(self, standing: Standing, mass: Float[np.ndarray, " S"]) -> None:
        self.ended[:, self.number[standing]] += mass
