"""The verdict of `paid-information`, from totals made up for it and from a run in small."""

from dataclasses import replace

import numpy as np
import pytest

from parley.experiments.base import NOT_SUPPORTED, SUPPORTED
from parley.experiments.claims.adaptive_lines import ADAPTIVE, LIMIT, apart
from parley.experiments.claims.paid_information import COMMIT, NOISELESS, SIGNS, analyse, cells, measure


def totals(configs, mine: float, theirs: float) -> list[np.ndarray]:
    """The same in every run: of `adaptive`, of the optimum, of the references."""
    found = []
    for config in configs:
        key = (config.planner, config.explore)
        value = mine if key == ADAPTIVE else 1.0 if key == LIMIT else theirs
        found.append(np.full((config.runs, 1), value))
    return found


@pytest.mark.parametrize(
    ("mine", "theirs", "verdict"),
    [
        pytest.param(1.2, 1.2, SUPPORTED, id="as good as the references"),
        pytest.param(1.4, 1.4, NOT_SUPPORTED, id="too far from the optimum without noise"),
        pytest.param(1.2, 0.8, NOT_SUPPORTED, id="worse than the references"),
    ],
)
def test_every_criterion_decides(mine, theirs, verdict):
    configs = cells(True)
    finding = analyse(configs, totals(configs, mine, theirs))
    assert finding.verdict == verdict
    assert {row["criterion"] for row in finding.rows} == {"commit", "bayes", "worst", "grows", "optimum"}


def test_growth_with_the_number_of_boxes_decides():
    configs = cells(True)
    found = totals(configs, 1.0, 100.0)
    for config, total in zip(configs, found, strict=True):
        if config.world == SIGNS[1] and (config.planner, config.explore) == ADAPTIVE:
            total += 0.6
    assert analyse(configs, found).verdict == NOT_SUPPORTED


def test_in_small():
    """With a sign that never errs `adaptive` loses what the optimum loses, and no run is of another latent."""
    latents = len(apart(NOISELESS)[0])
    chosen = [c for c in cells(True) if c.world == NOISELESS and (c.planner, c.explore) in (ADAPTIVE, COMMIT, LIMIT)]
    found = {}
    for config in chosen:
        runs = 1 if (config.planner, config.explore) == LIMIT else 2 * latents
        small = replace(config, runs=runs, episodes=200)
        found[config.planner, config.explore] = measure(small, lambda record, number: None)
    mine = found[ADAPTIVE].reshape(2, latents) @ apart(NOISELESS)[1]
    assert mine.max() <= 1.3 * found[LIMIT][0, 0] and found[COMMIT].shape == (2 * latents, 1)
