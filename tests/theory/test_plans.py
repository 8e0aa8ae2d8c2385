"""Plans of an episode against enumeration."""

from itertools import product

import numpy as np
import pytest

from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of
from parley.theory.plans import best_plan
from parley.theory.trials import Trials
from parley.worlds.tabular.random_family import random_family


@pytest.mark.parametrize("seed", range(3))
def test_no_deterministic_policy_costs_less(seed):
    """H = 2, 2 subgoals: all laws at all nodes of the tree, with a random value of each end."""
    t = random_family(latents=2, states=2, observations=2, subgoals=2, instructions=1, horizon=2, seed=seed)
    beliefs = Beliefs(t)
    trials = Trials(beliefs, classes_of(beliefs))
    belief, later = np.array([0.3, 0.7]), np.random.default_rng(seed).random((1, len(trials.tree.ends)))

    def cost(plan) -> float:
        told = trials.follow(plan, belief, 0)
        return float(told.loss[0] @ belief) + _value(trials, plan, later[0])

    best = cost(best_plan(trials.tree, trials.losses(0), belief, later))
    sizes = [len(step.place) for step in trials.tree.steps]
    for choice in product((0, 1), repeat=sum(sizes)):
        laws = np.eye(2)[list(choice)][None]
        assert best <= cost([laws[:, : sizes[0]], laws[:, sizes[0] :]]) + 1e-9


def _value(trials: Trials, plan, later: np.ndarray) -> float:
    """The mean value of the ends under equal weights, by forward induction."""
    at = trials.tree.start()
    for h, law in enumerate(plan, 1):
        at = trials.tree.follow(h, at[:, None] * law[0])
    return float(at @ later)
