"""How well an exploration policy tells latents apart: Hellinger distances, eta, merged classes, c_Z (theory.md 4).

Both laws of a trajectory contain the same policy, so 1 - D_H^2(z, z') = sum over trajectories of
policy * sqrt(P_z(observations) P_z'(observations)): a forward pass over pairs of beliefs, merged where they meet again.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs

SAME = 1e-12  # squared Hellinger distances below this count as zero: sums of many products of rounded numbers


def uniform(beliefs: Beliefs) -> Float[np.ndarray, "H G"]:
    """The exploration policy that plays every subgoal alike at every step."""
    t = beliefs.tables
    return np.full((t.horizon, t.num_subgoals), 1 / t.num_subgoals)


def hellinger(beliefs: Beliefs, policy: Float[np.ndarray, "H G"]) -> Float[np.ndarray, "Z Z"]:
    """Squared Hellinger distances of the laws of one episode under a policy that looks at the step only, in [0, 1]."""
    num = beliefs.tables.num_latents
    distance = np.zeros((num, num))
    for z in range(num):
        for other in range(z):
            distance[z, other] = distance[other, z] = 1 - min(1.0, _affinity(beliefs, policy, z, other))
    return distance


def _affinity(beliefs: Beliefs, policy: np.ndarray, z: int, other: int) -> float:
    """sum over trajectories of sqrt(P_z P_z'), level by level over distinct pairs of beliefs."""
    first = beliefs.first_prob
    seen = np.flatnonzero((first[z] > 0) & (first[other] > 0))
    pairs = np.stack([beliefs.first[z, seen], beliefs.first[other, seen]], axis=1)
    weight = np.sqrt(first[z, seen] * first[other, seen])
    for h, level in enumerate(beliefs.levels):
        if level.prob is None:
            raise BadInput(
                f"world {beliefs.tables.name!r} has too many beliefs at step {h + 1} for an exact Hellinger distance"
            )
        pairs, merged = np.unique(pairs, axis=0, return_inverse=True)
        weight = np.bincount(merged.ravel(), weights=weight, minlength=len(pairs))
        root = np.sqrt(level.prob[pairs[:, 0]] * level.prob[pairs[:, 1]])  # n G O
        mass = weight[:, None, None] * policy[h][:, None] * root
        if level.child is None:
            return float(mass.sum()) if h + 1 == beliefs.tables.horizon else _refuse(beliefs, h)
        n, g, o = np.nonzero(mass)
        pairs = np.stack([level.child[pairs[n, 0], g, o], level.child[pairs[n, 1], g, o]], axis=1)
        weight = mass[n, g, o]
    return float(weight.sum())


def _refuse(beliefs: Beliefs, h: int) -> float:
    name = beliefs.tables.name
    raise BadInput(f"world {name!r} has too many beliefs after step {h + 1} for an exact Hellinger distance")


@dataclass(frozen=True)
class Classes:
    """Latents that no policy can tell apart, merged: `members` by class, each class's `prior` the sum."""

    members: tuple[tuple[int, ...], ...]
    prior: Float[np.ndarray, " C"]

    @property
    def c_z(self) -> float:
        """Prior coverage: the largest ratio of two classes' priors."""
        return float(self.prior.max() / self.prior.min())


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
