"""Means over cells between limits that hold their level also where a cell has few runs."""

import numpy as np
import pytest

from parley.experiments.scored import averaged


@pytest.mark.parametrize("runs", [[4], [4, 16], [3, 3, 3, 30]])
def test_limits_hold_the_truth_as_often_as_they_say(runs):
    """Cells whose runs differ by different amounts; by 1.96 errors, four runs would hold it in 86% of cases."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(2000):
        mean, low, high = averaged([rng.normal(0.0, 1 + i, n) for i, n in enumerate(runs)])
        assert low <= mean <= high
        held += low <= 0 <= high
    assert 0.935 <= held / 2000 <= 0.975


def test_one_cell_has_students_limits():
    runs = np.array([0.0, 1.0, 2.0, 3.0])
    mean, low, high = averaged([runs])
    assert mean == 1.5 and high - mean == pytest.approx(3.1824 * runs.std(ddof=1) / 2, rel=1e-3) == mean - low
    assert averaged([np.zeros(4), np.zeros(2)]) == (0, 0, 0)
