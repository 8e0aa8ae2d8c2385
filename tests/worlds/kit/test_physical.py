"""The seam: any environment, Actor, Reporter and menu as a world, and what happens when one of them breaks."""

import json
import sqlite3

import numpy as np
import pytest

import parley
from parley import assemble
from parley.assemble import world as assembled
from parley.cli import main
from parley.core.draws import Draws
from parley.core.errors import BadInput, EnvironmentFailed
from parley.execute import RunConfig, run
from parley.worlds.kit.conformance import check_world, walk
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.text_env import TextEnv, finite
from tests.worlds.odd import Fickle
from tests.worlds.toy import SUBGOALS, Line, Pusher, Voice, toy

SPEC = "tests.worlds.toy:healthy"


def test_a_world_without_tables_conforms():
    assert check_world(toy()) == []


def test_an_environment_that_raises_once_is_made_anew_and_its_episode_repeated():
    world = toy(["raises once", ""])
    envs, calm = world.make(np.array([1]), Draws(3, 1)), toy().make(np.array([1]), Draws(3, 1))
    for e in (envs, calm):
        e.reset(options={"episode": 0})
    events = []
    for subgoal in (*SUBGOALS, SUBGOALS[0]):
        said, *_, info = envs.step(np.array([[subgoal]], dtype=object))
        assert said == calm.step(np.array([[subgoal]], dtype=object))[0]
        events += info["low_level"].events
    told = [event for event in events if event]
    assert len(told) == 1 and "RuntimeError: the motor is gone\\x1b[31m; a fresh one repeated the episode" in told[0]
    envs.close()


def test_an_environment_that_raises_again_stops_in_one_sentence():
    with pytest.raises(EnvironmentFailed, match="'toy', run 0: the environment raised RuntimeError.*in a fresh one"):
        walk(toy(["raises"]), 1)


def test_a_fresh_environment_that_does_not_repeat_itself_is_noticed():
    world = toy(["raises once", ""])
    envs = world.make(np.array([1]), Draws(3, 1))
    envs.reset(options={"episode": 0})
    envs.step(np.array([[SUBGOALS[0]]], dtype=object))
    envs.envs[0]._past[1] = (SUBGOALS[0], 0)  # what was said then is no longer known
    with pytest.raises(EnvironmentFailed, match="does not repeat what 'go left' led to"):
        envs.step(np.array([[SUBGOALS[1]]], dtype=object))


@pytest.mark.parametrize("what", ["opening", "menu", "reward"])
def test_whatever_it_does_not_repeat_is_noticed(what):
    class Once(Fickle):
        def step(self, action):
            if self.left == 2 and not failed:
                failed.append(self)
                raise RuntimeError("hiccup")
            return super().step(action)

    failed: list[Once] = []
    world = parley.wrap(lambda: Once(0, what), horizon=6, says_reward=False)
    with pytest.raises(EnvironmentFailed, match="does not repeat (the episode's beginning|what 'wait' led to)"):
        envs = world.make(np.array([0]), Draws(3, 1))
        envs.reset(options={"episode": 0})
        for _ in range(4):
            envs.step(np.array([["wait"]], dtype=object))


@pytest.mark.parametrize("trouble, what", [("nan", "an observation"), ("nan reward", "a reward")])
def test_numbers_that_are_none_are_refused(trouble, what):
    with pytest.raises(EnvironmentFailed, match=f"{what} that is not finite, after 1 low-level actions of 'go"):
        walk(toy([trouble]), 1)


def test_numbers_that_are_none_are_told_from_what_they_lead_to():
    """All raw states of a subgoal are checked at its end; an Actor may have stumbled over the one that is none."""

    class Stumbles(Pusher):
        def act(self, state):
            return float(int(state[0])) + super().act(state)

    for acts in (Pusher(), Stumbles()):
        env = TextEnv(Line(0), acts, Voice(), toy().script, max_actions=100)
        env.reset(seed=0)
        env.low.trouble = "nan"
        with pytest.raises(EnvironmentFailed, match="an observation that is not finite, after 1 low-level actions"):
            env.step("go left")
    env.low.trouble, env.max_actions = "", 10**9  # too many to keep: checked one by one
    env.actor = Pusher(endless=True)
    env.reset(seed=0)
    env.low.trouble = "nan"
    with pytest.raises(EnvironmentFailed, match="after 1 low-level actions"):
        env.step("go left")


