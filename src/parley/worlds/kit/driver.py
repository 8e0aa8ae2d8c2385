"""Chooses subgoals so that every declared mechanism of a physical world is met often, after every other (`verify`)."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from parley.core.tables import Tables
from parley.worlds.kit.physical import Abstraction

BEGINNING = "the beginning"  # stands for the mechanism before the first subgoal
Pair = tuple[str, str]  # the mechanism before, and the one that is tried
DRAWN = 0.2  # share of the episodes whose subgoals are drawn
EAGER = 2.0  # a pair that was met n times is worth (1 + n) ** -EAGER


class Driver:
    """A fifth of the episodes is drawn, the others are led to the pairs of mechanisms that were met least.

    A drawn subgoal is drawn by its mechanism, in proportion to 1 / (1 + how often that was tried); uniformly within it.
    A led episode maximises, by the tables, the expected worth of the pairs that it meets. A pair that was met n times
    when the episode began is worth (1 + n) ** -2. The episode may have unlikely outcomes brought about
    (`Abstraction.unlikely`), which meets no pair, but opens a way. The choice of subgoals depends on the states seen
    only, so that the physics alone draws the next state.
    """

    def __init__(self, tables: Tables, abstraction: Abstraction) -> None:
        self.tables, self.abstraction = tables, abstraction
        self.tried: dict[str, int] = defaultdict(int)
        self.met: dict[Pair, int] = defaultdict(int)
        self._ways: dict[int, Ways] = {}
        self._worth: list[Float[np.ndarray, "S M"]] = []

    def begin(self, z: int, rng: np.random.Generator) -> None:
        """An episode of latent z begins."""
        if z not in self._ways:
            t = self.tables
            names = [[self.abstraction.mechanism(z, s, g) for g in t.subgoals] for s in t.states]
            self._ways[z] = Ways(names, t.transition[z], frozenset(self.abstraction.unlikely))
        self._z = z
        self._worth = self._ways[z].worth(self.met, self.tables.horizon) if rng.random() >= DRAWN else []

    def choose(self, s: int, before: str, left: int, rng: np.random.Generator) -> tuple[int, str, bool]:
        """A subgoal in state s, its mechanism, and whether to bring its unlikely outcome about.

        `left` subgoals are left, this one among them.
        """
        ways = self._ways[self._z]
        if self._worth:
            best = int(rng.choice(ways.best(s, before, self.met, self._worth[left - 1])))
            provoked, g = divmod(best, len(ways.names[s]))
            if provoked:
                return g, ways.names[s][g], True
        else:
            here = ways.names[s]
            kinds = sorted(set(here))
            rarity = np.array([1 / (1 + self.tried[kind]) for kind in kinds])
            kind = str(rng.choice(kinds, p=rarity / rarity.sum()))
            g = int(rng.choice([i for i, name in enumerate(here) if name == kind]))
        mechanism = ways.names[s][g]
        self.tried[mechanism] += 1
        self.met[before, mechanism] += 1
        return g, mechanism, False


@dataclass
class Ways:
    """The next states in one latent: the mechanism of every state and subgoal, and the probabilities of the next state.

    Past the last subgoal they are numbered once more, with the outcome that is not the likeliest brought about.
    """

    names: list[list[str]]
    then: Float[np.ndarray, "S G S"]
    unlikely: frozenset[str] = frozenset()
    index: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.index = {name: i for i, name in enumerate([BEGINNING, *sorted({n for row in self.names for n in row})])}
        self._kinds: Int[np.ndarray, "S G"] = np.array([[self.index[name] for name in row] for row in self.names])
        rare = self.then.copy()
        np.put_along_axis(rare, rare.argmax(axis=2)[..., None], 0.0, axis=2)
        chance = rare.sum(axis=2, keepdims=True)
        possible = np.array([[name in self.unlikely for name in row] for row in self.names]) & (chance[..., 0] > 0)
        self._provoked = np.divide(rare, chance, out=np.zeros_like(rare), where=chance > 0)
        self._pays = np.where(possible, 0.0, -np.inf)  # a forced outcome is no visit

    def worth(self, met: dict[Pair, int], horizon: int) -> list[Float[np.ndarray, "S M"]]:
        """What the pairs met with 0, 1, ..., horizon - 1 subgoals left are worth, from each state and mechanism."""
        now = np.array([[(1.0 + met.get((a, b), 0)) ** -EAGER for b in self.index] for a in self.index])
        found = [np.zeros((len(self.names), len(self.index)))]
        for _ in range(horizon - 1):
            # The later value, from the state that follows and after the mechanism that was tried.
            later = found[-1].T[self._kinds]
            tried = (now[:, self._kinds] + np.einsum("sgt,sgt->sg", self.then, later)).max(axis=2)
            provoked = (self._pays + np.einsum("sgt,sgt->sg", self._provoked, later)).max(axis=1)
            found.append(np.maximum(tried, provoked).T)
        return found

    def best(self, s: int, before: str, met: dict[Pair, int], later: Float[np.ndarray, "S M"]) -> Int[np.ndarray, " n"]:
        """What to do in state s so that its pair, with what comes `later`, is worth most."""
        now = np.array([(1.0 + met.get((before, name), 0)) ** -EAGER for name in self.names[s]])
        after = later.T[self._kinds[s]]
        tried = now + (self.then[s] * after).sum(axis=1)
        worth = np.concatenate([tried, self._pays[s] + (self._provoked[s] * after).sum(axis=1)])
        return np.flatnonzero(worth >= worth.max() * (1 - 1e-9))
