"""BAIL on its own, run on the tables for all true latents at once: where beliefs are too many for an exact chain."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parley.core.draws import sample_rows
from parley.core.said import decode
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.posterior import bail, normalised


@dataclass(frozen=True)
class Simulated:
    """Expected regret of each episode, as charged along the path, and the beliefs afterwards."""

    loss: Float[np.ndarray, "C R T"]
    belief: Float[np.ndarray, "C R C"]


def simulate(
    beliefs: Beliefs, classes: Classes, how: str, instructions: tuple[int, ...], runs: int, episodes: int, seed: int = 0
) -> Simulated:
    """`runs` runs a latent from the prior, no exploration, instructions drawn alike from some; one seed, one answer."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    latent = np.array([group[0] for group in classes.members])
    num, horizon = len(latent), beliefs.tables.horizon
    truth = np.repeat(np.arange(num), runs)
    rows = np.arange(len(truth))
    everyone = np.broadcast_to(latent, (len(truth), num))
    with np.errstate(divide="ignore"):
        weights = np.tile(np.log(classes.prior), (len(truth), 1))
    losses = np.zeros((len(truth), episodes))
    for t in range(episodes):
        asked = rng.choice(instructions, size=(runs,))[np.arange(len(truth)) % runs][:, None]
        seen = sample_rows(beliefs.first_prob[latent[truth]], rng.random(len(truth)))
        place, prob = beliefs.begin(everyone, seen[:, None])
        for h in range(1, horizon + 1):
            with np.errstate(divide="ignore"):
                weights = weights + np.log(prob)
            law = decode(bail(normalised(weights), beliefs.policy(h, place, everyone, asked)), how)
            mine = place[rows, truth]
            q = beliefs.optimal(h, mine, latent[truth], asked[:, 0])
            losses[:, t] += q.max(axis=1) - (law * q).sum(axis=1)
            subgoal = sample_rows(law, rng.random(len(truth)))
            seen = sample_rows(beliefs.predict(h, mine, latent[truth], subgoal), rng.random(len(truth)))
            place, prob = beliefs.advance(h, place, everyone, subgoal[:, None], seen[:, None])
        with np.errstate(divide="ignore"):
            weights = weights + np.log(prob)
        weights = weights - weights.max(axis=1, keepdims=True)
    return Simulated(losses.reshape(num, runs, episodes), normalised(weights).reshape(num, runs, num))
