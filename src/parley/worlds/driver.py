"""Chooses random subgoals so that every declared mechanism of a physical world is met often (for `verify`)."""

from collections import defaultdict
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from parley.core.tables import Tables
from parley.worlds.physical import Abstraction

BEGINNING = "the beginning"  # stands for the mechanism before the first subgoal
Pair = tuple[str, str]  # the mechanism before, and the one that is tried


class Driver:
    """Half of the subgoals are drawn, half lead towards the pair of mechanisms in turn that was met least.

    A subgoal is drawn by its mechanism, in proportion to 1 / (1 + how often that was tried); alike within it. What
    leads where is taken from the tables, in which the likeliest next state stands for all.
    """

    def __init__(self, tables: Tables, abstraction: Abstraction) -> None:
        self.tables, self.abstraction = tables, abstraction
        self.tried: dict[str, int] = defaultdict(int)
        self.met: dict[Pair, int] = defaultdict(int)
        self._plans: dict[int, Ways] = {}

    def choose(self, z: int, s: int, before: str, left: int, rng: np.random.Generator) -> tuple[int, str]:
        """A subgoal in state s of latent z, and its mechanism; `left` subgoals are left, this one among them."""
        if z not in self._plans:
            t = self.tables
            names = [[self.abstraction.mechanism(z, s, g) for g in t.subgoals] for s in t.states]
            self._plans[z] = Ways(names, t.transition[z].argmax(axis=2))
        ways = self._plans[z]
        within = [pair for pair in ways.pairs if ways.steps(pair)[s, ways.index[before]] < left]
        if rng.random() < 0.5 and within:
            fewest = min(within, key=lambda pair: (self.met[pair], pair))
            g = int(rng.choice(ways.towards(fewest, s, before)))
        else:
            here = ways.names[s]
            kinds = sorted(set(here))
            rarity = np.array([1 / (1 + self.tried[kind]) for kind in kinds])
            kind = str(rng.choice(kinds, p=rarity / rarity.sum()))
            g = int(rng.choice([i for i, name in enumerate(here) if name == kind]))
        mechanism = ways.names[s][g]
        self.tried[mechanism] += 1
        self.met[before, mechanism] += 1
        return g, mechanism


class Ways:
    """How many subgoals it takes, in one latent, until one mechanism can be tried right after another."""

    def __init__(self, names: list[list[str]], then: Int[np.ndarray, "S G"]) -> None:
        self.names, self.then = names, then
        self.index = {name: i for i, name in enumerate([BEGINNING, *sorted({n for row in names for n in row})])}
        self._kinds = np.array([[self.index[name] for name in row] for row in names])
        self._steps: dict[Pair, Float[np.ndarray, "S M"]] = {}

    @cached_property
    def pairs(self) -> list[Pair]:
        """Those that can be tried somewhere, whether a way leads there or not."""
        every = [(before, name) for before in self.index for name in self.index]
        return [pair for pair in every if np.isfinite(self.steps(pair)).any()]

    def steps(self, pair: Pair) -> Float[np.ndarray, "S M"]:
        """Subgoals until the pair can be tried, from each state and mechanism before; infinite where none leads."""
        if pair not in self._steps:
            before, name = (self.index[mechanism] for mechanism in pair)
            found = np.full((len(self.names), len(self.index)), np.inf)
            found[(self._kinds == name).any(axis=1), before] = 0
            while True:
                nearer = np.minimum(found, 1 + found[self.then, self._kinds].min(axis=1)[:, None])
                if np.array_equal(nearer, found):
                    break
                found = nearer
            self._steps[pair] = found
        return self._steps[pair]

    def towards(self, pair: Pair, s: int, before: str) -> Int[np.ndarray, " n"]:
        """The subgoals in state s that try the pair, or else lead nearest to where it can be tried."""
        if self.steps(pair)[s, self.index[before]] == 0:
            return np.flatnonzero(self._kinds[s] == self.index[pair[1]])
        after = self.steps(pair)[self.then[s], self._kinds[s]]
        return np.flatnonzero(after == after.min())
