"""Worlds made from worlds: only what is said to change does."""

import numpy as np
import pytest

from parley import assemble
from parley.assemble.scene import beliefs_of
from parley.bench.altered import redrawn, rotated
from parley.bench.arms import UNIFORM, Arm, Sizes, config_of
from parley.bench.logs import Log
from parley.execute import run
from parley.worlds.kit.tabular.world_file import load_world

WORLDS = ("bandit:arms=4,gap=0.5", "household", "generated:kind=lock", "shortcut")


@pytest.mark.parametrize("name", WORLDS)
def test_a_turned_menu_changes_no_value_and_each_subgoal_keeps_its_outcomes(name: str) -> None:
    tables = assemble.world(name).tables
    other = rotated(tables, 1)
    assert np.allclose(beliefs_of(other).value, beliefs_of(tables).value)
    for subgoal in tables.menus[0]:
        one, two = tables.menus[0].index(subgoal), other.menus[0].index(subgoal)
        assert np.array_equal(tables.transition[:, :, one], other.transition[:, :, two])
    places = {tuple(rotated(tables, by).menus[0]) for by in range(len(tables.menus[0]))}
    assert len(places) == len(tables.menus[0])


@pytest.mark.parametrize("name", ("bandit:arms=4,gap=0.5", "generated:kind=lock"))
def test_where_the_latent_is_redrawn_the_exact_planner_learns_nothing(name: str, tmp_path) -> None:
    arm, sizes = Arm(name, "exact", UNIFORM, redraw=True), Sizes(episodes=6, runs=4)
    config = config_of(arm, sizes, 0, tmp_path)
    run(config, tmp_path / "run")
    assert np.allclose(Log(tmp_path / "run", redrawn(assemble.world(name).tables)).openings.proposed.std(axis=0), 0)


def test_an_altered_world_is_kept_as_a_world_file(tmp_path) -> None:
    config = config_of(Arm(WORLDS[0], "exact", rotation=2), Sizes(), 0, tmp_path)
    assert load_world(config.world).menus == rotated(assemble.world(WORLDS[0]).tables, 2).menus
