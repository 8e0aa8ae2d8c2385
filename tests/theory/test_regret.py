"""Expected regret from the executed laws: unbiased, and far steadier than realised regret."""

from itertools import product

import numpy as np
import pytest

from parley.core.said import decode
from parley.exploration.explorers import EpsilonGreedy, NoExploration, schedule
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.worlds.household.tables import House, house_tables
from parley.worlds.tabular.random_family import random_family
from tests.helpers import run
from tests.theory import brute_force


def exact_regret(tables, z: int, epsilon: float, how: str) -> float:
    """Regret of one first episode by enumeration of all trajectories: coin first, then subgoals."""
    t, value = tables, 0.0
    for explore, weight in ((True, epsilon), (False, 1 - epsilon)):
        for observations in product(range(len(t.observations)), repeat=t.horizon + 1):
            for subgoals in product(range(t.num_subgoals), repeat=t.horizon):
                p = weight * brute_force.joint(t, z, list(observations), list(subgoals)).sum()
                for h in range(t.horizon if p > 0 else 0):
                    past = [(0, list(observations[: h + 1]), list(subgoals[:h]))]
                    law = np.full(t.num_subgoals, 1 / t.num_subgoals)
                    if not explore:
                        law = decode(brute_force.bail(t, past)[None], how)[0]
                    p *= law[subgoals[h]]
                value += p * sum(t.reward[o, 0] for o in observations[1:])
    return float(Beliefs(t).value[z, 0]) - value


@pytest.mark.parametrize("epsilon", [0.0, 0.4])
@pytest.mark.parametrize("how", ["sample", "greedy"])
def test_expected_regret_is_unbiased(epsilon, how):
    tables = random_family(latents=2, states=2, observations=2, subgoals=2, instructions=1, horizon=2, seed=4)
    truth = exact_regret(tables, 1, epsilon, how)
    explorer = EpsilonGreedy(schedule(epsilon)) if epsilon else NoExploration()
    measured = run(tables, lambda b, z: ExactPlanner(b, decode=how), [1] * 40_000, 1, explorer).expected()
    error = measured.std() / np.sqrt(len(measured))
    assert abs(measured.mean() - truth) < 4 * error + 1e-9


def test_two_actors_are_charged_the_same_as_one():
    """A joint subgoal as two parts or as one sentence: the same expected regret in expectation."""
    means = []
    for shape in (dict(subgoals=2, actors=2), dict(subgoals=4, actors=1)):
        tables = random_family(latents=2, states=2, observations=2, horizon=2, seed=9, **shape)
        kept = run(tables, lambda b, z: ExactPlanner(b), [1] * 20_000, 1, EpsilonGreedy(schedule(0.5)))
        means.append((kept.expected().mean(), kept.expected().std() / np.sqrt(20_000)))
    assert abs(means[0][0] - means[1][0]) < 4 * np.hypot(means[0][1], means[1][1])


@pytest.mark.parametrize("how", ["sample", "greedy"])
def test_variance_is_at_most_a_hundredth_of_realised_regret_on_household(how):
    """Of a run's total without exploration, over the prior: what is left of the variance is the learning itself."""
    tables = house_tables(House())
    latents = np.random.default_rng(0).choice(tables.num_latents, 256, p=tables.prior)
    kept = run(tables, lambda b, z: ExactPlanner(b, decode=how), latents, 1_000)
    expected, realised = kept.expected().sum(axis=1), kept.realised().sum(axis=1)
    assert expected.var() <= 0.01 * realised.var()
    gap = expected - realised
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))
