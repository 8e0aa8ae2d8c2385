"""What `any-planner` compares with, and its analysis."""

import numpy as np
import pytest

from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from parley.experiments.claims import any_planner
from parley.experiments.claims.adaptive_lines import ADAPTIVE
from parley.experiments.claims.any_planner_lines import CountingExplorer, ResampledPlanner
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.worlds.tabular.bandit import bandit
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run


def made_up(config, rng, worst=3.0, early=0.9, rivals=10.0, noise=0.1):
    """Regret in a quarter of the episodes and in all, as the claim says; worlds differ a little."""
    key, blind = (config.planner, config.explore), config.world == any_planner.BLIND
    kept = 15.0 if blind else worst
    total = {ADAPTIVE: 2.0, any_planner.KEPT: kept}.get(key, kept * rivals * (1 + len(config.world) % 5 / 5))
    totals = total * np.exp(noise * rng.normal(size=config.runs))
    return np.stack([early * totals, totals], axis=1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, SUPPORTED, id="as the claim says"),
        pytest.param({"worst": 9.0}, NOT_SUPPORTED, id="more than twice"),
        pytest.param({"early": 0.05}, NOT_SUPPORTED, id="linear"),
        pytest.param({"rivals": 0.02}, NOT_SUPPORTED, id="others lose less"),
        pytest.param({"noise": 1.5}, UNDECIDED, id="noise"),
    ],
)
def test_the_verdict_is_what_the_numbers_say(changes, expected):
    cells = any_planner.cells(True)
    kept = [made_up(c, np.random.default_rng((1, i)), **changes) for i, c in enumerate(cells)]
    finding = any_planner.analyse(cells, kept)
    assert finding.verdict == expected
    any_planner.drawn(finding.rows)


def test_a_resampled_history_is_the_history_on_average():
    """Every earlier episode is read once on average, and seldom all are read."""
    tables = bandit(arms=3)
    latents, planner = np.zeros(400, dtype=int), ResampledPlanner(Beliefs(tables), decode="greedy")
    exact = ExactPlanner(Beliefs(tables), decode="greedy")
    run(tables, planner, latents, 12)
    told = planner._told[:11]
    read = planner.settled - planner._prior
    whole = told.sum(axis=0)
    gap = (read[:, 0] - read[:, 1]) - (whole[:, 0] - whole[:, 1])
    assert np.abs(gap.mean()) <= 4 * gap.std() / np.sqrt(len(gap)) and gap.std() > 0.1
    run(tables, exact, latents, 1)
    run(tables, planner, latents, 1)
    np.testing.assert_allclose(planner.posterior, exact.posterior)  # there is nothing to resample yet


def test_what_no_latent_allows_stays_impossible_where_it_is_read():
    tables = treasure(4)
    planner = ResampledPlanner(Beliefs(tables), decode="sample")
    kept = run(tables, planner, np.zeros(64, dtype=int), 30)
    assert np.isfinite(kept.expected()).all()


def test_counts_find_the_best_arm_and_know_every_mean():
    """The return that followed each choice is what the log says."""
    tables = bandit(arms=3, gap=0.6)
    explorer = CountingExplorer()
    kept = run(tables, ExactPlanner(Beliefs(tables)), np.zeros(32, dtype=int), 300, explorer)
    explorer._learn()
    assert explorer.times.sum() == 32 * 300
    assert explorer.returns.sum() == pytest.approx(sum(record.returns.sum() for record in kept.episodes))
    assert kept.expected()[:, 200:].mean() <= 0.1 * 0.6
