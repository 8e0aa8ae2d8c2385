"""The experiment on search budgets, in miniature: a tree of all histories finds what expectimax finds."""

from dataclasses import replace

import numpy as np

from parley.experiments.claims import search_budget as experiment


def test_little_is_missing_and_less_with_more_calls(monkeypatch):
    monkeypatch.setattr(experiment, "HEARD", (0, 1))
    (few, many) = (replace(c, runs=2, episodes=2) for c in experiment.cells(True)[:2])
    some, more = (experiment.measure(c, lambda record, runs: None) for c in (few, many))
    assert some.shape == more.shape == (2, 2 * 4, 3)
    np.testing.assert_array_equal(some[..., experiment.EXACT], more[..., experiment.EXACT])
    exact = some[..., experiment.EXACT]
    assert (more[..., experiment.CHOSEN] <= exact + 1e-9).all() and (exact > 0).any()
    missing = [np.abs(one[..., experiment.FOUND] - exact) for one in (some, more)]
    assert missing[1].mean() <= missing[0].mean() and missing[0].max() > 0.001
    late = [3, 7]  # the last step of an episode: one call says all, but for what is cut off
    assert missing[0][:, late].max() < 0.01
