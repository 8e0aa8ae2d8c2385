"""The cell that trains its own checkpoint, in miniature: no expert, no labels."""

from dataclasses import replace

import numpy as np
import pytest

from parley.experiments.claims import world_model_regret as experiment


@pytest.mark.slow
def test_a_checkpoint_without_labels_is_trained_and_plans():
    (cell,) = [c for c in experiment.cells(True) if isinstance(c, experiment.Unlabelled)]
    tiny = replace(cell, tokens=4_000, episodes=3, runs=4)
    regret = experiment.measure(tiny, lambda record, runs: None)
    assert regret.shape == (4, 3) and np.isfinite(regret).all() and (regret > -1e-9).all()
