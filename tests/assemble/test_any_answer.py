"""Whatever somebody else's part answers, in whatever place: the run goes on, or ends in one sentence."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, settings
from hypothesis import given as given_any
from hypothesis import strategies as st

import parley
from parley.planners.scripted import RandomPlanner
from tests.assemble.test_foreign import Plain

# Some answers are coroutines, in places where nobody would await them.
pytestmark = pytest.mark.filterwarnings("ignore:.*later:", "ignore::pytest.PytestUnraisableExceptionWarning")


class Mute(Exception):
    """Cannot say what it is."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class Closed:
    """Every look at it raises."""

    def __getattribute__(self, name):
        raise Mute

    def __repr__(self):
        raise Mute


async def later(*_):
    return 1


def silent(*_, **__):
    raise Mute


ODD = {
    "nothing": lambda: None,
    "a number": lambda: 5,
    "a large number": lambda: 10**400,
    "a negative number": lambda: -1,
    "no number": lambda: float("nan"),
    "a truth": lambda: True,
    "a text": lambda: "x",
    "half a character": lambda: "\ud83d",
    "bytes": lambda: b"x",
    "a ragged list": lambda: [[1], [1, 2], 3],
    "a generator": lambda: (x for x in [1, 2, 3]),
    "a coroutine": later,
    "a dictionary": lambda: {"x": [1]},
    "a dictionary of itself": lambda: (one := {}).update(x=one) or one,
    "a function": lambda: later,
    "a class": lambda: int,
    "what cannot be looked at": Closed,
    "an empty tuple": lambda: (),
    "texts": lambda: ["x"] * 1,
    "truths": lambda: [True] * 1,
    "numbers": lambda: np.arange(1),
    "numbers below 0": lambda: -np.ones(1),
    "numbers that are none": lambda: np.full((1, 2), np.nan),
    "masked numbers": lambda: np.ma.masked_invalid(np.full((1, 2), np.nan)),
    "complex numbers": lambda: np.full((1, 2), 0.5j),
    "objects": lambda: np.array([object()] * 1, dtype=object),
    "the largest numbers": lambda: np.full(1, 2**64 - 1, dtype=np.uint64),
    "a date": lambda: np.array(["2026-01-01"] * 1, dtype="datetime64[D]"),
    "fields": lambda: np.zeros(1, dtype=[("a", float)]),
}


def answering(kind, method, change=lambda answer, odd: odd):
    """The class with a method that answers something odd, or whose answer is changed to hold it."""

    def of(odd):
        def changed(self, *given, **named):
            return change(getattr(kind, method)(self, *given, **named), odd())

        return type("Odd", (kind,), {method: changed})

    return of


def holding(kind, name):
    """The class with an attribute that is odd."""
    return lambda odd: type("Odd", (kind,), {name: property(lambda self: odd(), lambda self, value: None)})


def held(name, answer, odd):
    return replace(answer, **{name: odd})


PLANNERS = {
    **{method: answering(RandomPlanner, method) for method in ("propose", "snapshot")},
    **{name: answering(RandomPlanner, "propose", partial(held, name)) for name in vars(parley.Proposal(np.ones(1)))},
    **{name: holding(RandomPlanner, name) for name in ("decode", "about", "propose", "hear", "snapshot", "restore")},
    "a snapshot's entry": answering(RandomPlanner, "snapshot", lambda _, odd: {"x": odd}),
    "a snapshot's name": answering(RandomPlanner, "snapshot", lambda _, odd: _named(odd)),
    "about x": lambda odd: type("Odd", (RandomPlanner,), {"about": property(lambda self: {"x": odd()})}),
}
EXPLORERS = {
    "choose": answering(Plain, "choose"),
    **{name: answering(Plain, "choose", partial(held, name)) for name in ("index", "explored", "law")},
    **{name: holding(Plain, name) for name in ("start", "hear", "choose")},
}


def _named(odd):
    return {odd: np.zeros(1)} if getattr(type(odd), "__hash__", None) else {}


