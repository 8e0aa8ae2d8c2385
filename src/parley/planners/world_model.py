"""The model as world model: the Planner searches in what it predicts, for the known reward (He et al. 2024, 6)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import State, WorldModel
from parley.core.said import TIE, Menu, Opening, Outcome, Proposal
from parley.core.tables import Sentences, Tables
from parley.planners.search import Question, Tree, expectimax


@dataclass(frozen=True)
class Search:
    """How far the Planner looks: `expectimax` at all histories, `tree` at as many as `budget` model calls reach.

    Observations less probable than `cut` are not imagined.
    """

    kind: str = "tree"
    budget: int = 256
    cut: float = 1e-3

    def __post_init__(self) -> None:
        if self.kind not in ("expectimax", "tree"):
            raise BadInput(f"search={self.kind!r}: expected expectimax or tree")
        if self.budget < 1:
            raise BadInput(f"budget={self.budget}: a search needs at least one model call a decision")
        if not 0 <= self.cut < 0.1:
            raise BadInput(f"cut={self.cut}: expected a small probability, at least 0 and below 0.1")

    def values(self, model: WorldModel, asked: Question) -> Float[np.ndarray, "B G"]:
        """Expected reward to come of each subgoal."""
        if self.kind == "expectimax":
            return expectimax(model, asked)
        tree = Tree(model, asked, self.budget)
        tree.grow()
        return tree.values


class WorldModelPlanner:
    """Proposes the subgoals of the largest expected reward to come, alike where they tie.

    `tables` give facts of the task: the words, the horizon and the pay of each observation; not the dynamics. With
    several Actors it searches over joint subgoals, once a step; an Actor's part is worth its best completion.
    """

    def __init__(self, model: WorldModel, tables: Tables, search: Search | None = None, decode: str = "sample") -> None:
        self.model, self.search, self.decode = model, search or Search(), decode
        self._words, self._sizes = tables.menu_words, [len(menu) for menu in tables.menus]
        self._allowed = tables.at_random > 0
        self.about = getattr(model, "about", None)
        self.subgoals, self.observations = tables.subgoals, tables.observations
        self._reward, self._horizon = tables.reward, tables.horizon
        self._instructions = tables.instruction_words

    def start(self, draws: Draws) -> None:
        self.model.start(draws)

    def hear(self, said: Opening | Outcome) -> None:
        self.model.hear(said)
        if isinstance(said, Opening):
            self._pay = self._reward.T[self._instructions.encode(said.instructions)]
        self._remaining = self._horizon - (0 if isinstance(said, Opening) else said.step)
        self._values: np.ndarray | None = None

    def tree(self) -> Tree:
        """The tree of this moment, grown by `budget` model calls for any kind of search; for inspection."""
        grown = Tree(self.model, self._question(), self.search.budget)
        grown.grow()
        return grown

    def _question(self) -> Question:
        return Question(self._pay, self._remaining, self.search.cut)

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        if self._values is None:
            values = self.search.values(self.model, self._question())
            self._values = np.where(self._allowed, values, -np.inf)
        q = self._values.reshape(len(parts), *self._sizes)
        for k in range(parts.shape[1]):
            q = q[np.arange(len(parts)), self._words[k].encode(parts[:, k])]
        q = np.where(menu.legal, q.reshape(len(parts), menu.sentences.shape[1], -1).max(axis=2), -np.inf)
        best = q >= q.max(axis=1, keepdims=True) - TIE
        silent = getattr(self.model, "silent", None)  # runs in which a server gave no usable answer
        valid = None if silent is None or not silent.any() else ~silent
        return Proposal(best / best.sum(axis=1, keepdims=True), valid=valid)

    def snapshot(self) -> State:
        return self.model.snapshot()

    def restore(self, state: State) -> None:
        self.model.restore(state)
