"""The quest: the game does what the abstract tables say, and its text says no more than was tried."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from parley import assemble
from parley.core.errors import BadInput, MissingExtra
from parley.theory.beliefs import Beliefs
from parley.worlds.quest.actor import TypistActor
from parley.worlds.quest.environment import LAID_ANEW, QuestGame, one_line
from parley.worlds.quest.tables import BEGINNING, COIN, COLOURS, MENU, VAULT, after, quest_tables
from parley.worlds.quest.world import quest as quest_world

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def world():
    return quest_world()


def test_the_low_level_passes_the_checker():
    game = QuestGame("brass")
    check_env(game, skip_render_check=True)
    game.close()


def test_the_actor_does_what_the_tables_say(world):
    rng, states = np.random.default_rng(1), list(world.tables.states)
    for z in range(len(COLOURS)):
        env = world.text_env(z)
        for seed in range(6):
            env.reset(seed=seed)
            for _ in range(world.horizon):
                before, g = states.index(world.abstraction.state(env.raw)), int(rng.integers(len(MENU)))
                said, *_ = env.step(MENU[g])
                now = states.index(world.abstraction.state(env.raw))
                assert world.tables.transition[z, before, g, now] == 1 and not env.event
                assert world.tables.emission[z, now, world.tables.observations.index(said)] == 1
        env.close()


def test_who_knows_the_key_has_the_coin_after_three_steps(world):
    assert Beliefs(quest_tables()).value == pytest.approx(np.full((3, 1), 3 / 5))
    env = world.text_env(2)
    env.reset(seed=0)
    paid = [env.step(subgoal)[1] for subgoal in (MENU[2], VAULT, COIN, COIN, COIN)]
    assert paid == pytest.approx([0, 0, 0.2, 0.2, 0.2])
    env.close()


def test_latents_of_equal_reports_are_heard_alike(world):
    """The first key tried does not fit in either world; whichever would have, all is equal byte for byte."""
    heard = []
    for latent in (1, 2):
        env, said = world.text_env(latent), []
        for seed in range(3):
            said.append(repr(env.reset(seed=seed)))
            said += [repr((env.step(subgoal), env.raw)) for subgoal in (MENU[0], VAULT, MENU[0], COIN)]
        heard.append("\n".join(said).encode())
        env.close()
    assert heard[0] == heard[1]


def test_the_keys_are_laid_anew_since_their_order_tells_which_fits():
    """Holds what TextWorld does: without `LAID_ANEW` the key that fits is named first."""
    for fits in COLOURS:
        game = QuestGame(fits)
        game.reset()
        game._game.reset()
        listed = game._type("look").partition("make out a ")[2]
        assert listed.startswith(fits)
        for command in LAID_ANEW:
            game._type(command)
        assert game._type("look") == BEGINNING.said
        game.close()


def test_the_actor_never_opens_a_locked_door(world):
    """The game's answer to that names the key."""
    game = QuestGame("copper")
    game.reset()
    assert "copper" in game.step("open iron door")[0]["said"]
    game.close()
    assert not any("with the" in said for said in world.tables.observations)


def test_only_the_typed_text_is_heard():
    """Beside a .json file TextWorld would offer facts and the walkthrough; there is none."""
    game = QuestGame("brass")
    raw, info = game.reset()
    assert set(raw) == {"said", "seen", "held"} and info == {}
    state = game._game.reset()
    assert not any(state.get(channel) for channel in ("admissible_commands", "facts", "policy_commands", "inventory"))
    game.close()


def test_an_unseen_corner_of_the_tables():
    taken = after("brass", after("brass", after("brass", BEGINNING, MENU[0]), VAULT), COIN)
    assert taken.coin and after("brass", taken, MENU[1]).place == "hall"
    assert after("brass", BEGINNING, COIN) == after("silver", BEGINNING, COIN)


def test_pictures_of_the_page():
    game = QuestGame("brass")
    game.reset()
    empty = game.render()
    game.step("go east")
    assert empty.shape == game.render().shape and not np.array_equal(empty, game.render())
    game.close()


@pytest.mark.parametrize("text, line", [("\nYou can't.\n\n\n>   -= Hall =-0/2", "You can't."), ("a\x1b[31mb\n>", None)])
def test_answers_become_one_line(text, line):
    assert "\x1b" not in one_line(text) and one_line(text) == (line or one_line(text))


@pytest.mark.parametrize("setting", ["usual=1", "usual=nan", "horizon=0"])
def test_settings(setting):
    with pytest.raises(BadInput, match=setting.split("=")[0]):
        assemble.world(f"quest:{setting}")


def test_wrong_words():
    with pytest.raises(BadInput, match="means nothing to the Actor of quest"):
        TypistActor().begin("fly")


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "parley.worlds.quest.games", None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[text\]"):
        QuestGame("brass")
