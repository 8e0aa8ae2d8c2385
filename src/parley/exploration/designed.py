"""A designed exploration policy (`theory.design`) as an Explorer's pi_e: it follows the episode through its tree."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from parley.core.said import Menu, Moment, Opening, Outcome
from parley.core.tables import Tables
from parley.exploration.explorers import uniform_policy
from parley.theory.design import Design


class DesignedPolicy:
    """Distributions over joint subgoals, by the node of the episode tree at which each run stands. Actors' parts are
    chosen one by one.

    `designs` holds one design, or one for each instruction in the order of the tables. Where no latent can have
    produced what was said the policy is uniform for the rest of the episode.
    """

    def __init__(self, tables: Tables, designs: Sequence[Design]) -> None:
        assert len(designs) in (1, len(tables.instructions))
        self.tables, self.tree = tables, designs[0].tree
        self.sizes = [len(menu) for menu in tables.menus]
        alike = np.tile(tables.at_random, (len(designs), 1, 1))
        laws = [np.stack(at) for at in zip(*(design.policy for design in designs), strict=True)]
        self.laws = [np.concatenate([law, alike], axis=1) for law in laws]  # design, node (the last: nowhere), subgoal

    def hear(self, said: Opening | Outcome) -> None:
        seen = self.tables.observation_words.encode(said.observations)
        if isinstance(said, Opening):
            self.which = np.zeros(len(seen), dtype=np.intp)
            if len(self.laws[0]) > 1:
                self.which = self.tables.instruction_words.encode(said.instructions)
            self.node: Int[np.ndarray, " B"] = self.tree.first[seen]
        elif said.step < self.tables.horizon:
            child = self.tree.steps[said.step - 1].child[self.node, self.tables.joint(said.subgoals), seen]
            self.node = np.where(said.active & (self.node >= 0), child, -1)
        self.joint: np.ndarray | None = None

    def __call__(self, menu: Menu, moment: Moment, num_runs: int) -> Float[np.ndarray, "B M"]:
        if self.joint is None or moment.actor == 0:
            self.joint = self.laws[moment.step - 1][self.which, self.node].reshape(num_runs, *self.sizes)
        part = self.joint.sum(axis=tuple(range(2, self.joint.ndim)))
        total = part.sum(axis=1, keepdims=True)
        part = part / np.where(total > 0, total, 1.0)
        self._order = None
        if len(menu.sentences) > 1 or tuple(menu.sentences[0]) != self.tables.menus[moment.actor]:
            order = self.tables.menu_words[moment.actor].encode(menu.sentences)
            self._order = np.broadcast_to(order, (num_runs, order.shape[1]))
            part = np.take_along_axis(part, self._order, axis=1)
        return np.where(part.sum(axis=1, keepdims=True) > 0, part, uniform_policy(menu, moment, num_runs))

    def chose(self, index: Int[np.ndarray, " B"]) -> None:
        if self.joint is None or self.joint.ndim == 2:
            return
        rows = np.arange(len(index))
        self.joint = self.joint[rows, index if self._order is None else self._order[rows, index]]
