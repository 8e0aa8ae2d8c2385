"""PettingZoo in both directions: somebody's ParallelEnv below the sentences, and our runs as a ParallelEnv."""

import sys
import warnings
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from examples.several_agents import BESIDE, CARRIES, DOOR, FETCH, WAIT, Corridor, Voice, fetch, porters, wait
from gymnasium.utils.env_checker import check_env
from pettingzoo import ParallelEnv

from parley import assemble
from parley.assemble.environments import parallel_environment as parallel_env
from parley.core.draws import Draws
from parley.core.errors import BadInput, EnvironmentFailed, MissingExtra
from parley.core.roles import forbidden_in
from parley.worlds.kit.conformance import check_world
from parley.worlds.kit.joint_actor import JointActor
from parley.worlds.kit.joint_reporter import JointReporter, sentences
from parley.worlds.kit.parallel import ParallelLow
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.single import SingleRun
from parley.worlds.kit.skills import Skilled
from parley.worlds.kit.text_env import TextEnv
from parley.worlds.tabular.team import LIFT, MENU

with warnings.catch_warnings():  # it imports an environment by a way that PettingZoo itself calls old
    warnings.simplefilter("ignore")
    from pettingzoo.test import parallel_api_test

BOTH, ANN = f"{FETCH} / {FETCH}", f"{FETCH} / {WAIT}"
WORLDS = ["team", "team:actors=3,late=1+2", "forage", "forage:low_level=false", "random:actors=2", "shortcut"]


@pytest.mark.parametrize("spec", WORLDS)
def test_our_runs_pass_the_parallel_api_test(spec):
    parallel_api_test(parallel_env(assemble.world(spec)), num_cycles=200)


def test_a_parallel_run_is_the_run():
    """The same seed, latent and parts as in the lockstep environment; everybody hears and is paid the same."""
    world = assemble.world("team:actors=3")
    env, envs = parallel_env(world, latent=1), world.make(np.array([1]), Draws(5, 1))
    heard, infos = env.reset(seed=5)
    assert infos["actor 2"] == {"menu": MENU, "instruction": world.instructions[0]}
    for episode in range(3):
        if episode:
            heard, _ = env.reset()
        said, _ = envs.reset(options={"episode": episode, "instructions": np.array([world.instructions[episode % 2]])})
        assert set(heard.values()) == {said[0]} and len(heard) == 3
        for parts in ([MENU[1], MENU[1], MENU[2]], [MENU[LIFT], MENU[0], MENU[0]]):
            heard, pay, _, over, _ = env.step(dict(zip(env.possible_agents, parts, strict=True)))
            said, paid, *_ = envs.step(np.array([parts], dtype=object))
            assert set(heard.values()) == {said[0]} and set(pay.values()) == {paid[0]}
        assert all(over.values()) and not env.agents


def test_agents_that_collide_give_way_in_turn_and_are_told():
    env = parallel_env(assemble.world("team"), latent=0)
    env.reset(seed=0)
    *_, infos = env.step({"actor 1": MENU[LIFT], "actor 2": MENU[LIFT]})
    assert "instead" not in infos["actor 1"] and infos["actor 2"]["instead"] == MENU[0]


def test_bad_input_of_a_parallel_run(monkeypatch):
    env = parallel_env(assemble.world("team"), latent=0)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(dict.fromkeys(env.possible_agents, MENU[0]))
    env.reset(seed=0)
    with pytest.raises(BadInput, match="actor 2 says 'fly'"):
        env.step({"actor 1": MENU[0], "actor 2": "fly"})
    with pytest.raises(BadInput, match="actor 2 says None"):
        env.step({"actor 1": MENU[0]})
    monkeypatch.delitem(sys.modules, "parley.worlds.kit.parallel_run")
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[pettingzoo\]"):
        parallel_env(assemble.world("team"))


