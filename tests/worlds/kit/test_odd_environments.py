"""Odd environments: each is run as it should be, or refused in one sentence that says what was expected."""

import enum
import os

import gymnasium as gym
import numpy as np
import pytest

import parley
from parley.core.errors import ParleyError
from parley.worlds.kit.conformance import check_world

MENU = ["go", "stay"]


class Odd(gym.Env):
    """Two commands, three steps; `begin` and `answer` are what reset and step give, unless they are functions of it."""

    def __init__(self, begin=None, answer=None):
        self._begin, self._answer = begin, answer

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        if callable(self._begin):
            return self._begin()
        return ("a room", {"admissible_commands": MENU}) if self._begin is None else self._begin

    def step(self, action):
        self.steps += 1
        if callable(self._answer):
            return self._answer(self, action)
        if self._answer is not None:
            return self._answer
        return f"you {action}", 1.0, False, self.steps == 3, {"admissible_commands": MENU}


def menu(commands):
    """An environment with another menu."""
    return Odd(
        ("a room", {"admissible_commands": commands}), ("on", 0.0, False, False, {"admissible_commands": commands})
    )


def says(thing):
    return Odd((thing, {"admissible_commands": MENU}), (thing, 0.0, False, False, {"admissible_commands": MENU}))


def pays(thing):
    return Odd(None, ("on", thing, False, False, {"admissible_commands": MENU}))


def raises(env, action):
    raise RuntimeError("the browser\x1b[31m is gone")


def loses(env, action):
    """Raises once, in the life of the class."""
    if env.steps == 2 and not loses.done:
        loses.done = True
        raise RuntimeError("hiccup")
    return "on", 0.0, False, env.steps == 3, {"admissible_commands": MENU}


class Bare:
    """No more than `reset` and `step`."""

    def reset(self, *, seed=None, options=None):
        self.odd = Odd()
        return self.odd.reset(seed=seed)

    def step(self, action):
        return self.odd.step(action)


def shapes(*states):
    """Raw states of other kinds and sizes, one after the other."""
    info = {"admissible_commands": MENU}
    return Odd((states[0], info), lambda env, a: (states[env.steps % len(states)], 0.0, False, False, info))


def ends(how):
    """What says that an episode is over."""
    return Odd(None, ("on", 0.0, how, False, {"admissible_commands": MENU}))


async def later(*told):
    return told


class Unseeded(Odd):
    """The old Gym's `reset`."""

    def reset(self):
        return super().reset()


class Turns(Odd):
    """PettingZoo's environments of turns."""

    possible_agents = ("ann",)

    def agent_iter(self):
        return iter(self.possible_agents)


class Word(str):
    """A text of a subclass."""

    def __str__(self):
        return "something else"


class Order(str, enum.Enum):  # noqa: UP042 (its members do not print as their values)
    GO = "go"
    STAY = "stay"


class Stuck(Odd):
    def close(self):
        raise RuntimeError("it is gone already")


