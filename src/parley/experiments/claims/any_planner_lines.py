"""What `any-planner` compares `persistent-proposals` with: explorers by other ideas that need no tables.

- *bootstrapped memory*: in each episode the planner reads as many earlier episodes as there are, drawn from them with
  replacement, and is decoded greedily. So an in-context learner approximately samples from its posterior (Osband and
  Van Roy 2015);
- *counts*: a bonus for what was seldom told in a situation, beside the mean return that followed it (PUCT: Rosin 2011;
  Silver et al. 2017). What a decision is, is the same as for the explorers by proposals.

Posterior sampling by prompting (Arumugam and Griffiths 2025) is `posterior-sampling` here: what a model does that
states its hypotheses exactly. The first two are no explorers of the library: see the finding.
"""

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.rows import row_max
from parley.core.said import TIE, Choice, Menu, Moment, Opening, Outcome, Proposal
from parley.exploration.proposals import ProposalsExplorer
from parley.planners.exact import ExactPlanner

BONUS = 1.0  # in units of the return
IMPOSSIBLE = -1e30  # log-likelihood: that times 0 is 0


class ResampledPlanner(ExactPlanner):
    """BAIL that reads a resampled part of its history, another one in each episode."""

    def start(self, draws: Draws) -> None:
        super().start(draws)
        self._prior = self.settled
        self._told: Float[np.ndarray, "E B Z"] = np.empty((16, *self.settled.shape))  # log-likelihood of each episode
        self._num = 0

    def _settle(self) -> None:
        if self.step:
            if self._num == len(self._told):
                self._told = np.concatenate([self._told, np.empty_like(self._told)])
            self._told[self._num] = np.maximum(self.log_environment, IMPOSSIBLE)
            self._num += 1
            rng = np.random.default_rng([self.draws.seed, self.draws.first_run, self._num])
            times = rng.multinomial(self._num, np.full(self._num, 1 / self._num), size=self.num_runs)
            weights = self._prior + np.einsum("be,ebz->bz", times, self._told[: self._num])
            weights = np.where(weights <= IMPOSSIBLE / 2, -np.inf, weights)
            self.settled = weights - row_max(weights, keepdims=True)
        self._begin_episode()


class CountingExplorer(ProposalsExplorer):
    """Tells what has the largest mean return since, plus the bonus p sqrt(visits) / (1 + times told)."""

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        super().start(draws, num_episodes, horizon)
        self.times: Float[np.ndarray, "D M"] = np.zeros((0, 0))
        self.returns: Float[np.ndarray, "D M"] = np.zeros((0, 0))  # since, in all
        self._path: list[tuple[int, Int[np.ndarray, " B"], Int[np.ndarray, " B"]]] = []  # step, decision, entry
        self._said: list[Outcome] = []

    def hear(self, said: Opening | Outcome) -> None:
        if isinstance(said, Opening):
            self._learn()
        else:
            self._said.append(said)
        super().hear(said)

    def _take_back(self, over: np.ndarray) -> None:
        """Nothing was noted yet."""

    def _learn(self) -> None:
        """Returns that followed each decision of the episode that is over."""
        rewards = np.array([np.where(said.active, said.rewards, 0.0) for said in self._said])
        since = rewards[::-1].cumsum(axis=0)[::-1]
        for step, here, entry in self._path:
            told = self._said[step - 1].active
            np.add.at(self.times, (here[told], entry[told]), 1.0)
            np.add.at(self.returns, (here[told], entry[told]), since[step - 1][told])
        self._path, self._said = [], []

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        probs = proposal.probs
        number, place = self._listed(menu)
        listed, place = np.broadcast_to(number, len(probs)), np.broadcast_to(place, probs.shape)
        where = np.stack([self.rows, listed, *self._where.T, *self._parts], axis=1)
        here = self._met([(moment.step, moment.actor, *key) for key in where.tolist()], probs, place)
        self._grow(probs.shape[1])
        times, returns = self.times[here[:, None], place], self.returns[here[:, None], place]
        visits = times.sum(axis=1, keepdims=True)
        untold = returns.sum(axis=1, keepdims=True) / np.maximum(visits, 1.0)
        mean = np.where(times > 0, returns / np.maximum(times, 1.0), untold)
        score = mean + BONUS * probs * np.sqrt(visits + 1) / (1 + times)
        score = np.where(menu.legal, score, -np.inf)
        best = score >= score.max(axis=1, keepdims=True) - TIE
        law = best / best.sum(axis=1, keepdims=True)
        index = sample_rows(law, self.draws.uniform(Purpose.SUBGOAL, moment.episode, moment.step, moment.actor))
        self._parts.append(self._words.of(menu.say(index)))
        self._path.append((moment.step, here, place[self.rows, index]))
        return Choice(index, probs[self.rows, index] < probs.max(axis=1) - TIE, law)

    def _grow(self, entries: int) -> None:
        super()._grow(entries)
        more = [(0, new - old) for new, old in zip(self.odds.shape, self.times.shape, strict=True)]
        self.times, self.returns = np.pad(self.times, more), np.pad(self.returns, more)
