"""Pretraining documents: a latent, then T_p episodes with it, and the expert's label at every step (theory.md 5).

Trajectories come from a behaviour (a mix of those in `behaviour`), or (a share rho of the episodes) from the expert of
z. The label at a step is pi*_z itself rather than one subgoal drawn from it. The maximum-likelihood objective is the
same in expectation, with less variance where optimal subgoals tie.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import sample_rows
from parley.core.errors import BadInput
from parley.data.behaviour import Acting, Behaviour
from parley.theory.beliefs import Beliefs

BEHAVIOURS = ("mixed", "uniform")
EXPERT = -1  # the behaviour of an episode that the expert of z demonstrates


@dataclass(frozen=True)
class Documents:
    """N documents of T episodes, as indices into the lists of the world's tables."""

    latents: Int[np.ndarray, " N"]
    instructions: Int[np.ndarray, "N T"]
    observations: Int[np.ndarray, "N T H+1"]
    subgoals: Int[np.ndarray, "N T H"]  # of the behaviour
    labels: Float[np.ndarray, "N T H G"]  # pi*_z
    behaviours: Int[np.ndarray, "N T"] | None = None  # who acted: an index into the mix, or EXPERT
    expected: Float[np.ndarray, "N T H+1 O"] | None = None  # distributions, learned in place of observations

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, index: Int[np.ndarray, " n"]) -> "Documents":
        """The documents at these indices."""
        return replace(
            self,
            latents=self.latents[index],
            instructions=self.instructions[index],
            observations=self.observations[index],
            subgoals=self.subgoals[index],
            labels=self.labels[index],
            behaviours=None if self.behaviours is None else self.behaviours[index],
            expected=None if self.expected is None else self.expected[index],
        )

    def first(self, num_episodes: int) -> "Documents":
        """The first episodes of each document."""
        return replace(
            self,
            instructions=self.instructions[:, :num_episodes],
            observations=self.observations[:, :num_episodes],
            subgoals=self.subgoals[:, :num_episodes],
            labels=self.labels[:, :num_episodes],
            behaviours=None if self.behaviours is None else self.behaviours[:, :num_episodes],
            expected=None if self.expected is None else self.expected[:, :num_episodes],
        )


def sample_documents(
    beliefs: Beliefs,
    num_documents: int,
    num_episodes: int,
    seed: tuple[int, ...],
    rho: float = 0.0,
    behaviour: str = "mixed",
    stratified: bool = False,
) -> Documents:
    """Draw documents whose exact oracle is known; the same seed gives the same ones.

    With `stratified`, each latent still has its prior probability in each document. But its number of documents differs
    from N times that by less than one. So the draw of latents adds no error to a batch's gradient.
    """
    if behaviour not in BEHAVIOURS:
        raise BadInput(f"behaviour={behaviour!r}: expected {' or '.join(map(repr, BEHAVIOURS))}")
    if rho and (behaviour != "uniform" or beliefs.tables.num_actors > 1):
        raise BadInput(
            f"rho={rho}: expert trajectories need behaviour='uniform' and one Actor, as the oracle counts them"
        )
    part = np.zeros(num_documents, dtype=np.intp)
    rng = np.random.default_rng(seed)
    points = rng.permutation((np.arange(num_documents) + rng.random()) / num_documents) if stratified else None
    return draw(beliefs, (Behaviour(behaviour),), part, num_episodes, rng, rho, points)


