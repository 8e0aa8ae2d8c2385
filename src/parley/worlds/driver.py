"""Chooses random subgoals so that every declared mechanism of a physical world is met often (for `verify`)."""

from collections import defaultdict

import numpy as np

from parley.core.tables import Tables
from parley.worlds.physical import Abstraction


class Driver:
    """Half of the subgoals are drawn, half lead towards the mechanism that was tried least, by what the tables say.

    A subgoal is drawn by its mechanism, in proportion to 1 / (1 + how often that was tried); alike within it.
    """

    def __init__(self, tables: Tables, abstraction: Abstraction) -> None:
        self.tables, self.abstraction = tables, abstraction
        self.tried: dict[str, int] = defaultdict(int)
        self._mechanisms: dict[int, list[list[str]]] = {}
        self._distances: dict[tuple[int, str], np.ndarray] = {}

    def choose(self, z: int, s: int, rng: np.random.Generator) -> tuple[int, str]:
        """A subgoal in state s of latent z, and its mechanism."""
        names = self._of(z)[s]
        rare = min({name for row in self._of(z) for name in row}, key=lambda name: (self.tried[name], name))
        if rng.random() < 0.5:
            likely = self._distance(z, rare)[self.tables.transition[z, s].argmax(axis=1)]
            nearest = np.where([name == rare for name in names], -1.0, likely)
            g = int(rng.choice(np.flatnonzero(nearest == nearest.min())))
        else:
            kinds = sorted(set(names))
            rarity = np.array([1 / (1 + self.tried[kind]) for kind in kinds])
            kind = str(rng.choice(kinds, p=rarity / rarity.sum()))
            g = int(rng.choice([i for i, name in enumerate(names) if name == kind]))
        self.tried[names[g]] += 1
        return g, names[g]

    def _of(self, z: int) -> list[list[str]]:
        """The mechanism of every state and subgoal of a latent."""
        if z not in self._mechanisms:
            t = self.tables
            self._mechanisms[z] = [[self.abstraction.mechanism(z, s, g) for g in t.subgoals] for s in t.states]
        return self._mechanisms[z]

    def _distance(self, z: int, mechanism: str) -> np.ndarray:
        """Subgoals that it takes from each state to one where the mechanism can be tried; infinite where none leads."""
        if (z, mechanism) not in self._distances:
            then = self.tables.transition[z].argmax(axis=2)  # S G
            distance = np.array([0.0 if mechanism in row else np.inf for row in self._of(z)])
            for _ in range(len(distance)):
                distance = np.minimum(distance, 1 + distance[then].min(axis=1))
            self._distances[z, mechanism] = distance
        return self._distances[z, mechanism]
