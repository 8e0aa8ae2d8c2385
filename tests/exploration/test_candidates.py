"""The policies of an episode that `adaptive` chooses among."""

import numpy as np
import pytest

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
    """H = 2: the safe job is better in one episode; asking, and then doing the job that was named, in the long run."""
    tables = clues(latents=2, clues=1, horizon=2, hit=0.65, miss=0.45, dull=1.0, safe=0.6, seed=0)
    found = candidates(tables)
    tree, menu = found.trials.tree, tables.menus[0]
    chosen = found.best(np.array([0.5, 0.5]), 0, np.ones(1), 100)
    (node,) = tree.first[tree.first >= 0]
    assert chosen is not None and chosen.plan is not None
    first = chosen.planned(1, int(node))
    assert menu[first.argmax()] == "ask the smith" and first.max() == 1
    answers = [int(n) for n in tree.steps[0].child[node, first.argmax()] if n >= 0]
    assert len(answers) == 2
    for child in answers:
        right = tree.steps[1].root[child].argmax()
        assert menu[chosen.planned(2, child).argmax()] == f"do job {found.trials.latents[right]}"


@pytest.mark.parametrize("drawn, tried", [(0, 0), (1, 1), (2, 2), (3, 3), (4, 0), (5, 0)])
def test_the_class_drawn_is_tried_if_that_costs_as_much(drawn: int, tried: int):
    """Six jobs, no question: to try an improbable job first would cost more than the error of the estimates."""
    found = candidates(clues(latents=6, clues=0, horizon=1, safe=0.3, seed=0))
    belief = np.array([0.27, 0.25, 0.22, 0.2, 0.055, 0.005])
    chosen = found.best(belief, 0, np.ones(1), 1000, drawn)
    assert chosen is not None and chosen.weights is not None and chosen.weights.argmax() == tried


@pytest.mark.parametrize("drawn, tried", [(7, 7), (8, 8), (9, 9), (10, 10), (11, 11), (0, 7)])
def test_a_plan_takes_the_class_drawn_for_the_most_probable_one(drawn: int, tried: int):
    """Two steps: a plan does one job, and if that was wrong the safe one. Jobs 0 to 6 are refuted."""
    tables = clues(latents=12, clues=1, horizon=2, dull=0.6, safe=0.6, seed=1016)
    found = candidates(tables)
    belief = np.where(np.arange(12) > 6, np.linspace(1.3, 0.7, 12), 0.0)
    (node,) = found.trials.tree.first[found.trials.tree.first >= 0]
    chosen = found.best(belief / belief.sum(), 0, np.ones(1), 1000, drawn)
    assert chosen is not None and chosen.plan is not None
    assert tables.menus[0][chosen.planned(1, int(node)).argmax()] == f"do job {tried}"


def test_nothing_is_drawn_where_it_is_best_to_ask():
    found = candidates(signs(8))
    (node,) = found.trials.tree.first[found.trials.tree.first >= 0]
    for drawn in range(9):
        chosen = found.best(np.full(9, 1 / 9), 0, np.ones(1), 1000, drawn)
        assert chosen is not None and chosen.planned(1, int(node)).argmax() == 1


def test_bhattacharyya_bounds_what_confusing_costs():
    """For two classes the sum over ends of sqrt(b P b' P') is at least the least of the two errors."""
    rng = np.random.default_rng(1)
    joint = rng.dirichlet(np.ones(5), size=2).T * np.array([0.7, 0.3])
    doubt = np.array([[0.0, 2.0], [2.0, 0.0]])
    assert apart(joint, doubt).sum() >= 2 * np.minimum(joint[:, 0], joint[:, 1]).sum()
