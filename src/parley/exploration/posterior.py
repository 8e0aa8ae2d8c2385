"""Shared by the explorers that use the exact posterior over classes of latents, with any planner."""

from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.roles import State
from parley.core.said import Choice, Menu, Moment, Opening, Outcome, Proposal
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.posterior import normalised
from parley.theory.tree import EpisodeTree
from parley.theory.trials import greedy

TINY = 1e-12


class Reader(Protocol):
    """Follows every latent's filter and the posterior; an exact planner does."""

    place: np.ndarray
    instruction: np.ndarray
    latent: np.ndarray
    log_environment: np.ndarray  # (B, Z), of this episode
    log_before: np.ndarray  # (B, Z), before what was heard last
    settled: np.ndarray  # log weights (B, Z) of the episodes before it

    def start(self, draws: Draws) -> None: ...

    def hear(self, said: Opening | Outcome) -> None: ...

    @property
    def posterior(self) -> Float[np.ndarray, "B Z"]: ...

    def snapshot(self) -> State: ...

    def restore(self, state: State) -> None: ...


class PosteriorExplorer:
    """Plays a distribution over joint subgoals that a subclass derives from the posterior.

    `owns`: the reader is this explorer's; otherwise it is the run's planner, which hears before explorers do.
    """

    def __init__(self, beliefs: Beliefs, classes: Classes, reader: Reader, owns: bool = True) -> None:
        self.beliefs, self.reader, self.owns = beliefs, reader, owns
        self.home = np.zeros((len(classes.members), beliefs.tables.num_latents))  # C Z
        for c, group in enumerate(classes.members):
            self.home[c, list(group)] = 1.0

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        self.draws, self.num_episodes = draws, num_episodes
        if self.owns:
            self.reader.start(draws)
        self.trial: Bool[np.ndarray, " B"] = np.zeros(draws.num_runs, dtype=bool)

    def hear(self, said: Opening | Outcome) -> None:
        if self.owns:
            self.reader.hear(said)

    def _believed(self) -> Float[np.ndarray, "B Z"]:
        """The posterior over latents that this explorer goes by."""
        return self.reader.posterior

    @property
    def belief(self) -> Float[np.ndarray, "B C"]:
        """The same over classes."""
        return self._believed() @ self.home.T

    @property
    def before(self) -> Float[np.ndarray, "B C"]:
        """What the posterior over classes was before anything was seen of this episode."""
        return normalised(self.reader.settled) @ self.home.T

    def _law(self, moment: Moment) -> Float[np.ndarray, "B G"]:
        """The distribution over joint subgoals at this moment. Here: greedy on the belief."""
        return self._greedily(moment, self._believed())

    def _greedily(self, moment: Moment, weights: Float[np.ndarray, "B Z"]) -> Float[np.ndarray, "B G"]:
        r = self.reader
        return greedy(self.beliefs, moment.step, r.place, r.latent, r.instruction, weights)

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        if moment.actor == 0:
            joint = self._law(moment)
            self._joint = joint.reshape(len(joint), *(len(words) for words in self.beliefs.tables.menus))
        law = self._joint.sum(axis=tuple(range(2, self._joint.ndim)))  # of this Actor, given the parts before
        law = law / np.maximum(law.sum(axis=1, keepdims=True), TINY)  # 0 only after a part that the planner proposed
        law = self._executed(law, proposal, how)
        u = self.draws.uniform(Purpose.SUBGOAL, moment.episode, moment.step, moment.actor)
        index = sample_rows(law, u)
        if self._joint.ndim > 2:
            self._joint = self._joint[np.arange(len(index)), index]
        return Choice(index, self.trial.copy(), law)

    def _executed(self, law: Float[np.ndarray, "B M"], proposal: Proposal, how: str) -> Float[np.ndarray, "B M"]:
        """The executed subgoal, given this explorer's own distribution of one Actor's part."""
        return law

    def snapshot(self) -> State:
        return self.reader.snapshot()

    def restore(self, state: State) -> None:
        if self.owns:
            self.reader.restore(state)


class NodeFollower:
    """The node of an episode tree at which each run stands; -1 where no latent can have produced what was said."""

    def __init__(self, tree: EpisodeTree) -> None:
        self.tree = tree
        self.node: Int[np.ndarray, " B"] = np.zeros(0, dtype=np.intp)

    def begin(self, seen: Int[np.ndarray, " B"]) -> None:
        """An episode has begun with these observations, as indices into the world's."""
        self.node = self.tree.first[seen]

    def advance(self, said: Outcome, joint: Int[np.ndarray, " B"], seen: Int[np.ndarray, " B"]) -> None:
        """A step has been taken: joint subgoals, and observations, as indices."""
        if said.step < len(self.tree.steps):
            child = self.tree.steps[said.step - 1].child[self.node, joint, seen]
            self.node = np.where(said.active & (self.node >= 0), child, -1)
        else:
            self.node = np.full(len(seen), -1)
