"""In which order classes are tried, against a linear program over all orders."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from parley.exploration.orders import MORE, levelled

GRID = (np.arange(4000) + 0.5) / 4000


def places(level: np.ndarray) -> np.ndarray:
    """Mean place of each class in each run, the most probable first, equals in an order drawn equally."""
    near = np.isclose(level[:, :, None], level[:, None, :], rtol=1e-9, atol=0)
    before = (level[:, None, :] > level[:, :, None]) & ~near
    return before.sum(axis=2) + (near.sum(axis=2) - 1) / 2


def priors(size: int) -> st.SearchStrategy[np.ndarray]:
    weights = st.lists(st.integers(1, 40), min_size=size, max_size=size)
    return weights.map(lambda w: np.array(w, dtype=float) / sum(w))


@settings(max_examples=30, deadline=None)
@given(priors(5))
def test_no_lottery_over_orders_is_fairer_at_that_price(prior):
    orders = np.array(list(permutations(range(5))))  # order k gives class i the place orders[k, i]
    price = orders @ prior
    least = np.sort(prior)[::-1] @ np.arange(5)
    program = linprog(
        np.r_[np.zeros(len(orders)), 1.0],  # the largest mean place
        A_ub=np.vstack([np.c_[orders.T, -np.ones(5)], np.r_[price, 0.0]]),
        b_ub=np.r_[np.zeros(5), (1 + MORE) * least],
        A_eq=np.r_[np.ones(len(orders)), 0.0][None],
        b_eq=[1.0],
    )
    mean = places(levelled(prior, GRID)).mean(axis=0)
    assert mean @ prior <= (1 + MORE) * least + 1e-3
    assert mean.max() == pytest.approx(program.fun, abs=2e-3)


@given(st.integers(1, 9).flatmap(priors))
def test_a_level_is_a_prior_in_the_same_order(prior):
    found = levelled(prior, GRID[::500])
    assert found.sum(axis=1) == pytest.approx(1.0)
    order = np.argsort(-prior, kind="stable")
    assert (np.diff(found[:, order], axis=1) <= 1e-15).all()


def test_equal_classes_are_all_shuffled_and_impossible_ones_stay_so():
    found = levelled(np.array([0.25, 0.0, 0.25, 0.25, 0.25]), GRID[::100])
    assert (found == [0.25, 0.0, 0.25, 0.25, 0.25]).all()


def test_a_search_that_is_nearly_over_at_once_keeps_its_order():
    found = levelled(np.array([0.9, 0.09, 0.01]), GRID)
    assert places(found).mean(axis=0) @ [0.9, 0.09, 0.01] == pytest.approx(1.1 * 0.11, abs=1e-3)
