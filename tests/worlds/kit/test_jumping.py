"""A latent that jumps: when, to what, for whom."""

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.execute import RunConfig
from parley.experiments.base import expected_regret


def silent(record, runs):
    pass


def test_the_latent_is_another_one_from_the_jump_on():
    world, draws = assemble.world("household:jump=7"), Draws(3, 400)
    latents = np.zeros(400, dtype=int)
    now = world.truth(latents, draws)
    assert (now(6) == 0).all() and (now(7) != 0).all() and now(7).tolist() == now(50).tolist()
    share = np.bincount(now(7), minlength=9) / 400
    others = world.prior[1:] / world.prior[1:].sum()
    np.testing.assert_allclose(share[1:], others, atol=4 * np.sqrt(0.25 / 400))
    tail = world.truth(latents[:100], Draws(3, 100, 300))(7)
    assert tail.tolist() == now(7)[300:].tolist()  # whatever the cohort


def test_before_the_jump_it_is_the_world_itself():
    still, moved = (
        expected_regret(RunConfig(world, "random", episodes=8, runs=30), silent)
        for world in ("household", "household:jump=5")
    )
    assert still[:, :5].tolist() == moved[:, :5].tolist() and still[:, 5:].tolist() != moved[:, 5:].tolist()


def test_regret_is_that_of_the_latent_of_the_day():
    """With the door now open, now locked, whoever always tries it loses only while it is locked."""
    found = expected_regret(
        RunConfig("shortcut:jump=4", "scripted:script=try the back door", episodes=8, runs=20, latent="1"), silent
    )
    assert found[:, 4:].min() > 0.2 > found[:, :4].max()


def test_nobody_is_expert_in_a_world_that_jumps():
    with pytest.raises(BadInput, match="it has two"):
        expected_regret(RunConfig("shortcut:jump=4", "expert", episodes=2, runs=2), silent)


@pytest.mark.parametrize("spec", ["household:jump=0", "household:jump=soon", "household:jump=5,low_level=true"])
def test_bad_input(spec):
    with pytest.raises(BadInput, match="jump="):
        assemble.world(spec)
