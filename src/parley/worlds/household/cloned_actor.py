"""An Actor of `household` cloned from demonstrations, some of them optimal and the rest at random (He et al. 2024, 2).

A demonstration is one subgoal, from a cell drawn at random. An optimal one acts as `GridActor` does; any other draws
every action uniformly. A context is (subgoal, cell). There the clone plays each action with its share in the
demonstrations of that context (the maximum-likelihood policy). In a context never seen it is uniform.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.worlds.household.environment import CARRY_BACK, GRIP, IN_HAND, RELEASE, within_reach
from parley.worlds.household.tables import MENU, PLACES, SOFA, House
from parley.worlds.kit import learned

FORMAT = "parley-actor/1"
MEASURE = "total variation to the optimal Actor"
NUM_ACTIONS = RELEASE  # four headings and the grips: what a demonstrator chooses among; how a subgoal ends is a rule
TAKES = range(len(PLACES), len(MENU) - 1)  # subgoals that grip


@dataclass(frozen=True)
class ClonedPolicy:
    """Probabilities of low-level actions in every context, and their source: the demonstrations that they were cloned
    from.
    """

    about: dict[str, Any]
    law: Float[np.ndarray, "G C A"]

    def save(self, path: Path) -> None:
        """`actor.safetensors` and `actor.json` in the directory `path`."""
        learned.save(path, "actor", self.about, {"law": self.law})

    @classmethod
    def load(cls, path: Path) -> "ClonedPolicy":
        """Read a directory of `save`; raises `BadInput` that names the fault."""

        def wrong(about: dict[str, Any], kept: Mapping[str, Any]) -> str:
            law, shape = kept["law"], (len(MENU), len(House().grid.cells), NUM_ACTIONS)
            fits = about["format"] == FORMAT and law.shape == shape and np.allclose(law.sum(axis=2), 1)
            return "" if fits else f"expected the format {FORMAT!r} and probabilities of shape {shape}"

        about, kept = learned.load(path, "actor", "cloned Actor", wrong)
        return cls(about, kept["law"])


class ClonedActor:
    """Draws low-level actions from cloned probabilities; a subgoal ends by the same rules as for `GridActor`.

    With one action left, or where a grip in vain ends a subgoal away from any place, it is carried back to the dock.
    """

    def __init__(self, house: House, policy: ClonedPolicy) -> None:
        self.house, self.law = house, np.cumsum(policy.law, axis=2)
        self.rng = np.random.default_rng(0)

    def reseed(self, seed: int) -> None:
        """Begin an episode whose actions are a function of `seed`."""
        self.rng = np.random.default_rng(seed)

    def begin(self, subgoal: str) -> None:
        """Take up a subgoal of `household.MENU`."""
        if subgoal not in MENU:
            raise BadInput(f"subgoal {subgoal!r} means nothing to the household's Actor; it knows: {', '.join(MENU)}")
        self._subgoal, self._used = MENU.index(subgoal), 0
        self._over = False

    def act(self, state: Any) -> int | None:
        """The next low-level action from the raw state of `HouseholdGrid`, or None when the subgoal is at its end."""
        cell, thing = int(state[0]), self._subgoal - len(PLACES)
        full = IN_HAND in (state[1], state[2])
        stands = cell in self.house.cells and not (full and cell == self.house.cells[SOFA])  # nobody idles there, full
        if self._over or (self._subgoal in TAKES and state[1 + thing] == IN_HAND):
            return None if stands else self._carried_back()
        goal = min(self._subgoal, SOFA)
        if self._subgoal not in TAKES and cell == self.house.cells[goal]:
            self._over = True
            return RELEASE if goal == SOFA else None
        if self._used >= self.house.max_actions - 1:
            return self._carried_back()
        self._used += 1
        action = int((self.law[self._subgoal, cell] <= self.rng.random()).sum())
        action = min(action, NUM_ACTIONS - 1)
        self._over = action >= GRIP and not within_reach(self.house, state, action - GRIP)
        return action

    def _carried_back(self) -> int:
        self._over = True
        return CARRY_BACK


def optimal_law(house: House) -> Float[np.ndarray, "G C A"]:
    """What `GridActor` does in every context where the subgoal is not at its end; a take is a grip wherever it is."""
    law = np.zeros((len(MENU), len(house.grid.cells), NUM_ACTIONS))
    for subgoal in range(len(MENU)):
        for cell in range(len(house.grid.cells)):
            take = subgoal in TAKES
            action = GRIP + subgoal - len(PLACES) if take else int(house.ways[min(subgoal, SOFA)][cell])
            law[subgoal, cell, action] = 1
    return law


@lru_cache(maxsize=32)
def clone(house: House, share: float, demonstrations: int = 2_000, seed: int = 0) -> ClonedPolicy:
    """Clone from so many demonstrations, a `share` of them optimal; `about` holds the Actor's error."""
    if not 0 <= share <= 1:
        raise BadInput(f"actor: share={share}: expected the share of optimal demonstrations, between 0 and 1")
    if demonstrations < 1:
        raise BadInput(f"actor: demonstrations={demonstrations}: expected at least 1")
    rng, best, grid = np.random.default_rng(seed), optimal_law(house), house.grid.law
    counts = np.zeros(best.shape)
    for _ in range(demonstrations):
        subgoal, cell = int(rng.integers(len(MENU))), int(rng.integers(len(house.grid.cells)))
        optimal = rng.random() < share
        for _ in range(house.max_actions - 1):
            if subgoal not in TAKES and cell == house.cells[min(subgoal, SOFA)]:
                break
            law = best[subgoal, cell] if optimal else np.full(NUM_ACTIONS, 1 / NUM_ACTIONS)
            action = int(rng.choice(NUM_ACTIONS, p=law))
            counts[subgoal, cell, action] += 1
            if action < GRIP:
                cell = int(rng.choice(grid.shape[1], p=grid[action, cell]))
    total = counts.sum(axis=2, keepdims=True)
    law = np.where(total > 0, counts / np.maximum(total, 1), 1 / NUM_ACTIONS)
    recipe = {"share": share, "demonstrations": demonstrations, "seed": seed}
    return ClonedPolicy({"format": FORMAT, "recipe": recipe, "error": actor_error(house, law), "measure": MEASURE}, law)


def actor_error(house: House, law: Float[np.ndarray, "G C A"]) -> float:
    """Total variation between action probabilities and the optimal Actor's, mean over the contexts that count.

    These are all (subgoal, cell) for walks, except the goal itself, and (take, place) for takes.
    """
    apart = 0.5 * np.abs(law - optimal_law(house)).sum(axis=2)
    counts = np.ones(apart.shape, dtype=bool)
    for subgoal in range(len(MENU)):
        if subgoal in TAKES:
            counts[subgoal] = np.isin(np.arange(apart.shape[1]), house.cells)
        else:
            counts[subgoal, house.cells[min(subgoal, SOFA)]] = False
    return float(apart[counts].mean())
