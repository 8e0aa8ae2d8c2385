"""The keys: the grid does what the abstract tables say, and says no more than the robot senses."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from parley import assemble
from parley.core.errors import BadInput, MissingExtra
from parley.theory.beliefs import Beliefs
from parley.worlds.keys.actor import GridSearchActor, shortest_ways
from parley.worlds.keys.environment import FORWARD, LEFT, NOTHING, TOGGLE, KeysGrid
from parley.worlds.keys.reporter import KeysReporter, spot
from parley.worlds.keys.tables import MENU, SECRETS, Rules, Spot, after, rules_tables
from parley.worlds.keys.world import keys as keys_world
from parley.worlds.kit.conformance import walk
from parley.worlds.kit.script import Script
from parley.worlds.kit.text_env import TextEnv

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def world():
    return keys_world()


def test_the_low_level_passes_the_checker():
    check_env(KeysGrid(Rules(), SECRETS[0]), skip_render_check=True)


def test_the_actor_does_what_the_tables_say(world):
    """Random subgoals for every secret; where nothing slips, without exception."""
    calm = keys_world(slip=0.0, miss=0.0)
    rng, wrong, total = np.random.default_rng(1), 0, 0
    for made in (calm, world):
        states = list(made.tables.states)
        for z in range(len(SECRETS)):
            env = made.text_env(z)
            for seed in range(8):
                env.reset(seed=seed)
                for _ in range(made.horizon):
                    before, g = states.index(made.abstraction.state(env.raw)), int(rng.integers(len(MENU)))
                    said, *_ = env.step(MENU[g])
                    now = states.index(made.abstraction.state(env.raw))
                    wrong += made.tables.transition[z, before, g, now] == 0
                    total += 1
                    assert made.tables.emission[z, now, made.tables.observations.index(said)] > 0
                    assert not env.event
            env.close()
        if made is calm:
            assert wrong == 0
    assert total == 2 * 9 * 8 * 6 and wrong <= 0.02 * total / 2


def test_only_one_key_opens_the_door():
    assert after(("red", "vault"), Spot("hall", "red", False), MENU[3]).open
    assert not after(("red", "vault"), Spot("hall", "blue", False), MENU[3]).open
    assert after(("red", "vault"), Spot("hall", "blue", False), "go to the vault") == Spot("hall", "blue", False)


def test_the_best_that_can_be_done():
    """Who knows the secret has opened the door, or stands before a ball that is outside, after step 2."""
    value = Beliefs(rules_tables(Rules(miss=0.0, slip=0.0))).value
    for z, (_, room) in enumerate(SECRETS):
        assert value[z, 1] == pytest.approx(5 / 6)
        assert value[z, 0] == pytest.approx((3 if room == "vault" else 5) / 6)


def test_latents_of_equal_reports_are_heard_alike(world):
    """Another key fits, and no door is tried; another room has the ball, and it is never seen: equal byte for byte."""
    for other, plan in (
        (("green", "west room"), ("pick up the blue key", "go to the west room", "pick up the red key")),
        (("red", "vault"), ("go to the north room", "pick up the green key", "go to the red ball")),
    ):
        heard = []
        for secret in (("red", "west room"), other):
            env, said = world.text_env(SECRETS.index(secret)), []
            for seed in range(5):
                said.append(repr(env.reset(seed=seed)))
                said += [repr(env.step(subgoal)) for subgoal in plan]
            heard.append("\n".join(said).encode())
            env.close()
        assert heard[0] == heard[1]


def test_raw_states_do_not_hold_which_key_fits():
    raws = [KeysGrid(Rules(), (key, "vault")).reset(seed=3)[0] for key in ("red", "green", "blue")]
    for raw in raws[1:]:
        assert all(np.array_equal(raw[name], raws[0][name]) for name in raw)


def test_the_reporter_misses_a_ball_as_often_as_the_tables_say():
    world, rng = keys_world(miss=0.3), np.random.default_rng(0)
    env = world.text_env(SECRETS.index(("red", "west room")))
    env.reset(seed=0)
    env.step("go to the west room")
    reporter = KeysReporter(Rules(miss=0.3))
    seen = np.mean(["see the red ball" in reporter.report(env.raw, rng) for _ in range(4000)])
    assert abs(seen - 0.7) < 0.03
    env.step("go to the red ball")
    assert spot(env.raw).place == "before the ball"
    assert all("before the red ball" in reporter.report(env.raw, rng) for _ in range(50))


def test_the_standard_partial_view_is_enough_to_say_the_same():
    """The cells ahead, and what was seen of them before, tell what the whole grid tells; the whole is not read."""
    check_env(KeysGrid(Rules(view="partial"), SECRETS[0]), skip_render_check=True)
    full, partial = keys_world(), keys_world(view="partial")
    assert walk(full, 18, num_episodes=4) == walk(partial, 18, num_episodes=4)
    rng, heard = np.random.default_rng(3), set()
    for z in range(len(SECRETS)):
        envs = [world.text_env(z) for world in (full, partial)]
        envs[1].reporter = Blind(envs[1].reporter)
        for episode in range(6):
            said = [env.reset(seed=episode)[0] for env in envs]
            opens = [f"pick up the {SECRETS[z][0]} key", "open the grey door", "go to the vault"]
            drawn = [MENU[g] for g in rng.integers(len(MENU), size=6)]
            for subgoal in opens + drawn[3:] if episode % 2 else drawn:
                said = [env.step(subgoal)[0] for env in envs]
                assert said[0] == said[1]
                heard.add(said[0])
    for words in ("in the vault and see", "in the vault before", "in the west room and see", "is open", "empty-handed"):
        assert any(words in one for one in heard), words


class Blind:
    """A Reporter that is shown nothing of the whole grid."""

    def __init__(self, reporter) -> None:
        self.reporter, self.begin = reporter, reporter.begin

    def report(self, state, rng):
        return self.reporter.report({"image": state["image"], "agent": state["agent"]}, rng)


def test_shortest_ways_on_an_empty_floor():
    grid = np.zeros((5, 5, 3), dtype=np.uint8)
    grid[..., 0] = 2
    grid[1:4, 1:4, 0] = 1
    ways = shortest_ways(grid, (3, 1), facing=False)
    assert ways[1, 1, 0] == FORWARD and ways[1, 1, 1] == LEFT and ways[3, 1, 2] == -1
    assert set(shortest_ways(grid, (3, 1), facing=True)) == set(ways) and len(ways) == 36


class Dazed(GridSearchActor):
    """Never does anything, and never ends."""

    def act(self, state):
        return NOTHING


def test_an_actor_that_never_ends_is_capped():
    script = Script.of(rules_tables(Rules()))
    env = TextEnv(KeysGrid(Rules(), SECRETS[0]), Dazed(), KeysReporter(Rules()), script, max_actions=50)
    env.reset(seed=0)
    env.step("go to the vault")
    assert env.num_actions == 50 and "'go to the vault' after 50 actions" in env.event


@pytest.mark.parametrize("setting", ["miss=1", "slip=-0.1", "slip=nan", "horizon=0", "view=none"])
def test_settings(setting):
    with pytest.raises(BadInput, match=setting.split("=")[0]):
        assemble.world(f"keys:{setting}")


def test_wrong_words():
    with pytest.raises(BadInput, match="means nothing to the Actor of keys"):
        GridSearchActor().begin("fly")


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "parley.worlds.keys.minigrid", None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[minigrid\]"):
        KeysGrid(Rules(), SECRETS[0])


def test_a_door_that_is_stuck_is_what_a_door_is_whose_toggles_all_slip():
    """Where nothing is toggled the noise is the same; toggling does nothing; afterwards it does again."""
    grids = [KeysGrid(Rules(slip=0.3), SECRETS[0]) for _ in range(2)]
    for grid in grids:
        grid.reset(seed=4)
    moves = np.random.default_rng(0).integers(TOGGLE, size=60)
    with grids[0].stuck():
        assert all(equal(*(grid.step(int(move))[0] for grid in grids)) for move in moves)
    assert equal(*(grid.step(FORWARD)[0] for grid in grids))
    env = keys_world(slip=0.0).text_env(0)
    env.reset(seed=2)
    env.step("pick up the red key")
    with env.low.stuck():
        assert env.step("open the grey door")[0].endswith("shut")
    assert env.step("open the grey door")[0].endswith("open")


def equal(one, other) -> bool:
    return all(np.array_equal(one[key], other[key]) for key in one)