RIGHT = {
    "plain": lambda: Odd(),
    "the old Gym's four": lambda: Odd(None, ("on", 1.0, True, {"admissible_commands": MENU})),
    "the old Gym's time limit": lambda: Odd(None, ("on", 1.0, True, {"TimeLimit.truncated": True})),
    "bytes": lambda: says("Tür".encode()),
    "bytes that are no UTF-8": lambda: says(b"\xff\xfe"),
    "a lone surrogate": lambda: says("half \ud800 of it"),
    "nothing said": lambda: says(""),
    "an observation of 1 MB": lambda: says("x" * 10**6),
    "a NUL and an escape": lambda: says("a\x00b\x1b[31m"),
    "a template": lambda: says("{{ 7 * 7 }} {% raw %}"),
    "line breaks of all kinds": lambda: says("a\r\nb\x0bc\u2028d"),
    "a number": lambda: says(7),
    "a numpy number": lambda: says(np.int64(7)),
    "an array": lambda: says(np.arange(4.0)),
    "a dictionary": lambda: says({"at": 3, "sees": "a door"}),
    "a text of NumPy's": lambda: says(np.str_("a door")),
    "a text of a subclass": lambda: says(Word("a door")),
    "entries that are an enumeration's": lambda: menu([*Order]),
    "arrays of other sizes": lambda: shapes(np.zeros(3), np.zeros(5), np.zeros((2, 3)), np.zeros(0)),
    "an array and then a text": lambda: shapes(np.zeros(3), "over", 1.5, {"at": 3}),
    "an end of None": lambda: ends(None),
    "an end in an array": lambda: ends(np.array([True])),
    "a dictionary that lacks a part": lambda: says({"error": None, "sees": ("a door", None)}),
    "a reward that is an int": lambda: pays(1),
    "a reward that is True": lambda: pays(True),
    "a reward that is a numpy float": lambda: pays(np.float32(0.5)),
    "a reward in an array": lambda: pays(np.array([0.5])),
    "a huge reward": lambda: pays(1e12),
    "a negative reward": lambda: pays(-3.0),
    "truths that are numpy's": lambda: Odd(None, ("on", 0.0, np.bool_(True), np.bool_(False), {})),
    "one entry": lambda: menu(["go"]),
    "duplicates": lambda: menu(["go", "go", "stay"]),
    "entries with line breaks": lambda: menu(["go\nnorth", "go\r\nsouth"]),
    "entries that read alike": lambda: menu(["go north", "go\nnorth"]),
    "an entry with a separator": lambda: menu(["a / b", "c | d"]),
    "a lone surrogate in an entry": lambda: menu(["go \udc80", "stay"]),
    "3,000 entries": lambda: menu([f"take thing {i}" for i in range(3000)]),
    "a menu that is a tuple": lambda: menu(("go", "stay")),
    "a menu that is a set": lambda: menu({"go", "stay"}),
    "a menu that is a generator's": lambda: Odd(
        lambda: ("a room", {"admissible_commands": (m for m in MENU)}),
        lambda env, a: ("on", 0.0, False, False, {"admissible_commands": (m for m in MENU)}),
    ),
    "no menu at the end": lambda: Odd(None, ("over", 1.0, True, False, {})),
    "no room left": lambda: Odd(None, ("over", 0.0, True, True, {"admissible_commands": []})),
    "an event": lambda: Odd(None, ("on", 0.0, False, False, {"admissible_commands": MENU, "event": "invalid move"})),
    "raises once": lambda: Odd(None, loses),
    "nothing to close": Bare,
    "a close that raises": Stuck,
}
WRONG = {
    "no info after a step": (lambda: Odd(None, ("on", 0.0, False, False, None)), "info. is a dictionary"),
    "a list for info after a step": (lambda: Odd(None, ("on", 0.0, False, False, [])), "info. is a dictionary"),
    "nothing at reset": (lambda: Odd(lambda: None), "`reset` gave None"),
    "no info at reset": (lambda: Odd(lambda: "a room"), "expected \\(observation, info\\)"),
    "info that is none": (lambda: Odd(("a room", None)), "info being a dictionary"),
    "no menu": (lambda: Odd(("a room", {})), "nobody says what can be told"),
    "an async step": (lambda: Odd(None, later), "`step` gave a coroutine, as async functions do"),
    "an async reset": (lambda: Odd(later), "`reset` gave a coroutine"),
    "a reset without a seed": (Unseeded, "a Unseeded whose `reset` takes no seed: expected reset"),
    "the class itself": (lambda: Odd, "gave a type, the class Odd: expected an environment"),
    "several in one": (lambda: gym.make_vec("CartPole-v1", num_envs=3), "3 environments in one: expected one"),
    "agents that take turns": (Turns, "whose agents take turns.*aec_to_parallel"),
    "None after an array": (lambda: shapes(np.zeros(3), None), "NoneType cannot be told in words"),
    "a NaN in a longer array": (lambda: shapes(np.zeros(1), np.full(2, np.nan)), "not finite, after 1"),
    "an end in words": (lambda: ends("no"), "gave 'no' .str. for the end of an episode: expected True or False"),
    "an end that is NaN": (lambda: ends(float("nan")), "for the end of an episode"),
    "an end for each agent": (lambda: ends({"all": False}), "for the end of an episode"),
    "two ends": (lambda: ends(np.array([False, True])), "for the end of an episode"),
    "a reward whose square is infinite": (lambda: pays(1e200), "of size 1e.30 at most"),
    "a picture and a direction": (
        lambda: says({"image": np.full((8, 8, 3), 200, dtype=np.uint8), "direction": 0}),
        "a ndarray of shape .8, 8, 3. cannot be told in words",
    ),
    "a direction in words": (
        lambda: says({"image": np.ones((7, 7, 3), dtype=np.uint8), "direction": "north"}),
        "a ndarray of shape .7, 7, 3. cannot be told in words",
    ),
    "three things": (lambda: Odd(None, ("on", 0.0, False)), "`step` gave a tuple of 3"),
    "nothing": (lambda: Odd(None, lambda env, a: None), "`step` gave None"),
    "a list": (lambda: Odd(None, ["on", 0.0, False, False, {}]), "`step` gave a list of 5"),
    "None as a report": (lambda: says(None), "cannot be told in words"),
    "a picture": (lambda: says(np.zeros((64, 64, 3), dtype=np.uint8)), "give `describe=`"),
    "a NaN in the state": (lambda: says({"x": float("nan")}), "not finite"),
    "no reward": (lambda: pays(None), "a reward of None: expected a finite number"),
    "a reward in words": (lambda: pays("much"), "a reward of 'much'"),
    "a NaN reward": (lambda: pays(float("nan")), "a reward that is not finite"),
    "an infinite reward": (lambda: pays(np.float64("inf")), "not finite|finite number"),
    "two rewards": (lambda: pays(np.array([1.0, 2.0])), "expected a finite number"),
    "an empty menu": (lambda: menu([]), "the menu is empty though the episode is not over"),
    "a menu that is a text": (lambda: menu("go"), "expected a list of texts"),
    "a menu that is None": (lambda: menu(None), "expected a list of texts"),
    "an entry that is a number": (lambda: menu(["go", 3]), "entry 1 of the menu is 3"),
    "an entry of spaces": (lambda: menu(["go", " \n"]), "expected a text of something to do"),
    "too many entries": (lambda: menu([str(i) for i in range(20_001)]), "20,000 at most"),
    "raises": (lambda: Odd(None, raises), "the browser\\\\x1b\\[31m is gone.*in a fresh one"),
}


