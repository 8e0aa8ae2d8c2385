"""What an episode costs and tells where its tree is too large: from simulated episodes, the same for every policy.

`SAMPLES` episodes are simulated, the same number under each class, with the same random numbers for every policy. Each
stands for every class, weighted by its likelihood over that of the sampled mixture (balance heuristic, Veach and Guibas
1995). The weights of a class are normalised, so that two classes with the same observations are not told apart. `error`
bounds the standard error of an expected regret: a regret lies in [0, H].
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from parley.core.draws import sample_rows
from parley.core.said import decode
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.plans import Plan
from parley.theory.posterior import bail
from parley.theory.tree import EpisodeTree
from parley.theory.trials import Told, Trials, greedy

SAMPLES = 512
NODES = 4_000  # of a step of the tree of the first steps, which every plan is worked out on

# row of each visit, step from 1, places (M, C) and likelihoods (M, C) of all classes, node (M) or -1 -> probs (M, G)
Law = Callable[[np.ndarray, int, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class SampledTrials(Trials):
    """Evaluates policies by simulation; its tree is that of the first steps, as far as it can be written down."""

    def __init__(self, beliefs: Beliefs, classes: Classes) -> None:
        latents = tuple(group[0] for group in classes.members)
        self._take(EpisodeTree(beliefs, latents, to_the_end=True, max_nodes=NODES, short=True))
        self.beliefs, num = beliefs, len(latents)
        self.truth = np.repeat(np.arange(num), max(8, SAMPLES // num))
        rng = np.random.Generator(np.random.Philox(key=0))
        self._uniform = rng.random((beliefs.tables.horizon + 1, 2, len(self.truth)))

    @property
    def error(self) -> float:
        """Of an episode's expected regret: a bound of its standard error, before weights."""
        return float(self.beliefs.tables.horizon / (2 * np.sqrt(len(self.truth))))

    def play(self, weights: Float[np.ndarray, "R C"], instruction: int) -> Told:
        def greedily(row: np.ndarray, step: int, place: np.ndarray, like: np.ndarray, node: np.ndarray) -> np.ndarray:
            return self._greedy(weights[row] * like, step, place, instruction)

        return self._simulate(len(weights), instruction, greedily)

    def imitate(self, belief: Float[np.ndarray, "R C"], instruction: int, how: str) -> Told:
        def mixing(row: np.ndarray, step: int, place: np.ndarray, like: np.ndarray, node: np.ndarray) -> np.ndarray:
            joint = belief[row] * like
            total = joint.sum(axis=1, keepdims=True)
            joint = np.where(total > 0, joint / np.where(total > 0, total, 1.0), belief[row])
            experts = self.beliefs.policy(step, place, self.latents[None], np.full((1, 1), instruction))
            return decode(bail(joint, experts), how)

        return self._simulate(len(belief), instruction, mixing)

    def follow(self, plan: Plan, belief: Float[np.ndarray, " C"], instruction: int) -> Told:
        """Follow R plans as far as the tree goes, then greedily on the belief."""

        def planned(row: np.ndarray, step: int, place: np.ndarray, like: np.ndarray, node: np.ndarray) -> np.ndarray:
            if step <= len(plan):
                return plan[step - 1][row, node]
            return self._greedy(belief * like, step, place, instruction)

        return self._simulate(len(plan[0]), instruction, planned)

    def beyond(self, belief: Float[np.ndarray, " C"], instruction: int) -> Float[np.ndarray, " E"]:
        """At least the regret of the first step after the tree's ends, played greedily on the belief."""
        if self.tree.whole:
            return super().beyond(belief, instruction)
        q = self.beliefs.levels[len(self.tree.steps)].q[self.tree.end_place, instruction]  # E C G
        loss = (q.max(axis=2, keepdims=True) - q) * (belief * self.likelihood)[:, :, None]
        return loss.sum(axis=1).min(axis=1)

    def _greedy(self, weights: np.ndarray, step: int, place: np.ndarray, instruction: int) -> np.ndarray:
        total = weights.sum(axis=1, keepdims=True)
        weights = np.where(total > 0, weights / np.where(total > 0, total, 1.0), 1.0)
        return greedy(self.beliefs, step, place, self.latents[None], np.full((1, 1), instruction), weights)

    def _simulate(self, num: int, instruction: int, law: Law) -> Told:
        """R policies on the same simulated episodes, one after the other in the answer."""
        beliefs, size, num_o = self.beliefs, len(self.truth), len(self.beliefs.tables.observations)
        row, truth = np.repeat(np.arange(num), size), np.tile(self.truth, num)
        at = np.arange(len(row))
        u = np.tile(self._uniform, (1, 1, num))
        seen = sample_rows(beliefs.first_prob[self.latents[truth]], u[0, 0])
        place, prob = beliefs.begin(self.latents[None], seen[:, None])
        log = np.log(np.maximum(prob, 1e-300))
        node, paid = self.tree.first[seen], np.zeros_like(log)
        for step in range(1, beliefs.tables.horizon + 1):
            like = np.exp(log - log.max(axis=1, keepdims=True))
            chosen = law(row, step, place, like, node)
            q = beliefs.optimal(step, place, self.latents[None], np.full((1, 1), instruction))  # M C G
            paid += q.max(axis=2) - np.einsum("mcg,mg->mc", q, chosen)
            subgoal = sample_rows(chosen, u[step, 0])
            law_o = beliefs.predict(step, place[at, truth], self.latents[truth], subgoal)
            seen = np.minimum(sample_rows(law_o, u[step, 1]), num_o - 1)
            if step < len(self.tree.steps):
                node = self.tree.steps[step - 1].child[node, subgoal, seen]
            place, prob = beliefs.advance(step, place, self.latents[None], subgoal[:, None], seen[:, None])
            log = log + np.log(np.maximum(prob, 1e-300))
        return self._told(row, log, paid, num)

    def _told(self, row: np.ndarray, log: np.ndarray, paid: np.ndarray, num: int) -> Told:
        """Each simulated episode, weighed for every class."""
        like = np.exp(log - log.max(axis=1, keepdims=True))
        ends = (like / like.mean(axis=1, keepdims=True)).reshape(num, -1, like.shape[1])
        ends /= np.maximum(ends.sum(axis=1, keepdims=True), 1e-300)
        loss = (ends * paid.reshape(ends.shape)).sum(axis=1)
        return Told(loss, row, ends.reshape(-1, like.shape[1]))
