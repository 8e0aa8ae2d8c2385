"""Expected regret of episodes from the executed probabilities: the performance-difference sum of theory.md section 1.

    sum_h E_g [ V*_{z,h}(tau_h, w) - Q*_{z,h}(tau_h, g, w) ]

along the realised path, with g drawn from the distribution executed at h given all before. It is unbiased for the
regret and has far less variance than optimal value minus return. With K Actors each part of a joint subgoal is a
decision of its own (Q* of a part = the best completion). This is the same lemma in the process whose steps are parts.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import Draws
from parley.core.rows import row_max
from parley.core.said import Opening, Outcome
from parley.core.tables import Vocabulary
from parley.theory.beliefs import Beliefs

Truth = Callable[[int], np.ndarray]  # the latents (B,) of an episode


class Meter(Protocol):
    """For a loop, from an observer who knows the latents: an episode's `regret` so far, and its `optimal_value`."""

    regret: Float[np.ndarray, " B"]
    optimal_value: Float[np.ndarray, " B"]

    def hear(self, said: Opening | Outcome) -> None: ...

    def charge(self, law: Float[np.ndarray, "B M"], index: Int[np.ndarray, " B"], active: np.ndarray) -> None: ...


class RegretMeter:
    """Follows B runs whose true latents are known to it (and to nobody who plans) and adds up expected regret.

    Where latents jump, `truth` tells those of an episode.
    """

    def __init__(self, beliefs: Beliefs, latents: Int[np.ndarray, " B"], truth: Truth | None = None) -> None:
        self.beliefs, self.latents, self.truth = beliefs, latents, truth
        self.rows = np.arange(len(latents))

    def hear(self, said: Opening | Outcome) -> None:
        """Follow the history; an `Opening` sets `regret` to 0 and `optimal_value` to V*_z(w) before o_1."""
        tables = self.beliefs.tables
        observation = tables.observation_words.encode(said.observations)
        if isinstance(said, Opening):
            self.latents = self.truth(said.episode) if self.truth else self.latents
            self.instruction = tables.instruction_words.encode(said.instructions)
            self.place, _ = self.beliefs.begin(self.latents, observation)
            self.step = 1
            self.regret: Float[np.ndarray, " B"] = np.zeros(len(self.latents))
            self.optimal_value = self.beliefs.value[self.latents, self.instruction]
        else:
            subgoal = tables.joint(said.subgoals)
            place, _ = self.beliefs.advance(said.step, self.place, self.latents, subgoal, observation)
            active = said.active.reshape(-1, *[1] * (place.ndim - 1))
            same_kind = place.shape == self.place.shape
            self.place = np.where(active, place, self.place) if same_kind else place
            self.step = said.step + 1
        self._q: np.ndarray | None = None

    def charge(self, law: Float[np.ndarray, "B M"], index: Int[np.ndarray, " B"], active: np.ndarray) -> None:
        """Add the expected loss of one Actor's part drawn from `law`; `index` is the part that was drawn."""
        if self._q is None:
            q = self.beliefs.optimal(self.step, self.place, self.latents, self.instruction)
            self._q = q.reshape(len(q), *[len(menu) for menu in self.beliefs.tables.menus])
        q = self._q.max(axis=tuple(range(2, self._q.ndim))) if self._q.ndim > 2 else self._q
        loss = row_max(q) - (law * q).sum(axis=1)
        self.regret += np.where(active, loss, 0.0)
        if self._q.ndim > 2:
            self._q = self._q[self.rows, index]


class OptimalValueMeter:
    """For worlds that do not follow the tables (an Actor or a Reporter with an error), or that have no tables.

    Then there is `value`, V*_z(w) or what stands for it, and no more. Expected regret follows the history by the
    tables; here it would be biased, and it is NaN.
    """

    def __init__(
        self, value: Float[np.ndarray, "Z W"], instructions: Vocabulary, latents: Int[np.ndarray, " B"]
    ) -> None:
        self.value, self.instructions, self.latents = value, instructions, latents

    def hear(self, said: Opening | Outcome) -> None:
        """Take in the instruction; later messages are ignored."""
        if isinstance(said, Opening):
            self.regret: Float[np.ndarray, " B"] = np.full(len(self.latents), np.nan)
            self.optimal_value = self.value[self.latents, self.instructions.encode(said.instructions)]

    def charge(self, law: Float[np.ndarray, "B M"], index: Int[np.ndarray, " B"], active: np.ndarray) -> None:
        """Nothing is added."""


def regret_meter(beliefs: Beliefs, latents: Int[np.ndarray, " B"], world: object, draws: Draws) -> Meter:
    """The meter of a world that follows its tables, of one that is `altered`, or of one whose latents jump."""
    if getattr(world, "altered", False):
        return OptimalValueMeter(beliefs.value, beliefs.tables.instruction_words, latents)
    truth = getattr(world, "truth", None)
    return RegretMeter(beliefs, latents, truth(latents, draws) if truth else None)
