"""`verifiers:NAME` beside a program that says what the test wants; the real one: `tests/real/test_open_worlds.py`."""

import sys
from importlib.util import find_spec

import pytest

from parley import assemble
from parley.assemble.config import RunConfig
from parley.assemble.trust import deeds
from parley.core.errors import BadInput, EnvironmentFailed
from parley.worlds.kit.conformance import check_world, walk
from parley.worlds.open import verifiers

# The game takes two replies. `WRONG` happens at the second reply of a game, in the first `TIMES` games.
PROGRAM = """
import json, sys, time
say = lambda **what: print(json.dumps(what), flush=True)
settings, horizon = json.loads(sys.argv[1])
say(ready=True, tasks=3)
games = {}
for line in sys.stdin:
    asked = json.loads(line)
    game = asked["game"]
    if "begin" in asked:
        games[game] = [asked["begin"], 0]
        say(game=game, heard=[["system", "Be quick."], ["user", "Go."]])
    elif "say" in asked:
        games[game][1] += 1
        if games[game][1] == 1:
            say(game=game, heard=[["user", f"I heard {asked['say']}."]])
        elif len(games) <= TIMES:
            WRONG
        else:
            say(game=game, paid=0.5)
"""
DIES = "sys.exit('the board broke')"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes the program with a fault, and ends the programs of this test."""

    def made(wrong="pass", times=0):
        path = tmp_path / "program.py"
        path.write_text(PROGRAM.replace("WRONG", wrong).replace("TIMES", str(times)), "utf-8")
        return path

    players = {}
    monkeypatch.delenv(verifiers.PYTHON, raising=False)
    monkeypatch.setattr(verifiers, "PROGRAM", tmp_path / "program.py")
    monkeypatch.setattr(verifiers, "_players", players)
    yield made
    for player in players.values():
        player.end()
        assert not player.alive and not player._thread.is_alive()


def world(name, **more):
    """A fresh one: specs are kept by name, and the program changes."""
    return verifiers.verifiers(name, horizon=3, menu="left|right", timeout_s=20.0, **more)


def test_it_conforms_and_says_what_was_said(program):
    program()
    assert check_world(world("fine"), 2, 1) == []
    told = [said for row in walk(world("fine"), 1, 1, 1) for said in row]
    assert told[:2] == ["Go.", "Be quick."]
    assert "I heard left." in told
    assert told[told.index("The episode is over. Reward: 0.5.") + 1] == 0.5
    assert told[-1] is True


def test_a_fresh_game_repeats_one_that_failed(program):
    program("say(game=game, failed='KeyError: no board')", times=1)
    assert [True] in walk(world("once"), 1, 1, 1)


@pytest.mark.parametrize(
    "wrong, said",
    [
        (DIES, r"its program ended \(status 1\): the board broke"),
        ("say(game=game, failed='KeyError: no board')", "KeyError: no board"),
        ("say(game=game, cannot='it shows a picture')", "it shows a picture"),
    ],
)
def test_what_goes_wrong_for_good_is_said(program, wrong, said):
    program(wrong, times=99)
    with pytest.raises(EnvironmentFailed, match=said):
        walk(world("wrong"), 1, 1, 1)


def test_nobody_waits_for_ever(program):
    program("time.sleep(60)", times=99)
    with pytest.raises(EnvironmentFailed, match=r"said nothing for 0.2 s \(timeout_s\)"):
        walk(verifiers.verifiers("slow", horizon=3, menu="a|b", timeout_s=0.2), 1, 1, 1)


def test_what_cannot_begin_is_one_sentence(program, tmp_path, monkeypatch):
    program().write_text("import sys; sys.exit('no such module')", "utf-8")
    with pytest.raises(
        BadInput, match=r"does not begin it: .*no such module. Name a Python .* PARLEY_VERIFIERS_PYTHON"
    ):
        world("unknown")
    with pytest.raises(BadInput, match="config='none.json': expected a JSON file"):
        world("unknown", config="none.json")
    monkeypatch.setenv(verifiers.PYTHON, str(tmp_path / "nothing"))
    with pytest.raises(BadInput, match="PARLEY_VERIFIERS_PYTHON=.* is no Python"):
        world("unknown")


def test_without_the_package_its_name_is_said(monkeypatch):
    if find_spec("verifiers") is not None:
        pytest.skip("verifiers is installed in this Python")
    monkeypatch.setenv(verifiers.PYTHON, sys.executable)
    with pytest.raises(BadInput, match="does not begin it: .*verifiers.*Name a Python that has verifiers 0.4"):
        world("anything")


def test_it_imports_code_and_says_so():
    assert list(deeds(RunConfig("verifiers:somebody,variations=2"))) == [
        "import the code of 'verifiers:somebody,variations=2'"
    ]
    assert assemble.WORLDS["verifiers"].imports
