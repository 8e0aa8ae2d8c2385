"""What an episode costs and tells when it is played on a belief, for every true latent: exact, on its tree.

A *belief policy* of weights v plays, at every history, the subgoal with the least expected regret under v updated by
what was seen: with the posterior as v it exploits, with more weight on one latent it is a trial of that latent.
BAIL on the same belief mixes the experts instead.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.rows import row_max
from parley.core.said import TIE, decode
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.tree import EpisodeTree, Nodes

MAX_NODES = 40_000  # of one step
CHUNK = 2**22  # numbers held at once


Law = Callable[[np.ndarray, int], np.ndarray]  # weights (R, C), step from 0 -> the law at each node (R, n, G)


@dataclass(frozen=True)
class Told:
    """Of R belief policies in one episode: expected regret under each class, and the law of the tree's ends."""

    loss: Float[np.ndarray, "R C"]
    ends: Float[np.ndarray, "R E C"]  # P_c(end)

    def affinity(self, belief: Float[np.ndarray, "R C"]) -> Float[np.ndarray, "R C"]:
        """sum over ends of sqrt(P_c P_rest), P_rest the mixture of the other classes by their belief: 1 tells nothing.

        Over n episodes the odds of a true c against the rest grow like affinity^(-2n), pessimistically.
        """
        rest = np.maximum((self.ends @ belief[:, :, None]) - self.ends * belief[:, None], 0.0)
        others = np.maximum(1 - belief, 1e-300)[:, None]
        return np.minimum(np.sqrt(self.ends * rest / others).sum(axis=1), 1.0)

    def affinity_of(self, group: Bool[np.ndarray, "R C"], belief: Float[np.ndarray, "R C"]) -> Float[np.ndarray, " R"]:
        """The same of a group of classes, they too mixed by their belief, and the rest."""
        mine, rest = (self._mixed(np.where(side, belief, 0.0)) for side in (group, ~group))
        return np.minimum(np.sqrt(mine * rest).sum(axis=1), 1.0)

    def _mixed(self, weights: Float[np.ndarray, "R C"]) -> Float[np.ndarray, "R E"]:
        """The law of the ends under a mixture of classes."""
        return (self.ends @ weights[:, :, None])[:, :, 0] / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)


class Trials:
    """Evaluates belief policies of one family; raises `BadInput` where the tree of its episode is too large."""

    def __init__(self, beliefs: Beliefs, classes: Classes) -> None:
        self.latents = np.array([group[0] for group in classes.members])
        self.tree = EpisodeTree(beliefs, tuple(self.latents.tolist()), to_the_end=True, max_nodes=MAX_NODES)
        num_w = len(beliefs.tables.instructions)
        self._loss = [[loss for loss in self.tree.loss(w)] for w in range(num_w)]
        self._edges = [self.tree.edges(h + 1) for h in range(len(self.tree.steps))]
        self._likelihood = self.tree.ends**2 * len(self.latents)  # E C
        widest = max(max(len(nodes.place) for nodes in self.tree.steps), len(self.tree.ends))
        self.chunk = max(1, CHUNK // (widest * max(beliefs.tables.num_subgoals, len(self.latents))))
        self.at_once = max(1, CHUNK // self._likelihood.size)  # rows of `Told` that fit into memory together

    def play(self, weights: Float[np.ndarray, "R C"], instruction: int) -> Told:
        """Play the belief policies of R rows of weights (they need not sum to one) under one instruction."""

        def greedily(weights: np.ndarray, step: int) -> np.ndarray:
            return self._law(weights, self.tree.steps[step].root ** 2, self._loss[instruction][step])

        return self._whole(weights, instruction, greedily)

    def imitate(self, belief: Float[np.ndarray, "R C"], instruction: int, how: str) -> Told:
        """The same of BAIL on R beliefs, decoded `how`: what a planner without an explorer does."""

        def mixing(belief: np.ndarray, step: int) -> np.ndarray:
            nodes: Nodes = self.tree.steps[step]
            posterior = belief[:, None] * nodes.root**2  # R n C
            total = posterior.sum(axis=2, keepdims=True)
            posterior = np.where(total > 0, posterior / np.where(total > 0, total, 1.0), belief[:, None])
            experts = self.tree.beliefs.levels[step].policy[nodes.place, instruction]  # n C G
            law = np.einsum("rnc,ncg->rng", posterior, experts)
            return decode(law.reshape(-1, law.shape[2]), how).reshape(law.shape)

        return self._whole(belief, instruction, mixing)

    def _whole(self, weights: np.ndarray, instruction: int, law: Law) -> Told:
        cuts = range(0, len(weights), self.chunk)
        parts = [self._play(weights[a : a + self.chunk], instruction, law) for a in cuts]
        return Told(np.concatenate([p.loss for p in parts]), np.concatenate([p.ends for p in parts]))

    def _play(self, weights: np.ndarray, instruction: int, law: Law) -> Told:
        num = len(weights)
        at = np.tile(self.tree.start(), (num, 1))
        paid = np.zeros_like(weights)
        for h, (loss, edges) in enumerate(zip(self._loss[instruction], self._edges, strict=True)):
            mass = at[:, :, None] * law(weights, h)
            n, g, c = loss.shape
            paid += mass.reshape(num, n * g) @ loss.reshape(n * g, c)
            source, target, prob, size = edges
            flow = mass.reshape(num, n * g)[:, source] * prob
            index = target + size * np.arange(num)[:, None]
            at = np.bincount(index.ravel(), weights=flow.ravel(), minlength=num * size).reshape(num, size)
        return Told(paid, at[:, :, None] * self._likelihood)

    def _law(self, weights: np.ndarray, likelihood: np.ndarray, loss: np.ndarray) -> Float[np.ndarray, "R n G"]:
        """The greedy law at each node, ties shared; where the weights exclude a node, greedy on equal weights."""
        total = weights @ likelihood.T  # R n
        score = np.tensordot(weights, loss, axes=(1, 2))  # R n G
        possible = total > 0
        score = np.where(possible[:, :, None], score, loss.sum(axis=2))
        total = np.where(possible, total, likelihood.sum(axis=1))
        score /= total[:, :, None] * loss.shape[2]  # regret an episode, of a node visited for certain
        best = score <= score.min(axis=2, keepdims=True) + TIE
        return best / best.sum(axis=2, keepdims=True)


def greedy(
    beliefs: Beliefs,
    step: int,
    place: np.ndarray,
    latent: Int[np.ndarray, "B Z"],
    instruction: Int[np.ndarray, "B 1"],
    weights: Float[np.ndarray, "B Z"],
) -> Float[np.ndarray, "B G"]:
    """The belief policy's law where the runs stand: `weights` are those of the latents after what was seen."""
    q = beliefs.optimal(step, place, latent, instruction)  # B Z G
    score = ((row_max(q, keepdims=True) - q) * weights[:, :, None]).sum(axis=1)
    score = np.where(beliefs.tables.at_random > 0, score, np.inf)  # what is forbidden only ties there
    best = score <= -row_max(-score, keepdims=True) + TIE * weights.sum(axis=1, keepdims=True)
    return best / best.sum(axis=1, keepdims=True)
