"""The Actor of `household`: walks the shortest way, grips until it holds, and never takes more than H_a actions."""

from typing import Any

from parley.core.errors import BadInput
from parley.worlds.household.environment import CARRY_BACK, GRIP, IN_HAND, RELEASE, within_reach
from parley.worlds.household.tables import MENU, PLACES, SOFA, House


class GridActor:
    """Follows the optimal policy for the subgoal (value iteration, `House.ways`) for at most `max_actions` actions.

    With one action left and the goal not reached it has itself carried back to the dock.
    """

    def __init__(self, house: House) -> None:
        self.house = house

    def begin(self, subgoal: str) -> None:
        """Take up a subgoal of `household.MENU`."""
        if subgoal not in MENU:
            raise BadInput(f"subgoal {subgoal!r} means nothing to the household's Actor; it knows: {', '.join(MENU)}")
        self._subgoal = MENU.index(subgoal)
        self._used = 0
        self._over = False

    def act(self, state: Any) -> int | None:
        """The next low-level action from the raw state of `HouseholdGrid`, or None when the subgoal is at its end."""
        action = None if self._over else self._next(state)
        if action is not None:
            self._used += 1
        return action

    def _next(self, state: Any) -> int | None:
        thing = self._subgoal - len(PLACES)
        if 0 <= thing < len(MENU) - len(PLACES) - 1:
            return self._grip(state, thing)
        goal, cell = min(self._subgoal, SOFA), int(state[0])
        if cell != self.house.cells[goal]:
            return self._unless_late(int(self.house.ways[goal][cell]))
        self._over = True
        return RELEASE if goal == SOFA else None

    def _grip(self, state: Any, thing: int) -> int | None:
        if state[1 + thing] == IN_HAND:
            return None
        if within_reach(self.house, state, thing):
            return self._unless_late(GRIP + thing)
        self._over = True  # one attempt in vain tells that there is nothing to grip
        return GRIP + thing

    def _unless_late(self, action: int) -> int:
        self._over = self._used == self.house.max_actions - 1
        return CARRY_BACK if self._over else action
