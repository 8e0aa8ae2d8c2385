"""Search in a world model for the known reward: all histories (expectimax), or the promising ones (a tree).

The tree grows by one history a model call. The order is that of upper confidence with the model's proposals as prior
(Rosin 2011; Silver et al. 2017). Values are backed up as in dynamic programming, max over subgoals and mean over
observations (Keller and Helmert 2013). So a tree that holds all histories gives the values of expectimax.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.errors import BadInput
from parley.core.roles import WorldModel
from parley.core.said import Prediction

MAX_HISTORIES = 2**17
CHUNK = 2**11  # histories that are predicted at once
SLACK = 1e-4  # by which probabilities may miss 1
CURIOSITY = 1.0  # weight of the prior next to values, in units of reward


@dataclass(frozen=True)
class Question:
    """The decision of every run: the pay of each observation, and how many subgoals are left.

    Observations less probable than `cut` are not imagined.
    """

    pay: Float[np.ndarray, "B O"]
    remaining: int
    cut: float = 0.0

    def __post_init__(self) -> None:
        if self.remaining < 1:
            raise BadInput(f"remaining={self.remaining}: no step is left to plan")

    def imagined(self, said: Prediction) -> Float[np.ndarray, "n G O"]:
        """The prediction cut to the imagined observations; raises `BadInput` if it is not a distribution over the
        observations.
        """
        heard, number = said.observations, self.pay.shape[1]
        if heard.ndim != 3 or heard.shape[2] != number:
            raise BadInput(
                f"the world model predicts {heard.shape[-1]} observations, the world knows {number}: a prediction "
                "gives probabilities of the world's own sentences, in their order"
            )
        total = heard.sum(axis=2)
        if not (np.abs(total - 1) < SLACK).all() or (heard < 0).any():  # NaN is no probability either
            worst = total.ravel()[np.abs(total - 1).argmax()]
            raise BadInput(
                f"the world model's probabilities of observations sum to {worst:.4g}, or some are below 0: expected a "
                "probability distribution for each subgoal"
            )
        if not self.cut:
            return heard
        likely = np.where(heard < np.minimum(self.cut, heard.max(axis=2, keepdims=True)), 0.0, heard)
        return likely / likely.sum(axis=2, keepdims=True)


def expectimax(
    model: WorldModel, asked: Question, runs: Int[np.ndarray, " B"] | None = None
) -> Float[np.ndarray, "B G"]:
    """Expected reward, to the end of the episode, of each subgoal when the best is done thereafter.

    Of all runs, or of `runs`; half of them at a time, and half of these, where their histories are too many at once.
    """
    rows = runs = np.arange(len(asked.pay)) if runs is None else runs
    subgoals = observations = np.zeros((len(runs), 0), dtype=np.intp)
    levels = []  # of each depth: runs, predictions, and where in these the next depth's histories come from
    for depth in range(asked.remaining):
        heard = _all(model, asked, rows, subgoals, observations)
        n, g, o = np.nonzero(heard > 0)
        levels.append((rows, heard, (n, g, o)))
        if depth + 1 < asked.remaining and len(n) > MAX_HISTORIES:
            if len(runs) > 1:
                return np.concatenate([expectimax(model, asked, half) for half in np.array_split(runs, 2)])
            raise BadInput(
                f"search=expectimax: {len(n):,} histories of one run at depth {depth + 1} are too many (at most "
                f"{MAX_HISTORIES:,}): use search=tree"
            )
        rows = rows[n]
        subgoals = np.concatenate([subgoals[n], g[:, None]], axis=1)
        observations = np.concatenate([observations[n], o[:, None]], axis=1)
    later = np.zeros(len(rows))
    for of, heard, where in reversed(levels):
        worth = np.repeat(asked.pay[of][:, None], heard.shape[1], axis=1)
        worth[where] += later
        q = (heard * worth).sum(axis=2)
        later = q.max(axis=1)
    return q


def _all(
    model: WorldModel, asked: Question, rows: np.ndarray, subgoals: np.ndarray, observations: np.ndarray
) -> Float[np.ndarray, "n G O"]:
    parts = [slice(i, i + CHUNK) for i in range(0, len(rows), CHUNK)]
    return np.concatenate([asked.imagined(model.predict(rows[p], subgoals[p], observations[p])) for p in parts])


class Tree:
    """Trees of imagined histories, one a run, grown in lockstep. Node 0 is the present; -1 is not there.

    Legend: B runs, N nodes, G subgoals, O observations.
    """

    def __init__(self, model: WorldModel, asked: Question, budget: int) -> None:
        if budget < 1:
            raise BadInput(f"budget={budget}: a search needs at least one model call a decision")
        self.model, self.asked, self.budget = model, asked, budget
        self.runs = np.arange(len(asked.pay))
        self.size: Int[np.ndarray, " B"] = np.zeros(len(self.runs), dtype=np.intp)

    def grow(self) -> None:
        """Spend the budget; a run whose every history is in its tree spends no more."""
        nothing = np.zeros((len(self.runs), 0), dtype=np.intp)
        first = self.model.predict(self.runs, nothing, nothing)
        b, (_, num_g, num_o) = len(self.runs), first.observations.shape
        self.heard = np.zeros((b, self.budget, num_g, num_o))
        self.child = np.full((b, self.budget, num_g, num_o), -1, dtype=np.int32)
        self.open = np.zeros((b, self.budget, num_g, num_o), dtype=bool)  # histories not wholly in the tree
        self.prior = np.zeros((b, self.budget, num_g))
        self.visits = np.zeros((b, self.budget, num_g))
        self.q: Float[np.ndarray, "B N G"] = np.zeros((b, self.budget, num_g))
        self._add(self.runs, first, self.asked.remaining == 1)
        for _ in range(self.budget - 1):
            rows = np.flatnonzero(self.open[:, 0].any(axis=(1, 2)))
            if not len(rows):
                break
            self._expand(*self._descend(rows))

    def _add(self, rows: np.ndarray, said: Prediction, last: bool) -> np.ndarray:
        """A new node in each of `rows`; returns which."""
        node = self.size[rows]
        uniform = np.full(said.observations.shape[:2], 1 / said.observations.shape[1])
        heard = self.asked.imagined(said)
        self.heard[rows, node] = heard
        self.prior[rows, node] = uniform if said.proposals is None else said.proposals
        self.q[rows, node] = np.einsum("ngo,no->ng", heard, self.asked.pay[rows])
        self.open[rows, node] = False if last else heard > 0
        self.size[rows] += 1
        return node

    def _descend(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """From the present to a history that is not in the tree: rows, and the nodes, subgoals, observations, to it.

        Padded by -1 after the end. Only open ones; of the observations, the most probable one for its visits.
        """
        num, depth = len(rows), self.asked.remaining - 1
        nodes, subgoals, observations = np.full((3, num, depth), -1, dtype=np.intp)
        at, going = np.zeros(num, dtype=np.intp), np.arange(num)
        for d in range(depth):
            r, node = rows[going], at[going]
            visits, open_ = self.visits[r, node], self.open[r, node]
            bonus = self.prior[r, node] * np.sqrt(visits.sum(axis=1, keepdims=True) + 1) / (1 + visits)
            score = np.where(open_.any(axis=2), self.q[r, node] + CURIOSITY * bonus, -np.inf)
            g = score.argmax(axis=1)
            child = self.child[r, node, g]
            told = np.where(child >= 0, self.visits[r[:, None], child].sum(axis=2) + 1, 0.0)
            o = np.where(open_[np.arange(len(r)), g], self.heard[r, node, g] / (1 + told), -1.0).argmax(axis=1)
            nodes[going, d], subgoals[going, d], observations[going, d] = node, g, o
            self.visits[r, node, g] += 1
            following = self.child[r, node, g, o]
            at[going] = following
            going = going[following >= 0]
            if not len(going):
                break
        return rows, nodes, subgoals, observations

    def _expand(self, rows: np.ndarray, nodes: np.ndarray, subgoals: np.ndarray, observations: np.ndarray) -> None:
        """Predict at the histories that were reached, one depth after another, and back their values up."""
        depths = (nodes >= 0).sum(axis=1)
        for depth in np.unique(depths):
            mine = depths == depth
            r, way = rows[mine], slice(0, depth)
            said = self.model.predict(r, subgoals[mine, way], observations[mine, way])
            node = self._add(r, said, depth + 1 == self.asked.remaining)
            gain, closed = self.q[r, node].max(axis=1), ~self.open[r, node].any(axis=(1, 2))
            for d in range(depth - 1, -1, -1):
                at = (r, nodes[mine, d], subgoals[mine, d])
                o = observations[mine, d]
                if d == depth - 1:
                    self.child[*at, o] = node
                gain, closed = self._back_up(at, o, gain, closed)

    def _back_up(
        self, at: tuple[np.ndarray, ...], o: np.ndarray, gain: Float[np.ndarray, " n"], closed: Bool[np.ndarray, " n"]
    ) -> tuple[np.ndarray, np.ndarray]:
        """A history's value grew by `gain`: what that does to the node before it, and whether that is closed now."""
        before = self.q[at[:2]].max(axis=1)
        self.q[at] += self.heard[*at, o] * gain
        self.open[*at, o] &= ~closed
        return self.q[at[:2]].max(axis=1) - before, ~self.open[at[:2]].any(axis=(1, 2))

    @property
    def values(self) -> Float[np.ndarray, "B G"]:
        """Of the subgoals at the present."""
        return self.q[:, 0]
