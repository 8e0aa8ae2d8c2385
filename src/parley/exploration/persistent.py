"""Trials from proposals alone that never give a subgoal up for good: the trials of `proposals`, and a floor of others.

`ProposalsExplorer` gives up in two ways. A trial that is not informative is not repeated, although the next one might
be. For example, a swim up the river that fails half way says nothing about the bank. A share p is not tried where p
times the visits to come is below a trial's cost. This holds however large the loss if that latent is the true one. The
floor takes up both:

- a share counts as p / p_1 q, normalised, where p_1 is the share at the first visit to this decision. For BAIL p is a
  posterior share, so this is the share from another prior, q. It is p_1^(1 - caution) max(1, p_1 T)^caution, at most 1,
  in T episodes. So all that had more than T^(-caution) at first are alike;
- trials that told nothing are repeated. The n-th one imagines that one of n tells, so the worth of another falls by n.
  Perhaps they told nothing because they went on with the wrong subgoals. So a trial of the floor draws every tenth
  subgoal, on average, from the proposal. It draws where no odds are near those on trial, too: there the nearest are no
  sign of what the latents on trial propose.

At a decision visited v times at most `floor` sqrt(v) trials are the floor's: its part of the visits falls as v^(-1/2).
If p is the posterior of a true latent, a likelihood ratio against it exceeds x with probability 1 / x at most (Ville
1939). So where p_1 is above T^(-caution), it is given up with probability of the order of `patience` / T. This costs a
constant, whatever p_1 is.

In open text hardly a situation comes back word by word. So a new one counts as an earlier one (`Situations`) where both
words and proposals are nearly the same. Words alone would not do: "the mug on the shelf, the book in hand" has all the
words of another state. Situations in which the planner wants the same are explored as one.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.draws import Draws
from parley.core.roles import State
from parley.core.said import TIE, Moment, Opening, Outcome
from parley.exploration.proposals import FLOOR, ProposalsExplorer, log_odds
from parley.exploration.situations import Key, Situations

DRAWN = 0.1  # of the subgoals of a floor's trial
NEAR = 0.5  # nats: odds that differ by more are no sign of the same latents


class PersistentExplorer(ProposalsExplorer):
    """The trials of `ProposalsExplorer`, and a floor of trials of what it would give up for good."""

    kept = (*ProposalsExplorer.kept, "first", "spent")

    def __init__(self, patience: float = 2.0, floor: float = 1.0, caution: float = 0.5, alike: float = 1.0) -> None:
        super().__init__(patience)
        self.floor, self.caution, self.alike = floor, caution, alike

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        super().start(draws, num_episodes, horizon)
        self.first: Float[np.ndarray, "D M"] = np.zeros((0, 0))  # share at the first visit; NaN before
        self.spent: Float[np.ndarray, " D"] = np.zeros(0)  # trials of the floor
        self._situations = Situations(self._decisions, self._words, self.alike)

    def hear(self, said: Opening | Outcome) -> None:
        super().hear(said)
        if isinstance(said, Opening):
            self._wanders: Bool[np.ndarray, " B"] = np.zeros(len(said.observations), dtype=bool)

    def _met(self, keys: list[Key], probs: np.ndarray, place: np.ndarray) -> Int[np.ndarray, " B"]:
        return self._situations.of(keys, probs, place, self.odds)

    def _stuck(
        self, probs: np.ndarray, worth: np.ndarray, here: np.ndarray, at: tuple[np.ndarray, ...]
    ) -> Bool[np.ndarray, "B M"]:
        first = np.where(np.isnan(self.first[at]), probs, self.first[at])
        self.first[at] = first
        first = np.maximum(first, FLOOR)
        prior = first ** (1 - self.caution) * np.maximum(first * self.num_episodes, 1.0) ** self.caution
        cautious = probs / first * np.minimum(prior, 1.0)
        self._ratio: Float[np.ndarray, "B M"] = (
            cautious / cautious.sum(axis=1, keepdims=True) / np.maximum(probs, FLOOR)
        )
        found = super()._stuck(probs, worth, here, at)
        modal = probs >= probs.max(axis=1, keepdims=True) - TIE  # decoded as it is
        left_out = ~found & ~modal & (probs > FLOOR) & (worth * self._ratio > self.patience)
        open_now = self.spent[here] < self.floor * np.sqrt(self.visits[here])
        self._floored: Bool[np.ndarray, "B M"] = left_out & open_now[:, None]
        return np.where(self._floored.any(axis=1, keepdims=True), self._floored, found)

    def _begin(self, begins: Bool[np.ndarray, " B"], index: Int[np.ndarray, " B"], here: Int[np.ndarray, " B"]) -> None:
        mine = begins & self._floored[self.rows, index]
        self.spent[here] += mine
        self._wanders |= mine
        self._weight = np.where(mine, np.maximum(self._ratio[self.rows, index], 1.0), self._weight)

    def _go_on(self, shares: np.ndarray, law: np.ndarray, moment: Moment) -> np.ndarray:
        away = np.where(shares > FLOOR, np.abs(log_odds(shares) - self._trial[:, None]), np.inf).min(axis=1)
        lost = (away > NEAR) & (moment.actor == self._actors - 1)  # an earlier Actor's share is of several joint ones
        followed = super()._go_on(shares, law, moment)
        total = shares.sum(axis=1, keepdims=True)
        drawn = shares / np.where(total > 0, total, 1.0)
        part = np.where(lost, 1.0, DRAWN)[:, None]
        return np.where(self._wanders[:, None] & (total > 0), (1 - part) * followed + part * drawn, followed)

    def _grow(self, entries: int) -> None:
        super()._grow(entries)
        more = [(0, new - old) for new, old in zip(self.odds.shape, self.first.shape, strict=True)]
        self.first = np.pad(self.first, more, constant_values=np.nan)
        self.spent = np.pad(self.spent, more[0])

    def snapshot(self) -> State:
        return {**super().snapshot(), **self._situations.snapshot()}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._situations.restore(state)
