"""Flat planning: subgoals of one low-level action."""

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.execute import RunConfig
from parley.experiments.base import expected_regret


@pytest.mark.parametrize("spec", ["household:low_level=true,cap=1", "keys:cap=1", "keys:cap=1,workers=1"])
def test_a_subgoal_is_one_action(spec):
    world = assemble.world(spec)
    assert world.altered and world.tables is not None
    envs = world.make(np.zeros(2, dtype=int), Draws(0, 2))
    _, info = envs.reset(options={"episode": 0, "instructions": np.full(2, world.instructions[0], dtype=object)})
    for _ in range(2):
        subgoals = info["menus"][0].sentences[:, -1:]
        *_, info = envs.step(np.broadcast_to(subgoals, (2, 1)))
        assert (info["low_level"].actions <= 1).all()
    envs.close()


def test_regret_is_then_the_value_less_the_return():
    """After one action a subgoal is hardly ever done: nearly all that the expert would have earned is lost."""
    flat, whole = (
        expected_regret(
            RunConfig(world, "transformer:decode=greedy", episodes=2, runs=9, latent="each"), lambda *_: None
        )
        for world in ("household:low_level=true,cap=1", "household:low_level=true")
    )
    assert flat.mean() > 0.5 > 2 * whole.mean()


def test_uncapped_worlds_are_as_their_tables_say():
    assert not assemble.world("keys").altered and assemble.world("keys").text_env(0).max_actions == 400


@pytest.mark.parametrize(
    "spec, said", [("keys:cap=0", "at least 1"), ("keys:cap=x", "cap='x'"), ("shortcut:cap=1", "no low level")]
)
def test_wrong_caps(spec, said):
    with pytest.raises(BadInput, match=said):
        assemble.world(spec)
