"""Slopes of regret against an error, and the two experiments that take them."""

from dataclasses import replace

import numpy as np
import pytest

from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, conduct
from parley.experiments.claims import actor_error, reporter_error
from parley.experiments.slopes import costs_at_most, slope


def test_the_slope_is_found_through_noise_that_runs_share():
    rng, errors = np.random.default_rng(0), [0.0, 0.1, 0.3]
    shared = rng.normal(size=(200, 5))
    found, (low, high) = slope(errors, [shared + 2 * e + 0.01 * rng.normal(size=(200, 5)) for e in errors])
    assert low < 2 < high and high - low < 0.02 and found == pytest.approx(2, abs=0.01)


def test_verdicts():
    assert [costs_at_most(*i, 2.0) for i in ((0.1, 1.0), (-0.1, 1.0), (-1.0, 0.0), (2.1, 3.0), (1.0, 3.0))] == [
        SUPPORTED,
        UNDECIDED,
        NOT_SUPPORTED,
        NOT_SUPPORTED,
        UNDECIDED,
    ]


@pytest.mark.parametrize("experiment, runs", [(actor_error, 12), (reporter_error, 600)])
def test_the_experiments_in_small(experiment, runs, tmp_path, monkeypatch):
    cells = [replace(c, episodes=2, runs=runs) for c in experiment.cells(True)]
    monkeypatch.setattr(experiment, "cells", lambda quick: cells)
    finding, figure = conduct(experiment, tmp_path, True, lambda label, total: lambda record, runs: None)
    assert finding.interval[0] <= finding.estimate <= finding.interval[1] and finding.estimate > 0
    assert finding.verdict in (SUPPORTED, UNDECIDED) and len(finding.rows) > len(cells) and figure.axes
