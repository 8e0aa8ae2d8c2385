"""Simulated episodes where the tree is too large, against the exact tree where it is not."""

import numpy as np
import pytest

from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of
from parley.theory.plans import best_plan
from parley.theory.sampled import SampledTrials
from parley.theory.trials import Trials
from parley.worlds.tabular.clues import clues
from parley.worlds.tabular.random_family import random_family


@pytest.mark.parametrize("tables", [clues(latents=4, horizon=3), random_family(latents=3, instructions=1, seed=2)])
def test_losses_agree_within_the_stated_error(tables):
    """Four standard errors, as bounded: a false alarm in fewer than 1 in 10,000 each; fixed random numbers."""
    beliefs = Beliefs(tables)
    classes = classes_of(beliefs)
    exact, sampled = Trials(beliefs, classes), SampledTrials(beliefs, classes)
    num = len(classes.prior)
    weights = np.vstack([classes.prior, np.eye(num) + 1e-9])
    for one, other in (
        (exact.play(weights, 0), sampled.play(weights, 0)),
        (exact.imitate(weights, 0, "sample"), sampled.imitate(weights, 0, "sample")),
    ):
        assert np.abs(one.loss - other.loss).max() <= 4 * sampled.error * np.sqrt(num)
        np.testing.assert_allclose(other.over_ends(other.ends), 1.0)


def test_a_plan_costs_the_same_where_the_tree_is_whole():
    tables = clues(latents=3, horizon=2)
    beliefs = Beliefs(tables)
    classes = classes_of(beliefs)
    exact, sampled = Trials(beliefs, classes), SampledTrials(beliefs, classes)
    assert sampled.tree.whole
    plan = best_plan(exact.tree, exact.losses(0), classes.prior, np.zeros((1, len(exact.tree.ends))))
    one, other = (trials.follow(plan, classes.prior, 0).loss @ classes.prior for trials in (exact, sampled))
    np.testing.assert_allclose(one, other, atol=4 * sampled.error)
    assert (sampled.beyond(classes.prior, 0) == 0).all()
