"""Pretraining documents: a latent, then T_p episodes with it, and the expert's label at every step (theory.md 5).

Trajectories come from a behaviour that plays uniformly and does not look at z, or (a share rho of the episodes) from
the expert of z. The label at a step is pi*_z itself rather than one subgoal drawn from it: the maximum-likelihood
objective is the same in expectation, with less variance where optimal subgoals tie.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import sample_rows
from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs


@dataclass(frozen=True)
class Documents:
    """N documents of T episodes, as indices into the lists of the world's tables."""

    latents: Int[np.ndarray, " N"]
    instructions: Int[np.ndarray, "N T"]
    observations: Int[np.ndarray, "N T H+1"]
    subgoals: Int[np.ndarray, "N T H"]  # of the behaviour
    labels: Float[np.ndarray, "N T H G"]  # pi*_z


def sample_documents(
    beliefs: Beliefs, num_documents: int, num_episodes: int, seed: tuple[int, ...], rho: float = 0.0
) -> Documents:
    """Draw documents; the same seed gives the same ones."""
    if not 0 <= rho <= 1:
        raise BadInput(f"rho={rho}: expected the share of expert trajectories, between 0 and 1")
    t, rng = beliefs.tables, np.random.default_rng(seed)
    n, horizon, num_g = num_documents, t.horizon, t.num_subgoals
    z = sample_rows(np.tile(t.prior, (n, 1)), rng.random(n))
    instructions = rng.integers(len(t.instructions), size=(n, num_episodes))
    observations = np.empty((n, num_episodes, horizon + 1), dtype=np.intp)
    subgoals = np.empty((n, num_episodes, horizon), dtype=np.intp)
    labels = np.empty((n, num_episodes, horizon, num_g))
    alike = np.full((n, num_g), 1 / num_g)
    for e in range(num_episodes):
        state = sample_rows(t.initial[z], rng.random(n))
        seen = sample_rows(t.emission[z, state], rng.random(n))
        place, _ = beliefs.begin(z, seen)
        demonstrated = (rng.random(n) < rho)[:, None]
        observations[:, e, 0] = seen
        for h in range(horizon):
            expert = beliefs.policy(h + 1, place, z, instructions[:, e])
            g = sample_rows(np.where(demonstrated, expert, alike), rng.random(n))
            state = sample_rows(t.transition[z, state, g], rng.random(n))
            seen = sample_rows(t.emission[z, state], rng.random(n))
            place, _ = beliefs.advance(h + 1, place, z, g, seen)
            labels[:, e, h], subgoals[:, e, h], observations[:, e, h + 1] = expert, g, seen
    return Documents(z, instructions, observations, subgoals, labels)
