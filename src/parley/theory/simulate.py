"""BAIL on its own, run on the tables for all true latents at once: where beliefs are too many for an exact chain."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parley.core.draws import sample_rows
from parley.core.said import decode
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.posterior import bail, normalised

# A run that believes the truth but for this is over. Under the truth the odds against it are expected never to rise. So
# the omitted part is of this order times the largest loss, an episode.
SETTLED = 1e-6


@dataclass(frozen=True)
class Simulated:
    """Expected regret of each episode, as charged along the path, and the beliefs afterwards."""

    loss: Float[np.ndarray, "C R T"]
    belief: Float[np.ndarray, "C R C"]
    work: int  # steps taken, times the latents followed in each


def simulate(
    beliefs: Beliefs,
    classes: Classes,
    how: str,
    instructions: tuple[int, ...],
    runs: int,
    episodes: int,
    seed: int = 0,
    batch: int = 0,
) -> Simulated:
    """`runs` runs a latent from the prior, no exploration, instructions drawn alike from some; one seed, one answer.

    Another `batch` holds other runs.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, batch]))
    latent = np.array([group[0] for group in classes.members])
    num, horizon = len(latent), beliefs.tables.horizon
    truths = np.repeat(np.arange(num), runs)
    with np.errstate(divide="ignore"):
        weights = np.tile(np.log(classes.prior), (len(truths), 1))
    losses, work = np.zeros((len(truths), episodes)), 0
    live = np.flatnonzero(classes.prior[truths] > 0)
    for t in range(episodes):
        at, drawn = live, rng.random((horizon + 1, 2, len(truths)))
        truth, everyone = truths[at], np.broadcast_to(latent, (len(at), num))
        rows, belief = np.arange(len(at)), weights[at]
        asked = rng.choice(instructions, size=(runs,))[at % runs][:, None]
        seen = sample_rows(beliefs.first_prob[latent[truth]], drawn[0, 0, at])
        place, prob = beliefs.begin(everyone, seen[:, None])
        for h in range(1, horizon + 1):
            with np.errstate(divide="ignore"):
                belief = belief + np.log(prob)
            law = decode(bail(normalised(belief), beliefs.policy(h, place, everyone, asked)), how)
            mine = place[rows, truth]
            q = beliefs.optimal(h, mine, latent[truth], asked[:, 0])
            losses[at, t] += q.max(axis=1) - (law * q).sum(axis=1)
            subgoal = sample_rows(law, drawn[h, 0, at])
            seen = sample_rows(beliefs.predict(h, mine, latent[truth], subgoal), drawn[h, 1, at])
            place, prob = beliefs.advance(h, place, everyone, subgoal[:, None], seen[:, None])
        with np.errstate(divide="ignore"):
            belief = belief + np.log(prob)
        weights[at] = belief - belief.max(axis=1, keepdims=True)
        live = at[normalised(weights[at])[rows, truth] <= 1 - SETTLED]
        work += len(at) * horizon * num
        if not len(live):
            break
    return Simulated(losses.reshape(num, runs, episodes), normalised(weights).reshape(num, runs, num), work)


def most_lost(beliefs: Beliefs, classes: Classes, instructions: tuple[int, ...]) -> Float[np.ndarray, " C"]:
    """What an episode can be charged at most under each latent: at each step the worst subgoal, at the worst belief."""
    latent, tables, asked = [group[0] for group in classes.members], beliefs.tables, list(instructions)
    most = np.zeros(len(latent))
    for h in range(1, tables.horizon + 1):
        for c, z in enumerate(latent):
            if h <= len(beliefs.levels):
                level = beliefs.levels[h - 1]
                q = level.q[level.latent == z][:, asked]
            else:  # values of the last step are linear in the belief: the worst is a state known for sure
                certain = np.eye(len(tables.states))
                q = np.stack([beliefs.optimal(h, certain, np.full(len(certain), z), np.array([w])) for w in asked], 1)
            most[c] += np.ptp(q, axis=2).max(initial=0.0)
    return most
