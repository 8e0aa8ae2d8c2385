"""Memory `advantage`: subgoals that did better in similar situations become likelier (JitRL, Li et al. 2026).

It calls no model. It adds advantages to the log-probabilities of a proposal. The sum is the policy with the largest
expected advantage less a Kullback-Leibler penalty. The paper rates steps by a model; here the rewards rate them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from parley.core.relevance import words_of
from parley.core.told import Fits, Recalled, Told
from parley.memory.fitting import shortened

LEAST = 0.5  # of all words of two situations, that they have in common, to count as similar

Taken = tuple[tuple[str, ...], float]  # a subgoal, and the return from it on


@dataclass(frozen=True)
class Advantages:
    """Numbers to add to the log-probabilities of a menu, from the earlier episodes and the present situation.

    The nearest situations are looked up until they hold at least `neighbours` remembered steps. Each step has the
    weight w, the Jaccard index of the words of its situation and the present one. G is the return from a step on, and
    V the weighted mean of G. The advantage of subgoal g is A(g) = sum of w (G - V) / (1 + sum of w), over the steps
    that took g. The 1 stands for a step with return V, so that one lucky step counts by half. A subgoal that was not
    taken has A = 0. Advantages are divided by the spread of G.
    """

    earlier: tuple[Told, ...]
    weight: float
    neighbours: int

    def __call__(self, now: Told, parts: Sequence[str], menu: Sequence[str]) -> list[float]:
        actor, told = len(parts), tuple(parts)
        near = [(w, taken) for w, taken in self._near(now) if taken[0][:actor] == told]
        total, sums, weights = sum(w for w, _ in near), defaultdict[str, float](float), defaultdict[str, float](float)
        if not total or not self._spread:
            return [0.0] * len(menu)
        value = sum(w * after for w, (_, after) in near) / total
        for w, (subgoal, after) in near:
            sums[subgoal[actor]] += w * (after - value)
            weights[subgoal[actor]] += w
        return [self.weight * sums[entry] / (1 + weights[entry]) / self._spread for entry in menu]

    @cached_property
    def _known(self) -> dict[str, list[Taken]]:
        """What was done in each situation, and what came of it."""
        known: dict[str, list[Taken]] = {}
        for told in self.earlier:
            for step, subgoal in enumerate(told.subgoals):
                known.setdefault(situation(told, step), []).append((subgoal, sum(told.rewards[step:])))
        return known

    @cached_property
    def _spread(self) -> float:
        """The largest return from a step on, less the smallest."""
        returns = [after for taken in self._known.values() for _, after in taken]
        return max(returns) - min(returns) if returns else 0.0

    def _near(self, now: Told) -> list[tuple[float, Taken]]:
        """Remembered steps of the nearest situations, each with the similarity of its own."""
        here = situation(now, len(now.subgoals))
        words, found = frozenset(words_of(here)), list[tuple[float, Taken]]()
        alike = {there: 1.0 if there == here else _likeness(words, there) for there in self._known}
        for there in sorted(alike, key=lambda one: -alike[one]):
            if alike[there] < LEAST or len(found) >= self.neighbours:
                break
            found += [(alike[there], taken) for taken in self._known[there]]
        return found


@dataclass(frozen=True)
class Advantage:
    """Shows the last few episodes, and adds advantages to proposals: up to about `weight` nats."""

    weight: float
    neighbours: int
    shown: int = 0

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        shown = tuple(earlier[max(0, len(earlier) - self.shown) :])
        return shortened(Recalled("", shown, Advantages(tuple(earlier), self.weight, self.neighbours)), fits)


def situation(told: Told, step: int) -> str:
    """Where an episode stands after `step` subgoals: its instruction, the last subgoal, and the last observation."""
    last = " + ".join(told.subgoals[step - 1]) if step else ""
    return f"{told.instruction}\n{last}\n{told.observations[step]}"


def _likeness(words: frozenset[str], there: str) -> float:
    """The Jaccard index, below 1 where the texts differ."""
    others = frozenset(words_of(there))
    return min(len(words & others) / max(1, len(words | others)), 0.99)