def draw(
    beliefs: Beliefs,
    mix: tuple[Behaviour, ...],
    part: Int[np.ndarray, " N"],
    num_episodes: int,
    rng: np.random.Generator,
    rho: float = 0.0,
    points: Float[np.ndarray, " N"] | None = None,
) -> Documents:
    """Draw one document for each entry of `part`, the index in `mix` of its behaviour (not of `logs`).

    Its latent is the prior's quantile at its entry of `points`, uniform on [0, 1): drawn here where none are given.
    """
    if not 0 <= rho <= 1:
        raise BadInput(f"rho={rho}: expected the share of expert trajectories, between 0 and 1")
    t, n = beliefs.tables, len(part)
    horizon = t.horizon
    z = sample_rows(np.tile(t.prior, (n, 1)), rng.random(n) if points is None else points)
    instructions = rng.integers(len(t.instructions), size=(n, num_episodes))
    observations = np.empty((n, num_episodes, horizon + 1), dtype=np.intp)
    subgoals = np.empty((n, num_episodes, horizon), dtype=np.intp)
    labels = np.empty((n, num_episodes, horizon, t.num_subgoals))
    behaviours = np.empty((n, num_episodes), dtype=np.intp)
    acting = Acting(mix, part, rho, t, z, rng)
    for e in range(num_episodes):
        both = np.stack([z, acting.begin()], axis=1)  # whose label it is, and who may act
        behaviours[:, e] = np.where(acting.demonstrated, EXPERT, part)
        state = sample_rows(t.initial[z], rng.random(n))
        seen = sample_rows(t.emission[z, state], rng.random(n))
        place, _ = beliefs.begin(both, seen[:, None])
        observations[:, e, 0] = seen
        for h in range(horizon):
            at = (h + 1, place, both, instructions[:, e, None])
            policy = beliefs.policy(*at)
            g = acting.act(policy[:, 1], beliefs.optimal(*at)[:, 1] if acting.temperature.any() else policy[:, 1])
            state = sample_rows(t.transition[z, state, g], rng.random(n))
            seen = sample_rows(t.emission[z, state], rng.random(n))
            place, _ = beliefs.advance(h + 1, place, both, g[:, None], seen[:, None])
            labels[:, e, h], subgoals[:, e, h], observations[:, e, h + 1] = policy[:, 0], g, seen
    return Documents(z, instructions, observations, subgoals, labels, behaviours)


@dataclass(frozen=True)
class Followed:
    """Documents as the expert who knows z follows them."""

    labels: Float[np.ndarray, "N T H G"]  # pi*_z
    likelihood: Float[np.ndarray, "N T H+1"]  # of each observation under z
    nodes: Int[np.ndarray, "N T H"]  # of `Beliefs`, -1 where beliefs are not stored


def follow(beliefs: Beliefs, documents: Documents) -> Followed:
    """Go through given trajectories once more; `documents.labels` are not looked at."""
    z, (n, num_episodes, horizon) = documents.latents, documents.subgoals.shape
    labels = np.empty((n, num_episodes, horizon, beliefs.tables.num_subgoals))
    likelihood = np.empty((n, num_episodes, horizon + 1))
    nodes = np.full((n, num_episodes, horizon), -1)
    for e in range(num_episodes):
        seen = documents.observations[:, e]
        place, likelihood[:, e, 0] = beliefs.begin(z, seen[:, 0])
        for h in range(horizon):
            labels[:, e, h] = beliefs.policy(h + 1, place, z, documents.instructions[:, e])
            if place.ndim == 1:
                nodes[:, e, h] = place
            place, prob = beliefs.advance(h + 1, place, z, documents.subgoals[:, e, h], seen[:, h + 1])
            likelihood[:, e, h + 1] = prob
    return Followed(labels, likelihood, nodes)


def row_keys(rows: np.ndarray) -> np.ndarray:
    """A 64-bit hash of each row of 64-bit numbers: equal rows have equal keys, and other rows hardly ever do."""
    wide = np.ascontiguousarray(rows).view(np.uint64)
    wide = (wide ^ (wide >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    weights = np.random.default_rng(0).integers(2**63, size=rows.shape[1], dtype=np.uint64) * 2 + 1
    return ((wide ^ (wide >> np.uint64(29))) * weights).sum(axis=1, dtype=np.uint64)


def corrupt(documents: Documents, share: float, rng: np.random.Generator) -> Documents:
    """The same trajectories, a share of the steps labelled with the subgoals that are *not* optimal, all alike.

    Where every subgoal is optimal the label stays.
    """
    if not 0 <= share <= 1:
        raise BadInput(f"label_error={share}: expected the share of corrupted labels, between 0 and 1")
    wrong = (documents.labels == 0).astype(float)
    total = wrong.sum(axis=-1, keepdims=True)
    hit = (rng.random(documents.subgoals.shape)[..., None] < share) & (total > 0)
    return replace(documents, labels=np.where(hit, wrong / np.maximum(total, 1), documents.labels))
