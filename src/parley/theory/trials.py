"""What an episode costs and tells when it is played on a belief, for every true latent: exact, on its tree.

A *belief policy* of weights v plays, at every history, the subgoal with the least expected regret under v updated by
that history. With the posterior as v it exploits. With more weight on one latent it is a trial of that latent. BAIL on
the same belief mixes the experts instead.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from parley.core.rows import row_max
from parley.core.said import TIE, decode
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.plans import Plan
from parley.theory.tree import EpisodeTree, Nodes

MAX_NODES = 40_000  # of one step
CHUNK = 2**22  # numbers held at once
LEAST = 1e-12  # probability of an end, in logarithms: rarer ends count as this


# rows and nodes (M) of visits, their step from 0 -> the probabilities at each (M, G)
Law = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class Told:
    """Of R belief policies in one episode: expected regret under each class, and the probabilities of the ends they
    reach.

    The ends of all are listed one after the other, `row` says whose an end is.
    """

    loss: Float[np.ndarray, "R C"]
    row: Int[np.ndarray, " E"]
    ends: Float[np.ndarray, "E C"]  # P_c(end)

    def pairs(self) -> Float[np.ndarray, "R C C"]:
        """sum over ends of sqrt(P_c P_c'), for every pair of classes: 1 tells nothing.

        Over n episodes the odds of a true c against c' grow like its power -2n, pessimistically.
        """
        root = np.sqrt(self.ends)
        cuts = np.searchsorted(self.row, np.arange(1, len(self.loss)))
        return np.minimum([part.T @ part for part in np.split(root, cuts)], 1.0)

    def nats(self) -> Float[np.ndarray, "R C C"]:
        """Nats that an episode tells for c against c', on average where c is true (Kullback and Leibler 1951)."""
        cuts = np.searchsorted(self.row, np.arange(1, len(self.loss)))
        log = np.log(np.maximum(self.ends, LEAST))
        parts = zip(np.split(self.ends, cuts), np.split(log, cuts), strict=True)
        return np.maximum([(part * own).sum(axis=0)[:, None] - part.T @ own for part, own in parts], 0.0)

    def over_ends(self, each: Float[np.ndarray, "E *C"]) -> Float[np.ndarray, "R *C"]:
        """The sum over the ends of every run."""
        return _by_row(each, self.row, len(self.loss))

    def of_rows(self, rows: Int[np.ndarray, " r"]) -> "Told":
        """That of some of the policies, which may come more than once."""
        first = np.searchsorted(self.row, rows)
        number = np.searchsorted(self.row, rows, side="right") - first
        row, ends = _ranges(first, number)
        return Told(self.loss[rows], row, self.ends[ends])


class Trials:
    """Evaluates belief policies of one family; raises `BadInput` where the tree of its episode is too large."""

    def __init__(self, beliefs: Beliefs, classes: Classes) -> None:
        latents = tuple(group[0] for group in classes.members)
        self._take(EpisodeTree(beliefs, latents, to_the_end=True, max_nodes=MAX_NODES))
        self._edges = [Edges.of(self.tree, h + 1) for h in range(len(self.tree.steps))]
        widest = max(max(len(nodes.place) for nodes in self.tree.steps), len(self.tree.ends))
        self.chunk = max(1, CHUNK // (widest * max(beliefs.tables.num_subgoals, len(self.latents))))

    def _take(self, tree: EpisodeTree) -> None:
        self.tree, self.latents = tree, tree.latents
        num_w = len(tree.beliefs.tables.instructions)
        self._loss = [[np.ascontiguousarray(loss) for loss in tree.loss(w)] for w in range(num_w)]
        self.likelihood = tree.ends**2 * len(self.latents)  # E C

    def losses(self, instruction: int) -> list[Float[np.ndarray, "n G C"]]:
        """Regret under each class of each subgoal at each node, by step, for a visit of unit mass."""
        return self._loss[instruction]

    def play(self, weights: Float[np.ndarray, "R C"], instruction: int) -> Told:
        """Play the belief policies of R rows of weights (they need not sum to one) under one instruction."""

        def greedily(row: np.ndarray, node: np.ndarray, step: int) -> np.ndarray:
            likelihood = self.tree.steps[step].root[node] ** 2
            return self._law(weights[row], likelihood, self._loss[instruction][step][node])

        return self._whole(len(weights), instruction, greedily)

    def beyond(self, belief: Float[np.ndarray, " C"], instruction: int) -> Float[np.ndarray, " E"]:
        """Regret to come after each end of the tree, per unit of the end's mass: none, since the episode is over."""
        return np.zeros(len(self.likelihood))

    def follow(self, plan: Plan, belief: Float[np.ndarray, " C"], instruction: int) -> Told:
        """Follow R plans, each with probabilities of subgoals at every node; the belief is for trees that end early."""

        def planned(row: np.ndarray, node: np.ndarray, step: int) -> np.ndarray:
            return plan[step][row, node]

        return self._whole(len(plan[0]), instruction, planned)

    def imitate(self, belief: Float[np.ndarray, "R C"], instruction: int, how: str) -> Told:
        """The same of BAIL on R beliefs, decoded `how`: what a planner without an explorer does."""

        def mixing(row: np.ndarray, node: np.ndarray, step: int) -> np.ndarray:
            nodes: Nodes = self.tree.steps[step]
            posterior = belief[row] * nodes.root[node] ** 2
            total = posterior.sum(axis=1, keepdims=True)
            posterior = np.where(total > 0, posterior / np.where(total > 0, total, 1.0), belief[row])
            experts = self.tree.beliefs.levels[step].policy[nodes.place[node], instruction]  # M C G
            return decode(np.einsum("mc,mcg->mg", posterior, experts), how)

        return self._whole(len(belief), instruction, mixing)

    def _whole(self, num: int, instruction: int, law: Law) -> Told:
        cuts = range(0, num, self.chunk)
        parts = [self._play(a, min(a + self.chunk, num), instruction, law) for a in cuts]
        row = np.concatenate([a + part.row for a, part in zip(cuts, parts, strict=True)])
        return Told(np.concatenate([part.loss for part in parts]), row, np.concatenate([part.ends for part in parts]))

    def _play(self, first: int, last: int, instruction: int, law: Law) -> Told:
        """Visit by visit, from the first observation to the ends: a belief policy comes to few of the nodes."""
        num, start = last - first, self.tree.start()
        paid = np.zeros((num, len(self.latents)))
        row, node = np.divmod(np.arange(num * len(start)), len(start))
        mass = start[node]
        for h, (loss, edges) in enumerate(zip(self._loss[instruction], self._edges, strict=True)):
            probs = law(first + row, node, h)
            visit, subgoal = np.nonzero(probs)
            row, node, mass = row[visit], node[visit], mass[visit] * probs[visit, subgoal]
            paid += _by_row(mass[:, None] * loss[node, subgoal], row, num)
            row, node, mass = edges.follow(row, node * probs.shape[1] + subgoal, mass, num)
        return Told(paid, row, mass[:, None] * self.likelihood[node])

    def _law(
        self, weights: Float[np.ndarray, "M C"], likelihood: Float[np.ndarray, "M C"], loss: Float[np.ndarray, "M G C"]
    ) -> Float[np.ndarray, "M G"]:
        """The greedy distribution at each visit, ties shared; where the weights exclude a node, greedy on equal
        weights.
        """
        total = np.einsum("mc,mc->m", weights, likelihood)
        weights = np.where(total[:, None] > 0, weights, 1.0)
        total = np.where(total > 0, total, likelihood.sum(axis=1))
        score = (loss @ weights[:, :, None])[:, :, 0]
        score /= total[:, None] * loss.shape[2]  # regret an episode, of a node visited for certain
        best = score <= score.min(axis=1, keepdims=True) + TIE
        return best / best.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Edges:
    """What may follow a subgoal at a node: of each of S pairs, as n G + g, a range of the T edges."""

    first: Int[np.ndarray, " S"]
    number: Int[np.ndarray, " S"]
    target: Int[np.ndarray, " T"]
    prob: Float[np.ndarray, " T"]
    size: int  # nodes that there are to follow

    @classmethod
    def of(cls, tree: EpisodeTree, step: int) -> "Edges":
        source, target, prob, size = tree.edges(step)  # by source
        number = np.bincount(source)
        return cls(np.cumsum(number) - number, number, target, prob, size)

    def follow(self, row: np.ndarray, source: np.ndarray, mass: np.ndarray, num: int) -> tuple[np.ndarray, ...]:
        """Run, node and mass of the visits that follow, those of one run to one node merged."""
        of, edge = _ranges(self.first[source], self.number[source])
        index = row[of] * self.size + self.target[edge]
        found = np.bincount(index, weights=mass[of] * self.prob[edge], minlength=num * self.size)
        seen = np.flatnonzero(found)
        return seen // self.size, seen % self.size, found[seen]


def _ranges(first: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranges of `number` indices from `first` on, one after the other: which range each is of, and the index."""
    of = np.repeat(np.arange(len(number)), number)
    return of, np.arange(len(of)) - np.repeat(np.cumsum(number) - number - first, number)


def _by_row(each: np.ndarray, row: np.ndarray, num: int) -> np.ndarray:
    """Sums of entries that are sorted by row; every row occurs."""
    return np.add.reduceat(each, np.searchsorted(row, np.arange(num)), axis=0)


def greedy(
    beliefs: Beliefs,
    step: int,
    place: np.ndarray,
    latent: Int[np.ndarray, "B Z"],
    instruction: Int[np.ndarray, "B 1"],
    weights: Float[np.ndarray, "B Z"],
) -> Float[np.ndarray, "B G"]:
    """The belief policy's probabilities of subgoals in each run: `weights` are the latents' after the history."""
    q = beliefs.optimal(step, place, latent, instruction)  # B Z G
    score = ((row_max(q, keepdims=True) - q) * weights[:, :, None]).sum(axis=1)
    score = np.where(beliefs.tables.at_random > 0, score, np.inf)  # forbidden subgoals only tie there
    best = score <= -row_max(-score, keepdims=True) + TIE * weights.sum(axis=1, keepdims=True)
    return best / best.sum(axis=1, keepdims=True)
