"""Worlds in which what informs is optimal under no latent: `signs` and `clues`."""

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs
from parley.worlds.tabular.clues import clues
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.signs import signs


def values(tables) -> np.ndarray:
    """The optimal value of each latent."""
    return Beliefs(tables).value


def test_the_sign_is_optimal_under_no_latent_and_says_which_it_is():
    t = signs(3, right=0.8)
    sign = t.menus[0].index("read the sign")
    said = [t.observations.index(f"you see: the sign says {name}") for name in ("nowhere", "box 0", "box 1", "box 2")]
    np.testing.assert_allclose(t.transition[:, 0, sign][:, said], np.where(np.eye(4) > 0, 0.8, 0.2 / 3))
    pays = np.einsum("zgs,s->zg", t.transition[:, 0], t.reward[:, 0])
    assert (pays[:, sign] == 0).all()
    np.testing.assert_allclose(pays.max(axis=1), [0.6, 1, 1, 1])
    assert (pays.argmax(axis=1) == [0, 2, 3, 4]).all()


def test_questions_pay_nothing_and_tell_groups_apart():
    t = clues(latents=4, clues=2, horizon=1, hit=0.9, miss=0.1, safe=0.5, seed=3)
    pays = np.einsum("zgs,s->zg", t.transition[:, 0], t.reward[:, 0])
    np.testing.assert_allclose(pays[:, :4], np.where(np.eye(4) > 0, 0.9, 0.1))
    np.testing.assert_allclose(pays[:, 4], 0.5)
    assert (pays[:, 5:] == 0).all()
    assert all((np.ptp(t.transition[:, 0, g], axis=0) > 0).any() for g in (5, 6)), "answers depend on the latent"


def test_far_questions_are_asked_in_town_only():
    t = clues(latents=3, clues=1, horizon=3, far=True, seed=1)
    ask, walk = t.menus[0].index("ask the smith"), t.menus[0].index("walk to the other place")
    here, there = (t.states.index(f"{place}: nothing has happened") for place in ("in the yard", "in town"))
    assert (np.ptp(t.transition[:, here, ask], axis=0) == 0).all()
    assert (np.ptp(t.transition[:, there, ask], axis=0) > 0).any()
    assert t.transition[0, here, walk, there] == 1


def test_families_may_hardly_differ():
    own, near = (random_family(latents=3, apart=share, seed=5).transition for share in (1.0, 0.05))
    assert np.ptp(near, axis=0).max() <= 0.05 + 1e-9 < np.ptp(own, axis=0).max()
    np.testing.assert_allclose(near.sum(axis=-1), 1)


@pytest.mark.parametrize(
    ("make", "given", "names"),
    [
        (signs, {"n": 0}, "n=0"),
        (signs, {"right": 1.5}, "right=1.5"),
        (clues, {"latents": 1}, "latents=1"),
        (clues, {"clues": 9}, "clues=9"),
        (clues, {"dull": -0.1}, "dull=-0.1"),
        (random_family, {"apart": 2}, "apart=2"),
    ],
)
def test_what_cannot_be_is_refused(make, given, names):
    with pytest.raises(BadInput, match=names):
        make(**given)
