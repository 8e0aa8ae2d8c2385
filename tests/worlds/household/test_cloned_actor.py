"""Cloned Actors: optimal demonstrations make the optimal Actor, others do not, and every subgoal ends where it may."""

import json

import numpy as np
import pytest

from parley import assemble, cli
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.worlds.household.actor import GridActor
from parley.worlds.household.cloned_actor import ClonedActor, ClonedPolicy, clone
from parley.worlds.household.environment import HouseholdGrid
from parley.worlds.household.tables import MENU, House


def play(actor, seed):
    """Raw states at the ends of 200 random subgoals, and how many actions each took."""
    low, rng, ends = HouseholdGrid(actor.house, 4), np.random.default_rng(seed), []
    state, _ = low.reset(seed=seed)
    for i in range(200):
        if i % 4 == 0:
            state, _ = low.reset(seed=seed + i)
        actor.begin(MENU[rng.integers(len(MENU))])
        taken = 0
        while (action := actor.act(state)) is not None:
            state, *_ = low.step(action)
            taken += 1
        ends.append((*state.tolist(), taken))
    return ends


def test_a_clone_of_optimal_demonstrations_is_the_optimal_actor():
    policy = clone(House(), 1.0)
    assert policy.about["error"] == 0
    assert play(ClonedActor(House(), policy), 3) == play(GridActor(House()), 3)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_whatever_was_learnt_a_subgoal_ends_at_a_place_in_time(share):
    house = House()
    for seed in range(3):
        for cell, *_, taken in play(ClonedActor(house, clone(house, share, demonstrations=200)), seed):
            assert cell in house.cells and taken <= house.max_actions


def test_the_error_falls_with_the_share_of_optimal_demonstrations():
    errors = [clone(House(), share, 1_000).about["error"] for share in (0.0, 0.5, 0.9, 1.0)]
    assert errors == sorted(errors, reverse=True) and errors[0] > 0.8


def test_what_is_heard_is_always_a_sentence_of_the_world():
    world = assemble.world("household:low_level=true,floor=0.01,actor=cloned:0.3")
    envs, rng = world.make(np.arange(9), Draws(0, 9)), np.random.default_rng(0)
    for episode in range(20):
        said, _ = envs.reset(options={"episode": episode})
        for _ in range(world.horizon):
            said, *_ = envs.step(rng.choice(np.array(MENU, dtype=object), size=(9, 1)))
            world.tables.observation_words.encode(said)
    again = world.make(np.arange(9), Draws(0, 9))
    first = [envs.reset(options={"episode": 1})[0].tolist(), again.reset(options={"episode": 1})[0].tolist()]
    step = np.full((9, 1), MENU[0], dtype=object)
    assert first[0] == first[1] and envs.step(step)[0].tolist() == again.step(step)[0].tolist()


def test_commands(tmp_path, capsys):
    path, out = tmp_path / "actor", tmp_path / "run"
    assert cli.main(["pretrain-actor", "--out", str(path), "--share", "0.8", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert 0 < answer["error"] < 0.5 and np.allclose(ClonedPolicy.load(path).law.sum(axis=2), 1)
    options = ["--episodes", "2", "--runs", "4", "--out"]
    world = ["--world", "household:low_level=true,floor=0.01"]
    assert cli.main(["run", *world, "--actor", f"cloned:{path}", *options, str(out)]) == 0
    assert cli.main(["show", str(out)]) == 0
    for wrong in ("cloned:2", "cloned:nowhere", "robot:1", "cloned:-0.1"):
        assert cli.main(["run", *world, "--actor", wrong, *options, str(tmp_path / "no")]) == 2
    assert cli.main(["run", "--world", "household", "--actor", "cloned:1", *options, str(tmp_path / "no")]) == 2
    with pytest.raises(BadInput, match="sing"):
        ClonedActor(House(), clone(House(), 1.0, 10)).begin("sing")
    with pytest.raises(BadInput, match="demonstrations=0"):
        clone(House(), 1.0, 0)
