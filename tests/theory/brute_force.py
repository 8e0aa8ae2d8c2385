"""The theory by enumeration over (z, state path): slow, obvious, and written apart from what it checks."""

from itertools import product

import numpy as np

from parley.core.tables import Tables


def joint(t: Tables, z: int, observations: list[int], subgoals: list[int]) -> np.ndarray:
    """P_z(o_1..o_h, s_h = .) given the subgoals, summed over all state paths."""
    total = np.zeros(len(t.states))
    for path in product(range(len(t.states)), repeat=len(observations)):
        p = t.initial[z, path[0]] * t.emission[z, path[0], observations[0]]
        for h, g in enumerate(subgoals):
            p *= t.transition[z, path[h], g, path[h + 1]] * t.emission[z, path[h + 1], observations[h + 1]]
        total[path[-1]] += p
    return total


def q_values(t: Tables, z: int, observations: list[int], subgoals: list[int], w: int) -> np.ndarray:
    """Q*_{z,h}(tau_h, g, w) by recursion over all continuations of the history."""
    here = joint(t, z, observations, subgoals).sum()
    q = np.zeros(t.num_subgoals)
    for g, o in product(range(t.num_subgoals), range(len(t.observations))):
        p = joint(t, z, [*observations, o], [*subgoals, g]).sum() / here
        if p > 0:
            later = 0.0
            if len(observations) < t.horizon:
                later = q_values(t, z, [*observations, o], [*subgoals, g], w).max()
            q[g] += p * (t.reward[o, w] + later)
    return q


def expert(t: Tables, z: int, observations: list[int], subgoals: list[int], w: int) -> np.ndarray:
    """pi*_z, ties shared by the world's preference."""
    q = q_values(t, z, observations, subgoals, w)
    weights = (q >= q.max() - 1e-9) * (np.ones(t.num_subgoals) if t.preference is None else t.preference[z])
    weights = weights if weights.sum() else (q >= q.max() - 1e-9).astype(float)
    return weights / weights.sum()


Episode = tuple[int, list[int], list[int]]  # instruction, observations, subgoals


def posterior(t: Tables, episodes: list[Episode], rho: float = 0.0, mixture: str = "episode") -> np.ndarray:
    """P(z given pt): the last episode may be unfinished."""
    weights = t.prior.copy()
    for z in range(t.num_latents):
        for w, observations, subgoals in episodes:
            weights[z] *= joint(t, z, observations, subgoals).sum()
            chosen = [expert(t, z, observations[: h + 1], subgoals[:h], w)[g] for h, g in enumerate(subgoals)]
            alike = 1 / t.num_subgoals
            if mixture == "episode":
                weights[z] *= rho * np.prod(chosen) + (1 - rho) * alike ** len(subgoals)
            else:
                weights[z] *= np.prod([rho * p + (1 - rho) * alike for p in chosen])
    return weights / weights.sum()


def bail(t: Tables, episodes: list[Episode], rho: float = 0.0, mixture: str = "episode") -> np.ndarray:
    """sum_z P(z given pt) pi*_z(g given tau_h, w)."""
    w, observations, subgoals = episodes[-1]
    weights = posterior(t, episodes, rho, mixture)
    return sum(weights[z] * expert(t, z, observations, subgoals, w) for z in range(t.num_latents))


def trajectories(t: Tables, z: int) -> dict[tuple[tuple[int, ...], tuple[int, ...]], float]:
    """P_z(o_1..o_{H+1}) for every (observations, subgoals) of a whole episode, the subgoals given."""
    every = product(
        product(range(len(t.observations)), repeat=t.horizon + 1), product(range(t.num_subgoals), repeat=t.horizon)
    )
    return {(o, g): float(joint(t, z, list(o), list(g)).sum()) for o, g in every}


def hellinger(t: Tables, law, z: int, other: int) -> float:
    """D_H^2 of the laws of an episode, `law(observations, subgoals)` giving the distribution of the next subgoal."""
    affinity, one, two = 0.0, trajectories(t, z), trajectories(t, other)
    for observations, subgoals in one:
        played = np.prod([law(observations[: h + 1], subgoals[:h])[g] for h, g in enumerate(subgoals)])
        affinity += np.sqrt(one[observations, subgoals] * played * two[observations, subgoals] * played)
    return 1 - affinity


def divergence(t: Tables, law, z: int, other: int) -> float:
    """Nats that an episode tells for z against the other latent, on average where z is true (Kullback and Leibler)."""
    found, one, two = 0.0, trajectories(t, z), trajectories(t, other)
    for observations, subgoals in one:
        played = np.prod([law(observations[: h + 1], subgoals[:h])[g] for h, g in enumerate(subgoals)])
        p, q = one[observations, subgoals] * played, two[observations, subgoals] * played
        found += p * np.log(p / q) if p > 0 else 0.0
    return found


def regret(t: Tables, law, z: int, w: int) -> float:
    """V*_z(w) minus the value of the policy `law`, over one episode."""
    value = 0.0
    for (observations, subgoals), p in trajectories(t, z).items():
        played = np.prod([law(observations[: h + 1], subgoals[:h])[g] for h, g in enumerate(subgoals)])
        value += p * played * sum(t.reward[o, w] for o in observations[1:])
    best = 0.0
    for o in range(len(t.observations)):
        p = joint(t, z, [o], []).sum()
        best += p * q_values(t, z, [o], [], w).max() if p > 0 else 0.0
    return best - value
