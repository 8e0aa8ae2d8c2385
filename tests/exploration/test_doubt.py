"""What a trial is worth, and of whom it is one."""

import numpy as np

from parley.exploration.doubt import Doubt
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes, classes_of
from parley.theory.trials import Trials
from parley.worlds.forage.tables import forage_tables
from parley.worlds.tabular.random_family import random_family


def test_a_trial_is_put_off_until_its_instruction_comes():
    """In `forage` the cherry that takes longest is tried while none is asked for."""
    tables = forage_tables()
    beliefs = Beliefs(tables)
    classes = classes_of(beliefs)
    trials = Trials(beliefs, classes)
    often, belief = np.full((3, 3), 1 / 3), np.tile(classes.prior, (3, 1))
    tried = tables.latents.index("apple takes 1, plum takes 1, cherry takes 3")
    doubt = Doubt.of(trials, belief, np.arange(3), often, 100)
    gain, _, waits = doubt.gain(trials, np.full(3, tried), np.ones(3), 2.0)
    assert gain[0] > 0 and list(gain[1:]) == [-np.inf] * 2
    assert ["cherry" in w for w in tables.instructions] == list(waits) == [False, True, True]


def test_a_latent_in_two_halves_is_worth_the_same_trial():
    """What is on trial is what is done, not a latent: all who gain by it count together."""
    beliefs = Beliefs(random_family(latents=2, states=3, observations=2, subgoals=3, instructions=2, horizon=1, seed=4))
    whole, halves = Classes(((0,), (1,)), np.array([0.7, 0.3])), Classes(((0,), (1,), (1,)), np.array([0.7, 0.2, 0.1]))
    gains = []
    for classes in (whole, halves):
        trials = Trials(beliefs, classes)
        often, belief = np.full((2, 2), 0.5), np.tile(classes.prior, (2, 1))
        doubt = Doubt.of(trials, belief, np.arange(2), often, 10_000)
        gains.append([doubt.gain(trials, np.array([1, 1]), np.full(2, tilt), 2.0)[0] for tilt in (1.0, 0.5)])
    assert np.isfinite(gains[0]).any()
    np.testing.assert_allclose(gains[0][0], gains[1][0], rtol=1e-6)
