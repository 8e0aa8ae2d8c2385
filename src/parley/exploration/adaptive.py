"""Exploration bought only where it is needed: the value of finding out against its cost, over the episodes that remain.

At the start of an episode, with the exact posterior b and the incumbent j = argmax b, following the expert of another
latent z for one episode is a trial. It costs what j's expert would earn more, averaged over b. Doing without costs, if
z is true, V*_z minus what j's expert earns there, in each episode until the planner's own choices give z away; with
affinity a between z and j under j's expert that takes about log(b_j / b_z) / (-2 log a) episodes, or for ever if a = 1.
The trial is made if b(z) times that loss exceeds the cost of the trials needed: a Bayesian criterion, so a latent that
trials have made improbable is given up for good with a probability of the order of cost / (loss T).
"""

from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.roles import State
from parley.core.said import Choice, Menu, Moment, Opening, Outcome, Proposal, decode
from parley.theory.beliefs import Beliefs
from parley.theory.cross import CrossTable

TINY = 1e-12


class Reader(Protocol):
    """Follows every latent's filter and the posterior; an exact planner does."""

    place: np.ndarray
    instruction: np.ndarray

    def start(self, draws: Draws) -> None: ...

    def hear(self, said: Opening | Outcome) -> None: ...

    @property
    def posterior(self) -> Float[np.ndarray, "B Z"]: ...

    def snapshot(self) -> State: ...

    def restore(self, state: State) -> None: ...


class AdaptiveExplorer:
    """Executes the planner's proposals, except in episodes in which some latent's expert is worth following."""

    def __init__(self, beliefs: Beliefs, table: CrossTable, reader: Reader) -> None:
        self.beliefs, self.table, self.reader = beliefs, table, reader

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        self.draws, self.num_episodes = draws, num_episodes
        self.reader.start(draws)
        self.followed: Int[np.ndarray, " B"] = np.full(draws.num_runs, -1)

    def hear(self, said: Opening | Outcome) -> None:
        self.reader.hear(said)
        if isinstance(said, Opening):
            remaining = self.num_episodes - said.episode
            self.followed = self._worth_following(self.reader.posterior, self.reader.instruction[:, 0], remaining)

    def _worth_following(
        self, b: Float[np.ndarray, "B Z"], w: Int[np.ndarray, " B"], remaining: int
    ) -> Int[np.ndarray, " B"]:
        """The latent whose expert is followed in this episode by each run; -1 where none is worth it."""
        rows, j = np.arange(len(b)), b.argmax(axis=1)
        value = self.table.value[:, :, w].transpose(2, 0, 1)  # B Z (true) Z (followed)
        incumbent = value[rows, :, j]  # B Z: what the incumbent's expert earns in each world
        loss = np.maximum(np.diagonal(value, axis1=1, axis2=2) - incumbent, 0)
        own = np.minimum(self.table.affinity[:, :, w].transpose(2, 0, 1), 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.log(b[rows, j])[:, None] - np.log(b)
            tells = -2 * np.log(own[rows, :, j])  # nats an episode of the planner's own choices
            wait = np.where(tells > TINY, odds / np.maximum(tells, TINY), np.inf)
            told = -2 * np.log(np.maximum(own[rows, j], TINY))  # nats an episode of following z, j being true
            trials = np.maximum(1.0, odds / np.maximum(told, TINY))
        wait = np.clip(wait, 0.0, remaining)
        cost = (b[:, :, None] * np.maximum(incumbent[:, :, None] - value, 0)).sum(axis=1)  # B Z (followed)
        with np.errstate(invalid="ignore"):
            gain = b * loss * wait - cost * np.where(np.isfinite(trials), trials, remaining)
        gain = np.where((b > 0) & (loss > TINY), gain, -np.inf)
        gain[rows, j] = -np.inf
        best = gain.argmax(axis=1)
        return np.where(gain[rows, best] > 0, best, -1)

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        law = decode(proposal.probs, how)
        trial = self.followed >= 0
        if trial.any():
            place = self.reader.place[trial, self.followed[trial]]
            instruction = self.reader.instruction[trial, 0]
            law = law.copy()
            law[trial] = self.beliefs.policy(moment.step, place, self.followed[trial], instruction)
        u = self.draws.uniform(Purpose.SUBGOAL, moment.episode, moment.step, moment.actor)
        return Choice(sample_rows(law, u), trial, law)

    def snapshot(self) -> State:
        return self.reader.snapshot()

    def restore(self, state: State) -> None:
        self.reader.restore(state)
