"""Pretraining documents: a latent, then T_p episodes with it, and the expert's label at every step (theory.md 5).

Trajectories come from a behaviour that does not look at z, or (a share rho of the episodes) from the expert of z. The
label at a step is pi*_z itself rather than one subgoal drawn from it: the maximum-likelihood objective is the same in
expectation, with less variance where optimal subgoals tie.

Behaviours: `uniform`; or `mixed`, where half the documents are uniform and in each of the others a share of episodes
(or of steps) of its own is, the rest following an *imposter*, the expert of a latent drawn apart from z. Imposters
bring the histories of a Planner at work (fetching things; never trying the door in fifty episodes), which uniform
subgoals hardly ever do and a model would have to extrapolate to. They are no evidence about z.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import sample_rows
from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.theory.beliefs import Beliefs

BEHAVIOURS = ("mixed", "uniform")


@dataclass(frozen=True)
class Documents:
    """N documents of T episodes, as indices into the lists of the world's tables."""

    latents: Int[np.ndarray, " N"]
    instructions: Int[np.ndarray, "N T"]
    observations: Int[np.ndarray, "N T H+1"]
    subgoals: Int[np.ndarray, "N T H"]  # of the behaviour
    labels: Float[np.ndarray, "N T H G"]  # pi*_z


class _Behaviour:
    """Who acts: in each document the imitated latent (its place is filtered apart), or nobody (uniform subgoals)."""

    def __init__(self, kind: str, rho: float, tables: Tables, z: np.ndarray, rng: np.random.Generator) -> None:
        self.prior, self.z, self.rho, self.rng = np.tile(tables.prior, (len(z), 1)), z, rho, rng
        n, mixed = len(z), kind == "mixed"
        self.uniform_share = np.where((rng.random(n) < 0.5) & mixed, rng.random(n) ** 4, 1.0)
        self.by_step = rng.random(n) < 0.5
        self.restless = rng.choice([0.0, 0.3, 1.0], n)  # how often another imposter takes over at an episode's start
        self.imposter = sample_rows(self.prior, rng.random(n))

    def begin(self) -> Int[np.ndarray, " N"]:
        """An episode begins; the latents whose experts may act in it."""
        n, rng = len(self.z), self.rng
        another = sample_rows(self.prior, rng.random(n))
        self.imposter = np.where(rng.random(n) < self.restless, another, self.imposter)
        self.demonstrated = rng.random(n) < self.rho
        self.uniform = rng.random(n) < self.uniform_share
        return np.where(self.demonstrated, self.z, self.imposter)

    def act(self, imitated: Float[np.ndarray, "N G"]) -> Int[np.ndarray, " N"]:
        """One subgoal a document, from the policies of the latents that `begin` gave."""
        n, rng = len(self.z), self.rng
        self.uniform = np.where(self.by_step, rng.random(n) < self.uniform_share, self.uniform)
        alike = (self.uniform & ~self.demonstrated)[:, None]
        return sample_rows(np.where(alike, 1 / imitated.shape[1], imitated), rng.random(n))


def sample_documents(
    beliefs: Beliefs,
    num_documents: int,
    num_episodes: int,
    seed: tuple[int, ...],
    rho: float = 0.0,
    behaviour: str = "mixed",
) -> Documents:
    """Draw documents; the same seed gives the same ones."""
    if not 0 <= rho <= 1:
        raise BadInput(f"rho={rho}: expected the share of expert trajectories, between 0 and 1")
    if behaviour not in BEHAVIOURS:
        raise BadInput(f"behaviour={behaviour!r}: expected {' or '.join(map(repr, BEHAVIOURS))}")
    t, rng = beliefs.tables, np.random.default_rng(seed)
    if rho and (behaviour != "uniform" or t.num_actors > 1):
        raise BadInput(
            f"rho={rho}: expert trajectories need behaviour='uniform' and one Actor, as the oracle counts them"
        )
    n, horizon, num_g = num_documents, t.horizon, t.num_subgoals
    z = sample_rows(np.tile(t.prior, (n, 1)), rng.random(n))
    instructions = rng.integers(len(t.instructions), size=(n, num_episodes))
    observations = np.empty((n, num_episodes, horizon + 1), dtype=np.intp)
    subgoals = np.empty((n, num_episodes, horizon), dtype=np.intp)
    labels = np.empty((n, num_episodes, horizon, num_g))
    actors = _Behaviour(behaviour, rho, t, z, rng)
    for e in range(num_episodes):
        both = np.stack([z, actors.begin()], axis=1)  # whose label it is, and who may act
        state = sample_rows(t.initial[z], rng.random(n))
        seen = sample_rows(t.emission[z, state], rng.random(n))
        place, _ = beliefs.begin(both, seen[:, None])
        observations[:, e, 0] = seen
        for h in range(horizon):
            policy = beliefs.policy(h + 1, place, both, instructions[:, e, None])
            g = actors.act(policy[:, 1])
            state = sample_rows(t.transition[z, state, g], rng.random(n))
            seen = sample_rows(t.emission[z, state], rng.random(n))
            place, _ = beliefs.advance(h + 1, place, both, g[:, None], seen[:, None])
            labels[:, e, h], subgoals[:, e, h], observations[:, e, h + 1] = policy[:, 0], g, seen
    return Documents(z, instructions, observations, subgoals, labels)
