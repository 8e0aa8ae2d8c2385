"""Slopes of regret against an error, and the two experiments that take them."""

from dataclasses import replace

import numpy as np
import pytest

from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, conduct
from parley.experiments.claims import actor_error, reporter_error
from parley.experiments.slopes import slope, within


def test_the_slope_is_found_through_noise_that_runs_share():
    rng, errors = np.random.default_rng(0), [0.0, 0.1, 0.3]
    shared = rng.normal(size=(200, 5))
    found, (low, high) = slope(errors, [shared + 2 * e + 0.01 * rng.normal(size=(200, 5)) for e in errors])
    assert low < 2 < high and high - low < 0.02 and found == pytest.approx(2, abs=0.01)


def test_verdicts():
    assert [within(*i, 0.1) for i in ((-0.1, 0.1), (-0.2, 0.0), (0.0, 0.2), (0.11, 0.2), (-0.2, -0.11))] == [
        SUPPORTED,
        UNDECIDED,
        UNDECIDED,
        NOT_SUPPORTED,
        NOT_SUPPORTED,
    ]


@pytest.fixture(scope="module")
def foreseen():
    return {module: module.predictions() for module in (actor_error, reporter_error)}


@pytest.mark.parametrize(
    "off, bail, expected",
    [
        (0.0, 0.5, SUPPORTED),
        (0.1, 0.5, NOT_SUPPORTED),  # a clone that loses something else than its kernel says
        (0.0, 1.2, NOT_SUPPORTED),  # BAIL above its bound
    ],
    ids=["as predicted", "another Actor", "above the bound"],
)
def test_actor_error(foreseen, monkeypatch, off, bail, expected):
    seen, rng = foreseen[actor_error], np.random.default_rng(0)
    monkeypatch.setattr(actor_error, "predictions", lambda: seen)
    cells = [c for c in actor_error.cells(False) if c.world.startswith("household")]
    lost = [one.regret + off * (i == 1) for i, one in enumerate(seen)] + [0.1 + bail * one.bound for one in seen]
    noise = [0.1 * rng.normal(size=(1_000, 10)) for _ in lost]
    found = actor_error.analyse(cells, [mean + e for mean, e in zip(lost, noise, strict=True)])
    assert found.verdict == expected
    assert all(0 < one["coverage"] < 1 for one in found.rows if "coverage" in one)


@pytest.mark.parametrize(
    "off, late, expected",
    [
        (0.0, 0.0, SUPPORTED),
        (0.004, 0.0, NOT_SUPPORTED),  # a Reporter that says something else than its emission
        (0.0, 0.03, NOT_SUPPORTED),  # BAIL never finds z out
    ],
    ids=["as predicted", "another Reporter", "misled for ever"],
)
def test_reporter_error(foreseen, monkeypatch, off, late, expected):
    seen, rng = foreseen[reporter_error], np.random.default_rng(0)
    monkeypatch.setattr(reporter_error, "predictions", lambda: seen)
    cells, shared = reporter_error.cells(False), 0.3 * rng.normal(size=(2_000, 30))
    learning = 0.2 * 0.7 ** np.arange(30)
    regrets = [shared + one.regret + off * (i == 4) for i, one in enumerate(seen)]
    regrets += [shared + one.regret + (1 + one.error) * learning + late * (i == 5) for i, one in enumerate(seen)]
    assert reporter_error.analyse(cells, regrets).verdict == expected


@pytest.mark.parametrize("experiment, runs", [(actor_error, 12), (reporter_error, 30)])
def test_the_experiments_in_small(experiment, runs, tmp_path, monkeypatch, foreseen):
    monkeypatch.setattr(experiment, "predictions", lambda: foreseen[experiment])
    cells = [replace(c, episodes=3, runs=runs) for c in experiment.cells(True)]
    monkeypatch.setattr(experiment, "cells", lambda quick: cells)
    finding, figure = conduct(experiment, tmp_path, True, lambda label, total: lambda record, runs: None)
    assert finding.interval[0] <= finding.estimate <= finding.interval[1]
    assert len(finding.rows) > len(cells) and figure.axes