@pytest.fixture(autouse=True)
def once():
    loses.done = False


@pytest.mark.parametrize("kind", RIGHT)
def test_right(kind, tmp_path):
    world = parley.wrap(RIGHT[kind], horizon=3, name="odd", instruction="do something")
    run = parley.run(world, "random", episodes=2, runs=2, out=tmp_path / "r", progress=False)
    assert run.status == "finished" and run.episode(1, 1).steps
    assert run.frame("steps").num_rows  # its checksums are right
    if kind not in ("raises once",):
        assert check_world(world, 2, 1) == []


class Wanders(Odd):
    """Changes the working directory."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def step(self, action):
        os.chdir(self.folder)
        return super().step(action)


def test_an_environment_that_changes_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    world = parley.wrap(lambda: Wanders(tmp_path / "elsewhere"), horizon=3, name="wanders")
    run = parley.run(world, "random", episodes=2, runs=2, out="r", progress=False)
    assert run.status == "finished" and run.summary().mean_return == 3
    assert os.getcwd() == str(tmp_path) and not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_is_one_sentence(kind, tmp_path):
    make, said = WRONG[kind]
    world = parley.wrap(make, horizon=3, name="odd")
    with pytest.raises(ParleyError, match=said) as told:
        parley.run(world, "random", episodes=1, runs=1, out=tmp_path / "r", progress=False)
    assert "\n" not in str(told.value) and len(str(told.value)) < 500
