"""The experiment `real-models`: what stands beside a planner, and a verdict that can go either way."""

from dataclasses import replace

import numpy as np
import pytest

from parley.experiments.claims import real_models
from parley.experiments.claims.real_models import CHAT, MODELS, REFERENCES, WORLDS, measure, row

HISTORY = f"{MODELS[CHAT]},memory=full"


def told(regret: float, rng: np.random.Generator, first: int = -1) -> np.ndarray:
    """Made-up runs: regret about a mean, and always the same first subgoal, or any."""
    found = np.zeros((8, 12, 4))
    found[..., 0] = rng.gamma(4, regret / 4, size=(8, 12))
    found[..., 3] = rng.integers(4, size=(8, 12)) if first < 0 else first
    return found


@pytest.mark.parametrize(("with_history", "verdict"), [(0.3, "supported"), (0.9, "not supported")])
def test_the_verdict_can_go_either_way(with_history, verdict):
    rng, cells = np.random.default_rng(0), real_models.cells(quick=True)
    found = [told(with_history if c.planner == HISTORY else 0.6, rng) for c in cells]
    finding = real_models.analyse(cells, found)
    assert finding.verdict == verdict and len(finding.rows) == len(cells)
    real_models.drawn(finding.rows)


def test_a_model_that_takes_one_line_is_named():
    stuck = row(told(0.5, np.random.default_rng(0), first=2), 1.0, 4)
    assert stuck["one line"] == 1 and stuck["K MinFrac"] == 0 and stuck["suffix failure"] == 1
    spread = row(told(0.5, np.random.default_rng(0)), 1.0, 4)
    assert spread["one line"] < 0.7


@pytest.mark.parametrize("world", WORLDS)
def test_the_exact_planner_is_at_no_distance_from_itself(world):
    cell = replace(real_models.cells(quick=True)[0], world=world, runs=4, episodes=3)
    exact = measure(replace(cell, planner=REFERENCES["exact"]), lambda record, runs: None)
    chance = measure(replace(cell, planner=REFERENCES["random"]), lambda record, runs: None)
    assert exact.shape == (4, 3, 4) and np.abs(exact[..., 1]).max() < 1e-12
    assert chance[..., 1].mean() > 0.05 or world == "bandit"  # whose first law is even
    assert set(np.unique(exact[..., 2])) <= {0.0, 1.0}
