"""What the expert of one latent earns, and tells, in the world of another: exact, over pairs of beliefs.

Following pi*_j for an episode while the truth is z earns `value[z, j, w]`, and leaves z and j as hard to tell apart as
`affinity[z, j, w]`, the sum over trajectories of sqrt(P_z P_j) (theory.md section 4).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs

MAX_PAIRS = 10_000  # ordered pairs of latents times instructions: a minute or so


@dataclass(frozen=True)
class CrossTable:
    """Expected return and affinity of every expert in every world."""

    value: Float[np.ndarray, "Z Z W"]
    affinity: Float[np.ndarray, "Z Z W"]


def cross_table(beliefs: Beliefs) -> CrossTable:
    """The table of a family; raises `BadInput` where its latents or beliefs are too many."""
    num_z, num_w = beliefs.tables.num_latents, len(beliefs.tables.instructions)
    if num_z**2 * num_w > MAX_PAIRS or any(level.prob is None for level in beliefs.levels):
        raise BadInput(
            f"world {beliefs.tables.name!r} has too many latents or beliefs to weigh exploration exactly: "
            "use epsilon-greedy"
        )
    value, affinity = np.zeros((2, num_z, num_z, num_w))
    for z in range(num_z):
        for j in range(num_z):
            for w in range(num_w):
                value[z, j, w], affinity[z, j, w] = _follow(beliefs, z, j, w)
    return CrossTable(value, affinity)


def _follow(beliefs: Beliefs, z: int, j: int, w: int) -> tuple[float, float]:
    """Return and affinity of one episode under pi*_j in the world of z.

    Once j is refuted its filter stands at node 0, here as in `Beliefs.advance`: the policy from there on is whatever
    that node says, and j gives the trajectory no more weight.
    """
    reward = beliefs.tables.reward[:, w]
    seen = np.flatnonzero(beliefs.first_prob[z] > 0)
    pairs = np.stack([beliefs.first[z, seen], beliefs.first[j, seen]], axis=1)
    mass = np.stack([beliefs.first_prob[z, seen], np.sqrt(beliefs.first_prob[z, seen] * beliefs.first_prob[j, seen])])
    total = 0.0
    for level in beliefs.levels:
        assert level.prob is not None
        pairs, merged = np.unique(pairs, axis=0, return_inverse=True)
        mass = np.stack([np.bincount(merged.ravel(), weights=part, minlength=len(pairs)) for part in mass])
        law = level.policy[pairs[:, 1], w]  # n G
        prob, other = level.prob[pairs[:, 0]], level.prob[pairs[:, 1]]  # n G O
        step = mass[0][:, None, None] * law[..., None] * prob
        shared = mass[1][:, None, None] * law[..., None] * np.sqrt(prob * other)
        total += float((step * reward).sum())
        if level.child is None:
            return total, float(shared.sum())
        n, g, o = np.nonzero(step)
        pairs = np.maximum(np.stack([level.child[pairs[n, 0], g, o], level.child[pairs[n, 1], g, o]], axis=1), 0)
        mass = np.stack([step[n, g, o], shared[n, g, o]])
    return total, float(mass[1].sum())
