"""Belief policies on the tree of an episode, against enumeration of its trajectories."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs
from parley.theory.chains import _episode, _experts
from parley.theory.distinguishability import classes_of
from parley.theory.trials import Trials, greedy
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut
from tests.theory import brute_force


def belief_policy(t, weights, w):
    """The law that plays the least regret under the weights, updated by what was seen."""

    def law(observations, subgoals):
        here = [weights[z] * brute_force.joint(t, z, list(observations), list(subgoals)).sum() for z in range(2)]
        if sum(here) == 0:
            here = [brute_force.joint(t, z, list(observations), list(subgoals)).sum() for z in range(2)]
        score = np.zeros(t.num_subgoals)
        for z, weight in enumerate(here):
            if weight > 0:
                q = brute_force.q_values(t, z, list(observations), list(subgoals), w)
                score += weight / sum(here) * (q.max() - q)
        best = score <= score.min() + 1e-9
        return best / best.sum()

    return law


@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), weight=st.floats(0, 1))
def test_loss_and_affinity_equal_enumeration(seed, weight):
    t = random_family(latents=2, states=2, observations=2, subgoals=2, instructions=1, horizon=2, seed=seed)
    beliefs = Beliefs(t)
    told = Trials(beliefs, classes_of(beliefs)).play(np.array([[weight, 1 - weight]]), 0)
    law = belief_policy(t, [weight, 1 - weight], 0)
    one, other = (brute_force.trajectories(t, z) for z in range(2))
    for z in range(2):
        assert told.loss[0, z] == pytest.approx(brute_force.regret(t, law, z, 0), abs=1e-9)
    between = 1 - brute_force.hellinger(t, law, 0, 1)
    np.testing.assert_allclose(told.pairs()[0], [[1, between], [between, 1]], atol=1e-9)
    apart = [[brute_force.divergence(t, law, z, other) for other in range(2)] for z in range(2)]
    np.testing.assert_allclose(told.nats()[0], apart, atol=1e-9)
    assert told.over_ends(told.ends) == pytest.approx(np.ones((1, 2)))
    assert set(one) == set(other)


def test_the_law_where_a_run_stands_is_the_one_of_the_tree():
    """Walking the shortcut on the tree loses what the laws lose that `greedy` gives step by step."""
    t = shortcut()
    beliefs = Beliefs(t)
    trials = Trials(beliefs, classes_of(beliefs))
    latent, w = np.array([[0, 1]]), np.zeros((1, 1), dtype=int)
    place, prob = beliefs.begin(latent, np.array([[0]]))
    for weights, chosen in (([0.9, 0.1], 0), ([0.0, 1.0], 1)):
        law = greedy(beliefs, 1, place, latent, w, np.array([weights]) * prob)
        assert law[0, chosen] == 1
        at = trials.tree.first[0]
        nodes = trials.tree.steps[0]
        mine = trials._law(np.array([weights]), nodes.root[[at]] ** 2, trials._loss[0][0][[at]])
        assert mine[0, chosen] == 1


def test_a_tree_that_is_too_large_is_refused():
    t = random_family(latents=4, states=8, observations=8, subgoals=8, horizon=4)
    with pytest.raises(BadInput, match="nodes|beliefs"):
        beliefs = Beliefs(t)
        Trials(beliefs, classes_of(beliefs))


@pytest.mark.parametrize("how", ["greedy", "sample"])
def test_imitation_costs_and_tells_what_the_chain_of_beliefs_says(how):
    beliefs = Beliefs(random_family(latents=3, instructions=2, seed=4))
    classes = classes_of(beliefs)
    trials, rng = Trials(beliefs, classes), np.random.default_rng(0)
    belief = rng.dirichlet(np.ones(3), size=5)
    for w in range(2):
        told = trials.imitate(belief, w, how)
        for row, b in enumerate(belief):
            paid, ends = _episode(trials.tree, b, how, _experts(trials.tree, w), trials.tree.loss(w))
            np.testing.assert_allclose(told.loss[row], paid, atol=1e-12)
            reached = (ends[:, None] * trials.tree.ends**2 * 3)[ends > 0]
            np.testing.assert_allclose(told.ends[told.row == row], reached, atol=1e-12)
