"""The Bayes-adaptive optimum as an explorer, for tiny worlds: the limit that others are measured against."""

import numpy as np
from jaxtyping import Int

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.roles import State
from parley.core.said import TIE, Choice, Menu, Moment, Opening, Outcome, Proposal
from parley.exploration.adaptive import Reader
from parley.theory.optimum import Optimum
from parley.theory.posterior import normalised


class OptimalExplorer:
    """Executes the subgoal with the least expected regret over all the episodes that remain. It ignores proposals.

    It counts on instructions in turn, as the dynamic programme does.
    """

    def __init__(self, optimum: Optimum, reader: Reader) -> None:
        self.optimum, self.reader = optimum, reader
        self.home = np.zeros((len(optimum.classes.members), optimum.beliefs.tables.num_latents))
        for c, group in enumerate(optimum.classes.members):
            self.home[c, list(group)] = 1.0

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        self.draws = draws
        self.plan = self.optimum.solve(num_episodes)
        self.reader.start(draws)

    def hear(self, said: Opening | Outcome) -> None:
        tables, tree = self.optimum.beliefs.tables, self.optimum.tree
        self.reader.hear(said)
        seen = tables.observation_words.encode(said.observations)
        if isinstance(said, Opening):
            w = int(self.reader.instruction[0, 0])
            belief = normalised(self.reader.settled) @ self.home.T
            self.decisions = self.plan.decisions(belief, said.episode, w)
            self.node: Int[np.ndarray, " B"] = tree.first[seen]
        elif said.step < len(tree.steps):
            child = tree.steps[said.step - 1].child
            self.node = child[self.node, tables.joint(said.subgoals), seen]

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        q = self.decisions[moment.step - 1][np.arange(self.draws.num_runs), self.node]
        best = q <= q.min(axis=1, keepdims=True) + TIE * np.maximum(q.max(axis=1, keepdims=True), TIE)
        law = best / best.sum(axis=1, keepdims=True)
        u = self.draws.uniform(Purpose.SUBGOAL, moment.episode, moment.step, moment.actor)
        return Choice(sample_rows(law, u), np.zeros(self.draws.num_runs, dtype=bool), law)

    def snapshot(self) -> State:
        return self.reader.snapshot()

    def restore(self, state: State) -> None:
        self.reader.restore(state)
