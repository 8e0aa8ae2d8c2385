"""Reductions of short rows are numpy's, bit by bit."""

import numpy as np
import pytest

from parley.core.rows import SHORT, row_count, row_max, whole_sum


@pytest.mark.parametrize("width", [1, 2, 7, SHORT, SHORT + 1])
def test_short_rows_are_reduced_as_long_ones(width):
    rng = np.random.default_rng(width)
    x = rng.normal(size=(50, width))
    x[rng.random(x.shape) < 0.2] = -np.inf
    np.testing.assert_array_equal(row_max(x), x.max(axis=1))
    np.testing.assert_array_equal(row_max(x, keepdims=True), x.max(axis=1, keepdims=True))
    deep = rng.normal(size=(5, 3, width))
    np.testing.assert_array_equal(row_max(deep, keepdims=True), deep.max(axis=2, keepdims=True))
    true = x > 0
    np.testing.assert_array_equal(row_count(true), true.sum(axis=1))
    counts = rng.integers(0, 100, size=(50, width)).astype(float)
    np.testing.assert_array_equal(whole_sum(counts), counts.sum(axis=1))
