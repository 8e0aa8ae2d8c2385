"""The Bayes-adaptive optimum: the least Bayes regret over T episodes that any explorer can have, for tiny worlds.

Dynamic programming over beliefs at the starts of episodes (Bellman 1956; Duff 2002). The inside of an episode is solved
by backward induction on its tree. Beliefs are those reachable from the prior if they are few. Otherwise, for two
classes, they are a grid of log-odds. The least regret is concave in the belief, so interpolation gives a lower bound,
tight to the grid.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.plans import decisions
from parley.theory.tree import EpisodeTree

MAX_REACHABLE = 300
MAX_ENDS = 300  # of the tree of an episode
GRID = 601  # log-odds from -SPAN to SPAN
SPAN = 30.0
DENSE = 1_000  # of the last episodes all values are kept; before that, a round of instructions every per cent


@dataclass
class Optimum:
    """Least expected regret of the episodes that remain, by belief; instructions in turn."""

    beliefs: Beliefs
    classes: Classes
    tree: EpisodeTree = field(init=False)

    def __post_init__(self) -> None:
        latents = tuple(group[0] for group in self.classes.members)
        self.tree = EpisodeTree(self.beliefs, latents, to_the_end=True, max_nodes=MAX_ENDS)
        self._likelihood = self.tree.ends**2 * len(latents)  # E C
        self._loss = [self.tree.loss(w) for w in range(len(self.beliefs.tables.instructions))]
        reachable = self._reachable()
        if reachable is None and len(latents) != 2:
            raise BadInput(
                f"world {self.beliefs.tables.name!r}: the beliefs of its {len(latents)} latents are too many for the "
                f"Bayes-adaptive optimum (two latents, or at most {MAX_REACHABLE} reachable beliefs fit). "
                "Explore with adaptive"
            )
        self.exact = reachable is not None
        x = np.linspace(-SPAN, SPAN, GRID)
        self.points: Float[np.ndarray, "m C"] = (
            reachable if reachable is not None else np.stack([1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x))], axis=1)
        )
        self._index, self._weight, self._mass = self._where_ends()

    def _reachable(self) -> np.ndarray | None:
        """All beliefs that any play can lead to; None where they are too many."""
        found = {_key(self.classes.prior): self.classes.prior}
        queue = [self.classes.prior]
        for belief in queue:  # grows while it is walked
            after = belief * self._likelihood
            total = after.sum(axis=1)
            for row in after[total > 0] / total[total > 0, None]:
                if (key := _key(row)) not in found:
                    if len(found) == MAX_REACHABLE:
                        return None
                    found[key] = row
                    queue.append(row)
        return np.array(list(found.values()))

    def _where_ends(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the belief after each end from each point: two points around it, the weight of the second, and its mass.

        `mass` is that of the end under the belief, per unit of mass under equal weights.
        """
        after = self.points[:, None, :] * self._likelihood  # m E C
        mass = after.sum(axis=2)
        index, weight = self._locate(after / np.where(mass > 0, mass, 1.0)[..., None])
        return index, weight, mass

    def _locate(self, belief: Float[np.ndarray, "... C"]) -> tuple[np.ndarray, np.ndarray]:
        if self.exact:
            known = {_key(point): i for i, point in enumerate(self.points)}
            flat = belief.reshape(-1, belief.shape[-1])
            index = np.array([known.get(_key(row), 0) for row in flat]).reshape(belief.shape[:-1])
            return index, np.zeros(index.shape)
        # Linear in the belief itself between neighbours: a chord of a concave function lies below it.
        index = np.clip(np.searchsorted(self.points[:, 0], belief[..., 0]) - 1, 0, GRID - 2)
        low, high = self.points[index, 0], self.points[index + 1, 0]
        return index, np.clip((belief[..., 0] - low) / (high - low), 0.0, 1.0)

    def solve(self, num_episodes: int) -> "Plan":
        """Backwards from the last episode, 0 being asked the first instruction in turn."""
        num_w = len(self._loss)
        value = np.zeros(len(self.points))
        kept = {0: value}
        for remaining in range(1, num_episodes + 1):
            value = self._episode(value, (num_episodes - remaining) % num_w)
            if remaining <= DENSE or remaining % max(1, remaining // 100) < num_w or remaining == num_episodes:
                kept[remaining] = value
        return Plan(self, num_episodes, kept)

    def ends(self, value: Float[np.ndarray, " m"]) -> Float[np.ndarray, "m E"]:
        """What comes after each end from each point, per unit of the end's mass under equal weights."""
        upper = np.minimum(self._index + 1, len(value) - 1)
        return self._mass * ((1 - self._weight) * value[self._index] + self._weight * value[upper])

    def _episode(self, value: np.ndarray, w: int) -> Float[np.ndarray, " m"]:
        later = self.ends(value)
        for q in self.decisions(self.points, later, w)[::-1]:
            first = q.min(axis=2)
        seen = self.tree.first >= 0
        return first[:, self.tree.first[seen]] @ self.tree.first_mass[seen]

    def decisions(
        self, belief: Float[np.ndarray, "m C"], later: Float[np.ndarray, "m E"], w: int
    ) -> list[Float[np.ndarray, "m n G"]]:
        """Regret-to-come of every subgoal at every node, for a visit of unit mass under equal weights, by step."""
        return decisions(self.tree, self._loss[w], belief, later)


@dataclass
class Plan:
    """What to do with so many episodes left."""

    optimum: Optimum
    num_episodes: int
    kept: dict[int, np.ndarray]

    @property
    def regret(self) -> float:
        """Bayes regret of all episodes, from the prior: no explorer has less."""
        index, weight = self.optimum._locate(self.optimum.classes.prior[None])
        value = self.kept[self.num_episodes]
        upper = min(int(index[0]) + 1, len(value) - 1)
        return float((1 - weight[0]) * value[index[0]] + weight[0] * value[upper])

    def decisions(self, belief: Float[np.ndarray, "R C"], episode: int, w: int) -> list[Float[np.ndarray, "R n G"]]:
        """Regret-to-come at every node of the tree of this episode (from 0), begun with these beliefs."""
        remaining = self.num_episodes - episode - 1
        num_w = len(self.optimum.beliefs.tables.instructions)
        while remaining not in self.kept:  # the nearest kept with the same instruction next
            remaining -= num_w
        value = self.kept[max(remaining, 0)]
        after = belief[:, None, :] * self.optimum._likelihood
        mass = after.sum(axis=2)
        index, weight = self.optimum._locate(after / np.where(mass > 0, mass, 1.0)[..., None])
        upper = np.minimum(index + 1, len(value) - 1)
        later = mass * ((1 - weight) * value[index] + weight * value[upper])
        return self.optimum.decisions(belief, later, w)


def _key(belief: Int[np.ndarray, " C"]) -> bytes:
    return (np.round(belief, 10) + 0.0).tobytes()
