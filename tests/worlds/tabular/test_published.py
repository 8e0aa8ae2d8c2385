"""Tables that others published: bandits, `riverswim`, `lock`, `darkroom`."""

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs
from parley.worlds.tabular.bandit import bandit
from parley.worlds.tabular.darkroom import darkroom
from parley.worlds.tabular.gaussian_bandit import gaussian_bandit
from parley.worlds.tabular.lock import lock
from parley.worlds.tabular.riverswim import riverswim


def pays(tables) -> np.ndarray:
    """Expected pay of each subgoal at the start, H = 1, by latent."""
    return np.einsum("zgs,s->zg", tables.transition[:, 0], tables.reward[:, 0])


@pytest.mark.parametrize(("arms", "gap"), [(5, 0.2), (4, 0.5), (20, 0.2)])
def test_the_best_arm_is_the_latents_own_by_the_gap(arms, gap):
    np.testing.assert_allclose(pays(bandit(arms, gap)), 0.5 - gap / 2 + gap * np.eye(arms))


def test_bins_keep_the_order_of_gaussian_means():
    """Mean pay in bins is the drawn mean, but for the width of a bin and what lies beyond the outermost."""
    coarse, fine = (pays(gaussian_bandit(arms=4, latents=6, bins=bins, seed=1)) for bins in (16, 128))
    np.testing.assert_allclose(coarse, fine, atol=0.04)
    assert np.ptp(fine) > 0.1


def test_the_river_by_hand():
    """H = 1: from the lowest pool swimming up pays nothing; swimming down pays the coin."""
    t = riverswim(3, horizon=1)
    np.testing.assert_allclose(pays(t), [[0.005, 0.0]] * 4)
    up = t.menus[0].index("swim up")
    second = next(s for s, name in enumerate(t.states) if name == "you are in pool 2 of 3")
    strong, weak = t.transition[1, second, up], t.transition[0, second, up]
    third = next(s for s, name in enumerate(t.states) if name == "you are in pool 3 of 3")
    assert (weak[third], strong[third]) == pytest.approx((0.35, 0.175))


def test_one_combination_opens_the_lock():
    t = lock(digits=3, length=2)
    assert Beliefs(t).value.min() == Beliefs(t).value.max() == 1
    for z, code in enumerate(name.split() for name in t.latents):
        at = 0
        for digit in code:
            at = int(t.transition[z, at, t.menus[0].index(f"dial {digit}")].argmax())
        assert t.states[at] == "open"


def test_the_goal_is_seen_by_who_stands_on_it():
    t = darkroom(size=3, horizon=2)
    for z in range(9):
        goals = [name.endswith("the goal") for name in t.observations]
        np.testing.assert_array_equal(t.emission[z][:, goals].sum(axis=1), np.arange(9) == z)


@pytest.mark.parametrize(
    ("make", "given", "names"),
    [
        (bandit, {"arms": 1}, "arms=1"),
        (bandit, {"gap": 0}, "gap=0"),
        (bandit, {"scenario": "films"}, "scenario='films'"),
        (gaussian_bandit, {"spread": 0}, "spread=0"),
        (riverswim, {"pools": 2}, "pools=2"),
        (riverswim, {"pays": 1}, "pays=1"),
        (lock, {"digits": 1}, "digits=1"),
        (darkroom, {"size": 10}, "size=10"),
    ],
)
def test_what_cannot_be_is_refused(make, given, names):
    with pytest.raises(BadInput, match=names):
        make(**given)