class House:
    """A world of one's own, of two doors."""

    name, latents, prior, instructions, horizon = "doors", ("a1", "b1"), np.full(2, 0.5), ("go",), 2
    num_actors, tables, forbidden = 1, None, ()

    def make(self, latents, draws):
        return self.Doors(latents)

    class Doors:
        def __init__(self, latents):
            self.latents = latents

        def said(self):
            return np.array(["a hall"] * len(self.latents), dtype=object)

        def info(self):
            return {"menus": [parley.Menu.shared(("left", "right"))]}

        def reset(self, *, seed=None, options=None):
            self.left = House.horizon
            return self.said(), self.info()

        def step(self, parts):
            if not {*parts.flat} <= {"left", "right"}:
                raise parley.BadInput("there is no such door")
            self.left -= 1
            over = np.full(len(parts), self.left == 0)
            return self.said(), (parts[:, 0] == "left") / 2, over, np.zeros(len(parts), dtype=bool), self.info()

        def close(self):
            pass


def making(of):
    """A world whose environments are odd."""
    return lambda odd: type("Odd", (House,), {"make": lambda self, latents, draws: of(odd)(latents)})


def at(place, answer, odd):
    return (*answer[:place], odd, *answer[place + 1 :])


def told(name, answer, odd):
    return (*answer[:-1], {**answer[-1], name: odd})


def menu(name, answer, odd):
    return told("menus", answer, [replace(House.Doors.info(None)["menus"][0], **{name: odd})])


WORLDS = {
    **{name: holding(House, name) for name in vars(House) if not name.startswith("_") and name != "Doors"},
    "what is made": answering(House, "make"),
    **{method: making(answering(House.Doors, method)) for method in ("reset", "step", "close")},
    **{f"reset {i}": making(answering(House.Doors, "reset", partial(at, i))) for i in range(2)},
    **{f"step {i}": making(answering(House.Doors, "step", partial(at, i))) for i in range(5)},
    **{name: making(answering(House.Doors, "reset", partial(told, name))) for name in ("menus", "instructions")},
    "max_scores": making(answering(House.Doors, "reset", partial(told, "max_scores"))),
    **{f"menu {name}": making(answering(House.Doors, "step", partial(menu, name))) for name in ("sentences", "legal")},
}


KINDS = {"planner": PLANNERS, "explorer": EXPLORERS, "world": WORLDS}
EVERYWHERE = [(kind, place) for kind, places in KINDS.items() for place in places]


def given(kind, place, odd):
    """World, planner and explorer, one of which is odd."""
    return {"world": "shortcut", "planner": "random", "explorer": "none"} | {kind: KINDS[kind][place](ODD[odd])}


def in_one_sentence(does):
    """Whether it worked; where it did not, it says so in one sentence."""
    try:
        does()
    except parley.ParleyError as wrong:
        assert "\n" not in str(wrong) and 10 < len(str(wrong)) < 700
        return False
    return True


@pytest.mark.parametrize("kind, place", EVERYWHERE)
def test_any_answer_is_taken_or_refused(kind, place):
    for odd in ODD:
        parts = given(kind, place, odd)
        in_one_sentence(lambda: [*parley.stepthrough(**parts, episodes=2)])  # noqa: B023


@settings(max_examples=60, deadline=None, derandomize=True)
@example(("planner", "left_out"), "the largest numbers")  # SQLite has no such numbers
@example(("planner", "a snapshot's name"), "half a character")
@example(("world", "close"), "what cannot be looked at")
@given_any(st.sampled_from(EVERYWHERE), st.sampled_from([*ODD]))
def test_what_is_taken_is_recorded_and_checked(where, odd):
    """A run that ends can be read; `parley check` says what is wrong, and never fails."""
    kind, place = where
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr("parley.runs.recorder.SNAPSHOT_S", -1.0)
        out, parts = Path(folder) / "run", given(kind, place, odd)
        kept = "episodes" if "snapshot" in place else "steps"
        if in_one_sentence(lambda: parley.run(**parts, out=out, episodes=2, runs=1, record=kept)):
            assert parley.open(out).frame("episodes").num_rows == 2
        in_one_sentence(lambda: parley.check(kind, parts[kind]))
