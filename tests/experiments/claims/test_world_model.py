"""The cells that train a model on observations alone, in miniature: with and without expert episodes."""

from dataclasses import replace

import numpy as np
import pytest

from parley.experiments.claims import world_model as experiment


@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_a_model_is_trained_on_observations_and_measured(rho):
    *_, cell = [c for c in experiment.cells(True) if isinstance(c, experiment.Observing)]
    tiny = replace(cell, tokens=8_000, width=8, episodes=2, runs=16, rho=rho)
    kept = experiment.measure(tiny, lambda record, runs: None)
    assert kept.shape == (5 + 2, experiment.KEPT + 3 * experiment.BINS) and np.isfinite(kept).all()
    assert kept[0, experiment.EXCESS] > kept[0, experiment.HALF]  # hardly trained: worse than the floor, surely