class Zoo(Corridor, ParallelEnv):
    """The example's environment, derived from PettingZoo's own class."""

    metadata = {"name": "corridor"}
    spaces = {agent: gymnasium.spaces.Discrete(4) for agent in Corridor.possible_agents}
    seen = {agent: gymnasium.spaces.MultiDiscrete([6, 2]) for agent in Corridor.possible_agents}

    def action_space(self, agent):
        return self.spaces[agent]

    def observation_space(self, agent):
        return self.seen[agent]


def text_env(low, **limits):
    """The example's text environment on another low level."""
    made = porters().text_env(0)
    limited = JointReporter(made.reporter.reporters, **limits)
    script = made.script
    return TextEnv(ParallelLow(low), made.actor, made.reporter, script, limited if limits else None, max_actions=40)


def test_the_example_is_of_pettingzoos_kind_and_conforms():
    parallel_api_test(Zoo(1), num_cycles=50)
    assert check_world(porters()) == [] and check_world(porters(mute=("bob",))) == []


def test_one_crate_and_two_porters():
    low = ParallelLow(Zoo(2))
    assert low.action_space.contains({"ann": 1, "bob": 2})
    env = text_env(Zoo(2))
    assert env.reset(seed=0)[0] == f"ann: {DOOR}; bob: {DOOR}"
    assert env.step(ANN)[:2] == (f"ann: {BESIDE}; bob: {DOOR}", 0.0)
    assert env.num_actions == 6  # five cells, and a try
    said, paid, *_ = env.step(BOTH)
    # Ann tries at once and has given up when Bob comes: both must be sent together.
    assert (said, paid) == (f"ann: {BESIDE}; bob: {BESIDE}", 0.0)
    env.reset(seed=0)
    assert env.step(BOTH)[:2] == (f"ann: {CARRIES}; bob: {CARRIES}", 0.4)


def test_reports_that_are_late_or_do_not_come():
    """What is not heard is paid all the same; each episode begins with no word."""
    env = text_env(Zoo(1), late=("bob",), mute=("ann",))
    for _ in range(2):
        assert env.reset(seed=0)[0] == "bob: no word yet"
        assert env.step(f"{WAIT} / {FETCH}")[:2] == (f"bob, a step ago: {DOOR}", 0.5)
        assert env.step(f"{FETCH} / {FETCH}")[:2] == (f"bob, a step ago: {CARRIES}", 0.4)
    own = {"ann": ("a",), "bob": ("b", "c")}
    assert sentences(own) == ("ann: a; bob: b", "ann: a; bob: c")
    late = ("bob, a step ago: b", "bob, a step ago: c", "bob: no word yet")
    assert sentences(own, late=("bob",), mute=("ann",)) == late


def test_parts_that_are_forbidden_together():
    """A world without tables says it in its script: the later Actor's menu lacks it, and the environment refuses it."""
    world, script = porters(), replace(porters().script, forbidden=((FETCH, FETCH),))
    made = PhysicalWorld("one", script, world.latents, world.prior, lambda z: replace_script(world.text_env(z), script))
    assert check_world(made) == [] and forbidden_in(made) == ((FETCH, FETCH),)
    env = made.text_env(0)
    assert BOTH not in env.action_space and ANN in env.action_space
    env.reset(seed=0)
    with pytest.raises(BadInput, match="forbidden together"):
        env.step(BOTH)
    single = SingleRun(assemble.world("team"))
    assert len(single.action_space.sentences) == 15
    check_env(single, skip_render_check=True)


def replace_script(env, script):
    return TextEnv(env.low, env.actor, env.reporter, script)


class Leaves(Zoo):
    """Bob goes home after his second action; Ann's agent is taken away after the fourth."""

    def step(self, actions):
        seen, paid, ended, cut, infos = super().step(actions)
        self.actions = getattr(self, "actions", 0) + 1
        for agent, most in (("bob", 2), ("ann", 4)):
            if agent in self.agents and self.actions >= most:
                ended = {**ended, agent: True}
                self.agents.remove(agent)
        return {agent: seen[agent] for agent in ended}, paid, ended, cut, infos


