"""A sequential test of the model, and the explorer that falls back to forced exploration once the model is rejected.

A predictor bets against each hypothesis (a latent, or a planner's mixture). It only counts (step, observation, subgoal
-> observation), and adds 1/2, and 1/2 for outcomes never met. At every moment s one starts with weight 1 / (s (s + 1)).
If the hypothesis is true, the wealth is a martingale from 1 under any policy. So it ever reaches 1,000 with probability
at most 1 in 1,000 (Ville 1939). The model is rejected when all its hypotheses are.
"""

from collections.abc import Callable
from itertools import repeat
from math import log
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.codes import Codes, one_line
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import KeptExplorer, State
from parley.core.rows import row_count, whole_sum
from parley.core.said import Choice, Menu, Moment, Opening, Outcome, Proposal
from parley.exploration.explorers import EpsilonGreedy

FALSE_ALARM = 1 / 1000  # probability over a whole run, at most


class Bets:
    """Wealth of the bets against each hypothesis, of B runs."""

    def __init__(self, false_alarm: float = FALSE_ALARM) -> None:
        self.enough = -log(false_alarm)  # log wealth

    def start(self, num_runs: int) -> None:
        self.rows = np.arange(num_runs)
        self._words, self._places = Codes(), Codes()
        self.counts: Float[np.ndarray, "B D S"] = np.zeros((num_runs, 0, 0))
        self.met: Bool[np.ndarray, "B S"] = np.zeros((num_runs, 0), dtype=bool)
        self.log_wealth: Float[np.ndarray, "B Z"] | None = None  # of the bets begun
        self.moments: Float[np.ndarray, " B"] = np.zeros(num_runs)  # that each run has heard

    def hear(self, said: Opening | Outcome, log_probs: Float[np.ndarray, "B Z"]) -> None:
        """Take in what was said and the log-probability that each hypothesis had given it."""
        seen = self._words.of(said.observations)
        if isinstance(said, Opening):
            active = np.ones(len(seen), dtype=bool)
            here = self._places.of(["opening"] * len(seen))
            self._seen: Int[np.ndarray, " B"] = seen
        else:
            active = said.active
            here = self._places.of(zip(repeat(said.step), self._seen.tolist(), one_line(said.subgoals)))
            self._seen = np.where(active, seen, self._seen)
        self._grow()
        count, known = self.counts[self.rows, here], row_count(self.met)
        ours = np.log(count[self.rows, seen] + 0.5) - np.log(whole_sum(count) + (known + 1) / 2)
        # What a run has never met is not bet on: the share kept for it is all lost, whatever the hypothesis gave it.
        theirs = np.where(self.met[self.rows, seen][:, None], log_probs, 0.0)
        self._bet(np.where(active[:, None], ours[:, None] - theirs, 0.0), active)
        self.counts[self.rows, here, seen] += active
        self.met[self.rows, seen] |= active

    def _bet(self, log_ratio: Float[np.ndarray, "B Z"], active: Bool[np.ndarray, " B"]) -> None:
        self.moments = self.moments + active
        begun = np.where(active, -np.log(np.maximum(self.moments * (self.moments + 1.0), 1.0)), -np.inf)[:, None]
        before = np.full(log_ratio.shape, -np.inf) if self.log_wealth is None else self.log_wealth
        self.log_wealth = np.logaddexp(before, begun) + log_ratio

    @property
    def rejected(self) -> Bool[np.ndarray, " B"]:
        """Runs in which the wealth against every hypothesis has reached 1 / `false_alarm`."""
        return self.least >= self.enough

    @property
    def least(self) -> Float[np.ndarray, " B"]:
        """Log wealth against the hypothesis that the bets do least against, with the wealth kept for bets to come."""
        if self.log_wealth is None:
            return np.zeros(len(self.rows))
        waiting = -np.log(self.moments + 1.0)[:, None]
        return np.logaddexp(self.log_wealth, waiting).min(axis=1)

    def _grow(self) -> None:
        more = (len(self._places) - self.counts.shape[1], len(self._words) - self.counts.shape[2])
        if max(more) > 0:
            self.counts = np.pad(self.counts, [(0, 0), (0, max(0, more[0])), (0, max(0, more[1]))])
            self.met = np.pad(self.met, [(0, 0), (0, max(0, more[1]))])

    def snapshot(self) -> State:
        state: State = {"moments": self.moments, "counts": self.counts, "met": self.met}
        state |= self._words.snapshot("words") | self._places.snapshot("places")
        return state if self.log_wealth is None else {**state, "log_wealth": self.log_wealth}

    def restore(self, state: State) -> None:
        self.moments, self.counts, self.met = (state[name].copy() for name in ("moments", "counts", "met"))
        self.log_wealth = state["log_wealth"].copy() if "log_wealth" in state else None
        self._words.restore(state, "words")
        self._places.restore(state, "places")


@runtime_checkable
class Believer(Protocol):
    """An explorer or planner that can say what each of its hypotheses gave to what was said last."""

    def log_likelihood(self) -> Float[np.ndarray, "B Z"]: ...


class GuardedExplorer:
    """Another explorer, until the model is rejected; from then on proposals, and a floor of exploration episodes.

    The floor explores the n-th episode after the rejection with probability n ** -1/2, uniformly: the rate of the
    theory, which needs no model.
    """

    def __init__(
        self,
        inner: KeptExplorer,
        believer: Believer,
        policy: Callable[..., np.ndarray],
        false_alarm: float = FALSE_ALARM,
    ) -> None:
        self.inner, self.believer, self.bets = inner, believer, Bets(false_alarm)
        self.floor = EpsilonGreedy(self._epsilon, policy=policy)

    def _epsilon(self, episode: int) -> Float[np.ndarray, " B"]:
        after = np.maximum(episode - self.since, 0.0) + 1
        return np.where(self.since >= 0, after**-0.5, 0.0)

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        self.since: Int[np.ndarray, " B"] = np.full(draws.num_runs, -1)  # first episode after the rejection
        self.inner.start(draws, num_episodes, horizon)
        self.floor.start(draws, num_episodes, horizon)
        self.bets.start(draws.num_runs)

    def hear(self, said: Opening | Outcome) -> None:
        self.inner.hear(said)
        if isinstance(said, Opening):
            self.since = np.where((self.since < 0) & self.bets.rejected, said.episode, self.since)
        self.bets.hear(said, self.believer.log_likelihood())

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        mine = self.inner.choose(proposal, how, menu, moment)
        if not (self.since >= 0).any():
            return mine
        forced = self.floor.choose(proposal, how, menu, moment)
        now = self.since >= 0
        return Choice(
            np.where(now, forced.index, mine.index),
            np.where(now, forced.explored, mine.explored),
            np.where(now[:, None], forced.law, mine.law),
        )

    def snapshot(self) -> State:
        parts = {"inner": self.inner.snapshot(), "bets": self.bets.snapshot()}
        flat = {f"{part}.{name}": array for part, state in parts.items() for name, array in state.items()}
        return {**flat, "since": self.since}

    def restore(self, state: State) -> None:
        if "since" not in state:
            raise BadInput(
                "the run's snapshot holds no sequential test, which its explorer now has. An earlier version began it. "
                "Start it anew in another directory (its log stays readable)"
            )
        self.since = state["since"].copy()
        self.inner.restore(_part(state, "inner."))
        self.bets.restore(_part(state, "bets."))


def _part(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
