"""How well an exploration policy tells latents apart: Hellinger distances, eta, merged classes, c_Z (theory.md 4).

Both distributions of a trajectory contain the same policy. So 1 - D_H^2(z, z') is the sum over trajectories of policy *
sqrt(P_z(observations) P_z'(observations)). A forward pass over pairs of beliefs computes it; pairs are merged where
they meet again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs

CHUNK = 2**22  # numbers held at once
SAME = 1e-12  # squared Hellinger distances below this count as zero: sums of many products of rounded numbers


def uniform(beliefs: Beliefs) -> Float[np.ndarray, "H G"]:
    """The exploration policy that plays every subgoal alike at every step."""
    t = beliefs.tables
    return np.tile(t.at_random, (t.horizon, 1))


def weighted(beliefs: Beliefs, weights: Mapping[str, float]) -> Float[np.ndarray, "H G"]:
    """The policy that plays each Actor's subgoals in proportion to `weights` (0 where absent), whatever the step."""
    law = np.ones(1)
    for menu in beliefs.tables.menus:
        part = np.array([weights.get(subgoal, 0.0) for subgoal in menu], dtype=float)
        law = np.outer(law, part / part.sum() if part.sum() > 0 else part).ravel()
    return np.tile(law, (beliefs.tables.horizon, 1))


def hellinger(beliefs: Beliefs, policy: Float[np.ndarray, "H G"]) -> Float[np.ndarray, "Z Z"]:
    """Squared Hellinger distances, in [0, 1], of one episode under a policy that looks at the step only.

    Raises `BadInput` where a row of the policy is no distribution.
    """
    _require_laws(beliefs, policy)
    num = beliefs.tables.num_latents
    distance = np.zeros((num, num))
    for z in range(1, num):
        distance[z, :z] = distance[:z, z] = 1 - np.minimum(1.0, _affinity(beliefs, policy, z))
    return distance


def _require_laws(beliefs: Beliefs, policy: np.ndarray) -> None:
    shape = (beliefs.tables.horizon, beliefs.tables.num_subgoals)
    if policy.shape != shape:
        raise BadInput(f"policy has shape {policy.shape}: expected {shape}, a distribution over subgoals for each step")
    for h, law in enumerate(policy):
        if not (law >= 0).all() or abs(law.sum() - 1) > 1e-6:
            raise BadInput(
                f"policy at step {h + 1} is no distribution over subgoals: expected numbers that are not negative and "
                f"sum to 1, found {law.tolist()}"
            )


def _affinity(beliefs: Beliefs, policy: np.ndarray, z: int) -> Float[np.ndarray, " others"]:
    """sum over trajectories of sqrt(P_z P_z') for all z' < z, level by level over distinct pairs of beliefs."""
    if beliefs.levels[-1].prob is None:
        beliefs.refuse_unstored("exact Hellinger distances, which eta and the classes of latents come from")
    first = beliefs.first_prob
    other, seen = np.nonzero((first[:z] > 0) & (first[z] > 0))
    pairs = np.stack([beliefs.first[z, seen], beliefs.first[other, seen]], axis=1)
    weight = np.sqrt(first[z, seen] * first[other, seen])
    for h, level in enumerate(beliefs.levels):
        assert level.prob is not None
        pairs, merged = np.unique(pairs, axis=0, return_inverse=True)
        weight = np.bincount(merged.ravel(), weights=weight, minlength=len(pairs))
        other = level.latent[pairs[:, 1]]
        size = max(1, CHUNK // level.prob[0].size)
        parts = [slice(i, i + size) for i in range(0, len(pairs), size)]
        mass = [
            (weight[i, None] * policy[h])[:, :, None]
            * np.sqrt(level.prob[pairs[i, 0]] * level.prob[pairs[i, 1]])  # n G O
            for i in parts
        ]
        if h + 1 == beliefs.tables.horizon:
            weight = np.concatenate([part.sum(axis=(1, 2)) for part in mass]) if mass else weight
            break
        assert level.child is not None
        found = []
        for i, part in zip(parts, mass, strict=True):
            n, g, o = np.nonzero(part)
            a, b = pairs[i][n].T
            found.append((np.stack([level.child[a, g, o], level.child[b, g, o]], axis=1), part[n, g, o]))
        pairs = np.concatenate([pairs[:0], *(children for children, _ in found)])
        weight = np.concatenate([weight[:0], *(part for _, part in found)])
    return np.bincount(other, weights=weight, minlength=z)


@dataclass(frozen=True)
class Classes:
    """Latents that no policy can tell apart, merged: `members` by class, each class's `prior` the sum."""

    members: tuple[tuple[int, ...], ...]
    prior: Float[np.ndarray, " C"]

    @property
    def c_z(self) -> float:
        """Prior coverage: the largest ratio of two classes' priors."""
        least = float(self.prior.min())
        return float(self.prior.max()) / least if least > 0 else np.inf


def merge(distance: Float[np.ndarray, "Z Z"], prior: Float[np.ndarray, " Z"]) -> Classes:
    """Classes of latents at distance zero under a policy that plays everything (being alike is then transitive)."""
    members: list[list[int]] = []
    for z in range(len(prior)):
        home = next((group for group in members if distance[group[0], z] <= SAME), None)
        if home is None:
            members.append([z])
        else:
            home.append(z)
    return Classes(tuple(map(tuple, members)), np.array([prior[group].sum() for group in members]))


def eta(distance: Float[np.ndarray, "Z Z"], classes: Classes) -> float:
    """The smallest squared Hellinger distance between two classes; 1 where there is only one: nothing to tell apart."""
    first = [group[0] for group in classes.members]
    apart = distance[np.ix_(first, first)][~np.eye(len(first), dtype=bool)]
    return float(apart.min()) if apart.size else 1.0


def require_apart(
    beliefs: Beliefs, distance: Float[np.ndarray, "Z Z"], classes: Classes, name: str = "the exploration policy"
) -> None:
    """Raise `BadInput`, naming a pair, where a policy cannot tell latents apart that another policy can.

    `distance` is under that policy, `classes` are the latents that no policy can tell apart, `name` is what the user
    calls the policy.
    """
    names, first = beliefs.tables.latents, [group[0] for group in classes.members]
    for i, z in enumerate(first):
        for other in first[:i]:
            if distance[z, other] <= SAME:
                raise BadInput(
                    f"{name} cannot tell latents {names[other]!r} and {names[z]!r} apart, which other policies can: "
                    "use policy=uniform, or policy=designed, which tells them apart best"
                )


@lru_cache(maxsize=8)
def classes_of(beliefs: Beliefs) -> Classes:
    """The latents, those merged that no policy can tell apart."""
    return merge(hellinger(beliefs, uniform(beliefs)), beliefs.tables.prior)


def eta_of(beliefs: Beliefs, policy: Float[np.ndarray, "H G"], name: str = "the exploration policy") -> float:
    """eta of a policy that looks at the step only; `BadInput` names latents that only this policy confuses."""
    distance, classes = hellinger(beliefs, policy), classes_of(beliefs)
    require_apart(beliefs, distance, classes, name)
    return eta(distance, classes)
