"""What is left to lose by a belief."""

import numpy as np
import pytest

from parley.exploration.candidates import Candidates
from parley.exploration.worth import Future, Worth, least_cost, moved
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of
from parley.theory.trials import Trials
from parley.worlds.tabular.clues import clues
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.signs import signs
from parley.worlds.tabular.treasure import treasure


def worth_of(tables) -> tuple[Worth, np.ndarray]:
    beliefs = Beliefs(tables)
    classes = classes_of(beliefs)
    trials = Trials(beliefs, classes)
    return Candidates(trials, 1, 1.0, classes.prior).worth(np.ones(1), 1000), classes.prior


@pytest.mark.parametrize("tables", [signs(4), treasure(4), random_family(latents=3, instructions=1, seed=3)])
def test_nothing_is_left_when_certain_and_more_with_more_episodes(tables):
    worth, prior = worth_of(tables)
    certain = np.eye(len(prior))
    np.testing.assert_allclose(worth.left(certain, 1000), 0, atol=1e-6)
    left = [worth.left(prior[None], n).sum() for n in (0, 1, 10, 100, 1000)]
    assert left[0] == 0 and (np.diff(left) >= -1e-9).all()


def test_what_acting_never_refutes_costs_all_that_remains():
    """The shelf tells nothing of the boxes: who acts as if none were full loses 0.4 in each of 50 episodes."""
    worth, _ = worth_of(signs(1))
    wrong = worth.wrong(np.array([[0.5, 0.5]]), 50)[0]
    np.testing.assert_allclose(wrong, [[0, 0.5 * 50 * 0.4], [0.5 * 0.6, 0]], atol=1e-6)


def test_acting_on_the_most_probable_class_costs_what_refuting_it_takes():
    worth, _ = worth_of(treasure(4))
    belief = np.array([0.9, 0.1])
    assert worth.acting(belief, 500) == pytest.approx(0.1 * 0.5)  # gold is looked for, and at once refuted
    assert worth.acting(belief[::-1], 500) == pytest.approx(0.1 * 0.5 * 500)  # chests of silver tell nothing


def test_histories_keep_the_belief_on_average():
    """A belief is a martingale: weighted by their probability, later beliefs average to the one before."""
    rng = np.random.default_rng(0)
    ends, belief = rng.dirichlet(np.ones(6), size=3).T, np.array([0.2, 0.5, 0.3])
    future = Future(ends, belief, np.ones(3))
    for number in (1, 2, 4, 8):
        np.testing.assert_allclose(future.joint(number).sum(axis=0), belief, rtol=1e-9)


def test_a_belief_moves_by_its_share_and_its_odds():
    before = np.array([0.5, 0.5])
    assert moved(before, np.array([0.6, 0.4])) and not moved(before, np.array([0.51, 0.49]))
    assert not moved(np.array([0.999, 0.001]), np.array([0.99, 0.01])), "0.009 of belief is less than it minds"
    assert moved(np.full(2, np.nan), before), "there was none before"


def test_the_best_number_of_episodes_to_ask_by_hand():
    """Against every number up to 60: it asks until one more is not worth its price. What nothing settles stays."""
    rng = np.random.default_rng(0)
    price, nats = rng.uniform(0.1, 1.0, (200, 4)), rng.uniform(0.05, 3.0, (4, 5))
    nats[:, 0] = 0.0
    doubts = rng.uniform(0.0, 1.0, (200, 4, 5)) * 10 ** rng.uniform(-2, 2, (200, 4, 5))
    number = np.concatenate([[0.0], np.linspace(1, 60, 2_000)])
    cost = price * number[:, None, None] + (doubts * np.exp(-number[:, None, None, None] * nats)).sum(axis=3)
    found = least_cost(price, doubts, nats)
    assert (found >= cost.min(axis=0) - 1e-9).all() and (found <= 1.2 * cost.min(axis=0)).all()
    np.testing.assert_allclose(least_cost(price, doubts[:, :, :1], nats[:, :1]), doubts[:, :, 0])
    assert (least_cost(0 * price, 0 * doubts, nats) == 0).all()


def test_asking_is_not_taken_for_settling_what_it_does_not_tell():
    """Sixteen jobs and two dull questions: to try the jobs first and ask later looked free, so nobody ever asked."""
    worth, prior = worth_of(clues(latents=16, horizon=1, dull=0.7, safe=0.3, seed=6))
    wrong, belief = worth.wrong(prior[None], 1000), prior[None]
    asking, turns = worth.asking(belief, wrong).sum(), worth.in_turn(belief, wrong).sum()
    assert 1.5 < asking < 0.75 * turns
