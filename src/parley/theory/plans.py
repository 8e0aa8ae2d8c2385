"""The best plan for one episode, given what every way that it may end is worth: backward induction on its tree.

A belief b and a value of each end (a function of the belief after it) determine the plan of least cost. The cost is
today's regret plus the regret still to come after the end. So a plan may begin with a subgoal that only informs, and
then act on the answer. With a value that is linear in an end's likelihoods this is the belief policy of b. Every value
that is concave in the belief pays for information.
"""

import numpy as np
from jaxtyping import Float

from parley.core.said import TIE
from parley.theory.tree import EpisodeTree

Plan = list[Float[np.ndarray, "R n G"]]  # by step, the probabilities of R plans at each node


def decisions(
    tree: EpisodeTree,
    losses: list[Float[np.ndarray, "n G C"]],
    belief: Float[np.ndarray, "b C"],
    later: Float[np.ndarray, "m E"],
) -> list[Float[np.ndarray, "m n G"]]:
    """Regret-to-come of every subgoal at every node, for a visit of unit mass under equal weights, by step.

    `losses` are the tree's under one instruction; `later` is what comes after each end, per unit of the end's mass.
    There are as many beliefs as rows of `later`, or one for all.
    """
    found: list[np.ndarray] = []
    forbidden = tree.beliefs.tables.at_random == 0
    for h in range(len(tree.steps), 0, -1):
        source, target, prob, _ = tree.edges(h)
        starts = np.flatnonzero(np.diff(source, prepend=-1))
        loss = losses[h - 1]
        total = np.zeros((len(later), loss.shape[0] * loss.shape[1]))
        total[:, source[starts]] = np.add.reduceat(later[:, target] * prob, starts, axis=1)
        paid = (loss.reshape(-1, loss.shape[2]) @ belief.T).T
        q = (paid + total).reshape(len(later), *loss.shape[:2])
        q[:, :, forbidden] = np.inf
        found.append(q)
        later = q.min(axis=2)
    return found[::-1]


def best_plan(
    tree: EpisodeTree,
    losses: list[Float[np.ndarray, "n G C"]],
    belief: Float[np.ndarray, " C"],
    later: Float[np.ndarray, "R E"],
) -> Plan:
    """The plans of least cost in all on one belief, ties shared; forbidden joint subgoals are left out."""
    plan = []
    for q in decisions(tree, losses, belief[None], later):
        best = q <= q.min(axis=2, keepdims=True) + TIE
        plan.append(best / best.sum(axis=2, keepdims=True))
    return plan
