"""The policies of an episode that `adaptive` chooses among."""

import numpy as np

from parley.exploration.candidates import Candidates, apart
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of
from parley.theory.trials import Trials
from parley.worlds.tabular.clues import clues
from parley.worlds.tabular.signs import signs


def candidates(tables) -> Candidates:
    beliefs = Beliefs(tables)
    classes = classes_of(beliefs)
    return Candidates(Trials(beliefs, classes), 1, 1.0, classes.prior)


def test_a_sign_is_read_where_enough_episodes_remain():
    found = candidates(signs(8))
    belief = np.full(9, 1 / 9)
    chosen = found.best(belief, 0, np.ones(1), 1000)
    (node,) = found.trials.tree.first[found.trials.tree.first >= 0]
    assert chosen is not None and chosen.planned(1, int(node)).argmax() == 1
    assert found.best(belief, 0, np.ones(1), 1) is None, "in the last episode nothing is worth finding out"


def test_an_informing_step_first_then_what_it_says():
    """H = 2: the plan asks, then does the job that the answer names."""
    tables = clues(latents=2, clues=1, horizon=2, dull=1.0, safe=0.4, seed=0)
    found = candidates(tables)
    chosen = found.best(np.array([0.5, 0.5]), 0, np.ones(1), 100)
    plan_or_greedy = found.trials.play(np.array([[0.5, 0.5]]), 0)
    assert chosen is None or chosen.plan is not None
    # greedy on the belief asks first itself: within the episode that pays
    assert plan_or_greedy.loss.max() <= 0.5 + 1e-9


def test_bhattacharyya_bounds_what_confusing_costs():
    """For two classes the sum over ends of sqrt(b P b' P') is at least the least of the two errors."""
    rng = np.random.default_rng(1)
    joint = rng.dirichlet(np.ones(5), size=2).T * np.array([0.7, 0.3])
    doubt = np.array([[0.0, 2.0], [2.0, 0.0]])
    assert apart(joint, doubt).sum() >= 2 * np.minimum(joint[:, 0], joint[:, 1]).sum()
