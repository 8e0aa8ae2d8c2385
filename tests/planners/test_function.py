"""A function as planner: asked where a run goes on, and in its own words where there is no menu."""

import pytest

import parley
from parley.core.errors import BadInput, ParleyError
from tests.worlds.odd import Doors, doors


def told(out):
    run = parley.open(out)
    return [(step.choice, step.source) for step in run.episode(0, 0).steps]


def test_a_run_whose_episode_is_over_is_not_asked(tmp_path):
    asked = []

    def plan(episodes, menu):
        asked.append(menu)
        return "open the blue door"

    run = parley.run(
        doors(), parley.FunctionPlanner(plan), episodes=2, runs=3, latent="each", out=tmp_path / "r", progress=False
    )
    assert len(asked) == sum(len(run.episode(i, t).steps) for i in range(3) for t in range(2)) < 2 * 3 * 4


@pytest.mark.parametrize(
    "said, heard",
    [
        ("open the red door", ("open the red door", "chosen by a function")),
        ({"open the red door": 2.0}, ("open the red door", "")),
        ({"open the red door": 2.0, "sing": 0.0}, ("open the red door", "")),
        ("sing \ud83d", ("sing \ufffd", "chosen by a function")),
        ("  ", ("(no answer)", "invalid")),
        ({}, "at least one of them above"),
        ({"sing": -1.0}, "numbers from 0 on"),
        ({3: 1.0}, "3 has a weight"),
        (None, "a NoneType was returned"),
        (["sing"], "a list was returned"),
    ],
)
def test_its_own_words_where_there_is_no_menu(said, heard, tmp_path):
    world = parley.wrap(lambda: Doors(2), menu="free", horizon=4, name="free")
    planner = parley.FunctionPlanner(lambda episodes, menu: said)
    if isinstance(heard, str):
        with pytest.raises(ParleyError, match=heard):
            parley.run(world, planner, episodes=1, runs=2, out=tmp_path / "r", progress=False)
        return
    for explorer in ("none", "adaptive-proposals"):
        parley.run(world, planner, explorer, episodes=2, runs=2, out=tmp_path / explorer, progress=False)
        assert told(tmp_path / explorer)[0] == heard


def test_what_a_function_takes(tmp_path):
    """An argument with a default is the function's own, unless it is called `parts`."""

    def plan(episodes, menu, llm="mine"):
        return menu[0] if llm == "mine" else 1 / 0

    parley.run(doors(), parley.FunctionPlanner(plan), episodes=1, runs=2, out=tmp_path / "r", progress=False)
    with pytest.raises(BadInput, match=r"is a function of \(episodes, menu\): FunctionPlanner makes one of it"):
        parley.run(doors(), plan, episodes=1, runs=2, out=tmp_path / "s", progress=False)


def test_no_checkpoint_ships_for_a_world_that_is_an_object(tmp_path):
    with pytest.raises(BadInput, match="no checkpoint ships for world .*train one"):
        parley.run(doors(), "transformer", episodes=1, runs=2, out=tmp_path / "r", progress=False)
