"""The foragers: the grid does what the abstract tables say; what a fruit takes is told by nothing."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput, EnvironmentFailed, MissingExtra
from parley.theory.beliefs import Beliefs
from parley.worlds.forage.actor import Foragers, distances, first_step
from parley.worlds.forage.environment import EAST, ForageGrid
from parley.worlds.forage.reporter import ForageReporter
from parley.worlds.forage.tables import INSTRUCTIONS, MENU, TAKES, after, forage_tables, mechanism, sentence
from parley.worlds.forage.world import forage as forage_world
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import Script
from parley.worlds.kit.text_env import TextEnv
from parley.worlds.kit.verify import verify

ALL_TO_THE_APPLE = " / ".join([MENU[0]] * 3)


@pytest.fixture(scope="module")
def world():
    return forage_world()


def test_the_low_level_passes_the_checker():
    check_env(ForageGrid((1, 2, 3)), skip_render_check=True)


def test_feasible_joint_subgoals_are_finished(world):
    """At least 98% (99% interval of the share: above 0.975 where none of 200 fails); infeasible ones never are."""
    rng, feasible, finished = np.random.default_rng(1), 0, 0
    states = list(world.tables.states)
    for z in range(len(TAKES)):
        env = world.text_env(z)
        for seed in range(9):
            env.reset(seed=seed)
            for _ in range(world.horizon):
                before, g = states.index(world.abstraction.state(env.raw)), int(rng.integers(27))
                env.step(world.tables.subgoals[g])
                now, expected = states.index(world.abstraction.state(env.raw)), world.tables.transition[z, before, g]
                if expected[before] == 1:
                    assert now == before
                else:
                    feasible, finished = feasible + 1, finished + (expected[now] == 1)
                assert not env.event
    assert feasible >= 200 and finished >= 0.98 * feasible


def test_tables_are_verified(world):
    verdicts = verify(world, episodes=8)
    assert {v.mechanism for v in verdicts} > {"enough come", "too few come", "a fruit is gone"}
    assert all(v.tv < 1e-9 and v.verdict(0.03) != "differs" for v in verdicts)


def test_an_episode_is_a_function_of_its_seed(world):
    heard = []
    for _ in range(2):
        env = world.text_env(5)
        heard.append([])
        for seed in (3, 4, 3):
            env.reset(seed=seed)
            raws = [env.raw]
            env.step(ALL_TO_THE_APPLE)
            heard[-1].append(repr([*raws, env.raw, env.num_actions]))
    assert heard[0] == heard[1] and heard[0][0] == heard[0][2] != heard[0][1]


def test_nothing_tells_what_a_fruit_takes(world):
    """Byte for byte the same reports and raw states, where plans do not try it out."""
    said = []
    for takes in ((1, 2, 3), (2, 1, 2), (3, 3, 3)):
        env = world.text_env(TAKES.index(takes))
        first = env.reset(seed=7)
        then = env.step(ALL_TO_THE_APPLE)
        said.append(repr([first, then, env.raw, env.low.render().tobytes()]).encode())
    assert said[0] == said[1] == said[2]


def test_rules():
    assert after((1, 2, 3), (False,) * 3, (MENU[0], MENU[1], MENU[1])) == (True, True, False)
    assert after((2, 2, 3), (False,) * 3, (MENU[0], MENU[1], MENU[2])) == (False,) * 3
    assert mechanism((1, 2, 3), (True, False, False), (MENU[0], MENU[1], MENU[1])) == "a fruit is gone, enough come"
    assert sentence((True,) * 3) == "the apple and the plum and the cherry are in the basket"
    value = Beliefs(forage_tables()).value
    assert value[TAKES.index((1, 1, 1))] == pytest.approx(1) and value[-1] == pytest.approx(0.75)


def test_ways():
    assert distances((0, 0), {(0, 1)})[0, 2] == 4
    assert first_step((0, 0), (0, 7), set()) == EAST and first_step((0, 0), (0, 0), {(0, 0)}) is None


class Dies(ForageGrid):
    """Raises in the middle of an episode, the first `deaths` times."""

    deaths = 1

    def step(self, action):
        if Dies.deaths:
            Dies.deaths -= 1
            raise RuntimeError("a forager fell")
        return super().step(action)


@pytest.mark.parametrize("deaths", [0, 1, 99])
def test_an_environment_that_dies_in_the_middle(deaths):
    """Once: a fresh one repeats the episode and says the same; again and again: one sentence."""
    tables = forage_tables()
    script = Script.of(tables)
    made = PhysicalWorld(
        *("forage", script, tables.latents, tables.prior),
        lambda z: TextEnv(Dies(TAKES[z]), Foragers(), ForageReporter(), script),
    )
    envs = made.make(np.array([0, 26]), Draws(0, 2))
    envs.reset(options={"episode": 0, "instructions": np.array(INSTRUCTIONS[:2], dtype=object)})
    parts = np.array([MENU, MENU], dtype=object)
    Dies.deaths = deaths
    if deaths == 99:
        with pytest.raises(EnvironmentFailed, match="run 0.*a forager fell"):
            envs.step(parts)
    else:
        said, *_, info = envs.step(parts)
        assert said.tolist() == [tables.observations[7], tables.observations[0]]
        assert ("a forager fell" in info["low_level"].events[0]) == bool(deaths) and not info["low_level"].events[1]
    Dies.deaths = 0


def test_bad_input(world):
    assert world.num_actors == 3
    with pytest.raises(BadInput, match="expected 3 parts"):
        Foragers().begin(MENU[0])
    with pytest.raises(BadInput, match="actors"):
        assemble.world("forage:actors=4")
    env = world.text_env(0)
    env.reset(seed=0)
    with pytest.raises(BadInput, match="not on the menu"):
        env.step(MENU[0])


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lbforaging.foraging.environment", None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[forage\]"):
        ForageGrid((1, 1, 1))