def test_finite_looks_into_containers():
    assert finite((np.zeros(2), {"a": [1, np.array(["text"], dtype=object)]}))
    assert not finite([{"a": (0.0, np.array([np.inf]))}])


def test_an_actor_that_never_ends_is_stopped_and_the_log_says_so():
    envs = toy(endless=True).make(np.array([0, 1]), Draws(0, 2))
    envs.reset(options={"episode": 0})
    *_, info = envs.step(np.array([[SUBGOALS[0]]] * 2, dtype=object))
    assert info["low_level"].actions.tolist() == [100, 100]
    assert "the Actor had not ended 'go left' after 100 actions and was stopped" in info["low_level"].events[0]


def test_a_subgoal_that_is_not_on_the_menu():
    envs = toy().make(np.array([0]), Draws(0, 1))
    envs.reset(options={"episode": 0})
    with pytest.raises(BadInput, match="'fly' is not on the menu: expected one of go left, go right"):
        envs.step(np.array([["fly"]], dtype=object))


def test_a_prior_must_be_one():
    world = toy()
    with pytest.raises(BadInput, match="prior of 2 probabilities"):
        PhysicalWorld("toy", world.script, world.latents, np.array([0.5, 0.6]), world.text_env)


def test_a_run_logs_the_low_level(tmp_path):
    run(RunConfig(SPEC, "random", episodes=2, runs=3), tmp_path / "run")
    db = sqlite3.connect(tmp_path / "run" / "run.sqlite")
    rows = db.execute("SELECT run, episode, step, actions, event FROM low_level").fetchall()
    assert len(rows) == 3 * 2 * 3 and sum(row[3] for row in rows) > 100
    assert db.execute("SELECT count(*) FROM steps").fetchone()[0] == len(rows)


def test_check_names_what_is_wrong(capsys):
    assert main(["world", "check", SPEC, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["valid"]
    for spec, said in (
        ("tests.worlds.toy:nothing", "has no 'nothing'"),
        ("tests.worlds.no_such:thing", "cannot be loaded"),
        ("tests.worlds.toy:SUBGOALS", "expected a class or function"),
        ("tests.worlds.toy:Voice", "has no 'name'"),
    ):
        assert main(["world", "check", spec]) == 2
        assert said in capsys.readouterr().err.replace("\n", " ")


def test_a_plugin_s_world_goes_by_its_name(monkeypatch):
    from importlib.metadata import EntryPoint

    points = {
        "toy": EntryPoint("toy", SPEC, "parley.worlds"),
        "lost": EntryPoint("lost", "no.where:W", "parley.worlds"),
    }
    monkeypatch.setattr(assemble.WORLDS, "plugins", points)
    assert assembled("toy").name == "toy"
    with pytest.raises(BadInput, match="no argument 'n'"):
        assembled("toy:n=3")
    with pytest.raises(BadInput, match="plugin world 'lost'.*cannot be loaded"):
        assembled("lost")
    with pytest.raises(BadInput, match="did you mean 'toy'"):
        assembled("toyy")


class Wrong(PhysicalWorld):
    """Says its latent, and never the same twice; that it pays 2 more is right where there are no tables."""

    def make(self, latents, draws):
        envs = super().make(latents, draws)
        step, rng = envs.step, np.random.default_rng()

        def told(actions):
            said, rewards, *rest = step(actions)
            names = np.array([f"{self.latents[z]} {rng.random()}" for z in latents], dtype=object)
            return names, rewards + 2, *rest

        envs.step = told
        return envs


def test_the_conformance_check_finds_what_is_wrong():
    world = toy()
    found = "; ".join(check_world(Wrong("w", world.script, world.latents, world.prior, world.text_env)))
    assert "same seed, same run" in found and "a report names the latent" in found and "reward" not in found
