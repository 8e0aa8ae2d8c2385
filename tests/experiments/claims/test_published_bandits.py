"""Textbook explorers on published bandits, against what can be worked out by hand."""

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED
from parley.experiments.claims.published_bandits import (
    FAILED,
    GREEDY,
    HARD,
    LARGE,
    LEAST,
    LOST,
    PUBLISHED,
    REGRET,
    REWARD,
    Pulling,
    analyse,
    cells,
    measure,
)


def pulled(world: str, rule: str, episodes: int, runs: int) -> np.ndarray:
    return measure(Pulling(world, "random", episodes=episodes, runs=runs, rule=rule), lambda record, number: None)


@pytest.mark.parametrize("rule", ["ucb", "ucb-log", "greedy"])
def test_every_arm_is_pulled_once_before_any_is_pulled_again(rule):
    found = pulled(HARD, rule, 5, 400)
    assert (found[:, LEAST] == 1).all() and (found[:, GREEDY] == 1).all()
    np.testing.assert_allclose(found[:, LOST], 4 * 0.2)
    assert found[:, REWARD].mean() == pytest.approx(0.44, abs=4 * 0.5 / (5 * 400) ** 0.5)


def test_without_a_gap_to_speak_of_greedy_stays_with_an_arm_that_always_pays():
    """Arms pay 1 for certain or 0: greedy never leaves the right one, so only the first pulls of others lose."""
    found = pulled("bandit:arms=4,gap=1", "greedy", 40, 64)
    np.testing.assert_allclose(found[:, LOST], 3.0)
    assert (found[:, FAILED] == 0).all() and (found[:, REWARD] == 37 / 40).all()


def test_regret_is_what_the_best_arm_would_have_paid_more():
    found = pulled(HARD, "ts", 50, 4000)
    difference = 50 * (0.6 - found[:, REWARD]) - found[:, LOST]
    assert abs(difference.mean()) < 4 * difference.std() / len(difference) ** 0.5


def test_what_has_a_horizon_is_no_bandit():
    with pytest.raises(BadInput, match="no bandit"):
        pulled("shortcut", "greedy", 2, 2)


def imagined(rule: str, lost: dict[str, float]) -> np.ndarray:
    """1,000 replicates with the published numbers of the hard setting, and these regrets."""
    median, failures, least, share = PUBLISHED.get(rule, PUBLISHED["ucb"])
    found = np.tile([0.4 + 0.2 * median, 0.0, least, share, lost[rule]], (1000, 1))
    found[: round(1000 * failures), FAILED] = 1.0
    return found


def test_the_published_numbers_are_supported_and_others_are_not():
    configs = [config for config in cells(True) if config.world in (HARD, LARGE)]
    lost = {**REGRET, "ucb": 80.0}
    kept = [imagined(config.rule, lost) for config in configs]
    assert analyse(configs, kept).verdict == SUPPORTED
    for other in ({"greedy": 122.9, "ts": 121.0}, {"ucb": 115.0}, {"ucb-log": 170.0}):
        assert analyse(configs, [imagined(config.rule, lost | other) for config in configs]).verdict == NOT_SUPPORTED
    for index in (REWARD, LEAST, GREEDY):
        wrong = [one.copy() for one in kept]
        wrong[0][:, index] += 0.15
        assert analyse(configs, wrong).verdict == NOT_SUPPORTED