def test_agents_that_leave_keep_their_last_state_and_the_last_one_ends_the_episode():
    env = text_env(Leaves(1))
    env.reset(seed=0)
    said, _, terminated, _, _ = env.step(BOTH)
    assert terminated and env.num_actions == 4
    assert [int(env.raw[agent][0]) for agent in ("ann", "bob")] == [4, 2]
    assert said == f"ann: {DOOR}; bob: {DOOR}"


class Fails(Zoo):
    """Raises in the middle of Bob's way, `deaths` times."""

    deaths = 1

    def step(self, actions):
        if self.cell["bob"] == 3 and Fails.deaths:
            Fails.deaths -= 1
            raise RuntimeError("Bob has tripped")
        return super().step(actions)


@pytest.mark.parametrize("deaths", [1, 99])
def test_one_agents_environment_dies_in_the_middle(deaths):
    world = porters()
    made = PhysicalWorld("porters", world.script, world.latents, world.prior, lambda z: text_env(Fails(z + 1)))
    envs = made.make(np.array([0, 1]), Draws(0, 2))
    envs.reset(options={"episode": 0})
    Fails.deaths = deaths
    parts = np.array([[FETCH, FETCH], [FETCH, WAIT]], dtype=object)
    if deaths == 99:
        with pytest.raises(EnvironmentFailed, match="run 0.*Bob has tripped"):
            envs.step(parts)
    else:
        said, *_, info = envs.step(parts)
        assert said.tolist() == [f"ann: {CARRIES}; bob: {CARRIES}", f"ann: {BESIDE}; bob: {DOOR}"]
        assert "Bob has tripped" in info["low_level"].events[0] and not info["low_level"].events[1]
    Fails.deaths = 0


class Absent(Zoo):
    """Bob is not there from the beginning."""

    def reset(self, seed=None, options=None):
        seen, infos = super().reset(seed, options)
        return {"ann": seen["ann"]}, infos


class Answers(Zoo):
    """`spoil` changes what a step gives."""

    def __init__(self, spoil):
        super().__init__(1)
        self.spoil = spoil

    def step(self, actions):
        return self.spoil(*super().step(actions))


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda seen, paid, ended, cut, infos: (seen, paid, ended, infos), "expected five dictionaries by agent"),
        (lambda seen, paid, ended, cut, infos: (seen, 1.0, ended, cut, infos), "expected five dictionaries by agent"),
        (lambda seen, paid, *rest: (seen, dict.fromkeys(paid, None), *rest), "a reward of None"),
        (lambda seen, paid, *rest: (seen, dict.fromkeys(paid, float("nan")), *rest), "a reward of nan"),
    ],
)
def test_what_an_environment_of_agents_answers(spoil, said):
    low = ParallelLow(Answers(spoil))
    low.reset(seed=0)
    with pytest.raises(EnvironmentFailed, match=said):
        low.step({"ann": 0, "bob": 0})


def test_a_reset_that_gives_no_states_by_agent(monkeypatch):
    for answer, said in (({}, "`reset` gave {}"), (("a room", {}), "a state for each agent")):
        monkeypatch.setattr(Zoo, "reset", lambda self, seed=None, options=None, answer=answer: answer)
        with pytest.raises(EnvironmentFailed, match=said):
            ParallelLow(Zoo(1)).reset()


def test_bad_input_below():
    with pytest.raises(EnvironmentFailed, match="agent 'bob' is not there"):
        ParallelLow(Absent(1)).reset()
    with pytest.raises(BadInput, match="expected 2 parts"):
        JointActor({a: Skilled({FETCH: fetch, WAIT: wait}) for a in ("ann", "bob")}, {"ann": 0, "bob": 0}).begin(FETCH)
    with pytest.raises(BadInput, match="rest names"):
        JointActor({"ann": Skilled({FETCH: fetch, WAIT: wait})}, {})
    voices = {"ann": Voice(), "bob": Voice()}
    for limits, wrong in (
        ({"late": ("carl",)}, "late names 'carl'"),
        ({"late": ("ann",), "mute": ("ann",)}, "both late and mute"),
        ({"mute": ("ann", "bob")}, "nothing would ever be heard"),
    ):
        with pytest.raises(BadInput, match=wrong):
            JointReporter(voices, **limits)
