"""Information-directed sampling against its definition."""

import numpy as np

from parley.exploration.information import InformationDirected, _mutual, least_ratio
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of
from parley.theory.trials import Trials
from parley.worlds.tabular.signs import signs
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run


def trials_of(tables) -> Trials:
    beliefs = Beliefs(tables)
    return Trials(beliefs, classes_of(beliefs))


def test_no_mixture_of_subgoals_has_a_smaller_ratio():
    """H = 1: policies are subgoals; every pair of them, mixed on a grid, has at least the ratio that was found."""
    trials = trials_of(signs(3))
    belief = np.array([0.3, 0.4, 0.2, 0.1])
    plans, share = least_ratio(trials, belief, 0)
    told = trials.follow(plans, belief, 0)
    found = (share @ told.loss @ belief) ** 2 / (share @ _mutual(told, belief))
    every = np.zeros((5, *plans[0].shape[1:]))
    every[np.arange(5), :, np.arange(5)] = 1.0
    each = trials.follow([every], belief, 0)
    regret, nats = each.loss @ belief, _mutual(each, belief)
    q = np.linspace(0, 1, 101)[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (q * regret[:, None] + (1 - q) * regret) ** 2 / (q * nats[:, None] + (1 - q) * nats)
    assert found <= np.nanmin(ratio) + 1e-9


def test_information_of_a_sign_that_never_errs_is_the_entropy():
    trials = trials_of(signs(3, right=1.0))
    belief = np.array([0.1, 0.2, 0.3, 0.4])
    read = np.zeros((1, trials.tree.num_nodes, 5))
    read[:, :, 1] = 1.0
    told = trials.follow([read[:, : len(trials.tree.steps[0].place)]], belief, 0)
    np.testing.assert_allclose(_mutual(told, belief), -(belief * np.log(belief)).sum())


def test_it_finds_the_treasure_and_then_loses_nothing():
    tables = treasure(8)
    beliefs = Beliefs(tables)
    explorer = InformationDirected(beliefs, classes_of(beliefs), trials_of(tables), ExactPlanner(beliefs))
    kept = run(tables, ExactPlanner(beliefs), np.zeros(16, dtype=int), 100, explorer)
    assert (kept.expected()[:, 50:] == 0).all()
