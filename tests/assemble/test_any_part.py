"""Whatever is given as a memory, hook or template, and whatever it answers: it is taken, or refused in one sentence."""

from functools import partial
from pathlib import Path

import pytest

import parley
from parley.assemble.parts import memory_part
from tests.assemble.test_any_answer import ODD, answering, held, holding, in_one_sentence, later, silent

# Some answers are coroutines, in places where nobody would await them.
pytestmark = pytest.mark.filterwarnings("ignore:.*later:", "ignore::pytest.PytestUnraisableExceptionWarning")


class Remembering:
    """A memory that recalls nothing, with a tilt."""

    def recall(self, earlier, now, fits):
        return parley.Recalled(tilt=lambda now, parts, menu: [0.0] * len(menu))


MEMORIES = {
    "recall": answering(Remembering, "recall"),
    "a method": holding(Remembering, "recall"),
    **{name: answering(Remembering, "recall", partial(held, name)) for name in ("notes", "episodes", "tilt")},
    "what is added": answering(Remembering, "recall", lambda answer, odd: held("tilt", answer, lambda *_: odd)),
}


@pytest.mark.parametrize("place", MEMORIES)
def test_what_a_memory_recalls_is_taken_or_refused(place):
    now = parley.Told("task", ("seen",))
    for odd in ODD.values():
        part = MEMORIES[place](odd)

        def recalls(part=part):
            recalled = memory_part(part, trust=True).make(None)(None).recall([now], now, lambda recalled: True)
            if recalled.tilt:
                recalled.tilt(now, (), ("left", "right"))

        in_one_sentence(recalls)
        in_one_sentence(lambda: parley.check("memory", part))  # noqa: B023


class Asking(Remembering):
    """A memory that has something odd written."""

    def __init__(self, writer):
        self.writer = writer

    def recall(self, earlier, now, fits):
        self.writer.ask(**{"prompt": "why?", "number": 0, "words": 5} | self.odd())
        return parley.Recalled()


@pytest.mark.parametrize("name", ["prompt", "number", "words", "material"])
def test_what_a_memory_asks_is_checked(name):
    """A prompt of bytes, or of no words, is asked of no model."""
    fine = {"prompt": {"a text", "half a character"}, "words": {"a number", "a large number", "a truth"}}
    fine |= {"number": fine["words"], "material": fine["prompt"]}
    for odd, of in ODD.items():
        part = type("Odd", (Asking,), {"odd": lambda self, of=of: {name: of()}})
        make = memory_part(part, trust=True).make(None)
        told = in_one_sentence(lambda: make(NoModel()).recall([], parley.Told("task", ("seen",)), None))  # noqa: B023
        assert told == (odd in fine[name]), odd


class NoModel:
    """A writer without a model."""

    def ask(self, prompt, number, words, material=""):
        return ""


EVENTS = ("begin", "step", "episode", "call", "end")


@pytest.mark.parametrize("event", EVENTS)
def test_a_hook_that_fails_is_named_whenever_it_does(event, tmp_path, capsys):
    """In the manifest, even where the last event is what it fails at; and its caller is told."""
    part = type("Odd", (parley.Hook,), {event: silent})
    run = parley.run("shortcut", "random", episodes=1, runs=1, out=tmp_path / "run", hooks=[part])
    failed = run.manifest["totals"].get("hooks_failed", {})
    assert bool(failed) == (event != "call")  # no model is asked here
    assert all(f"raised in `{event}`: Mute" in said for said in failed.values())
    assert len(failed) == capsys.readouterr().err.count("it was told nothing more")


@pytest.mark.parametrize("event", EVENTS)
def test_a_hook_of_odd_methods_is_refused_or_named(event):
    for odd in ODD.values():
        part = type("Odd", (parley.Hook,), {event: property(lambda self, odd=odd: odd())})
        in_one_sentence(lambda: parley.check("hook", part))  # noqa: B023


UNSEEN = "what cannot be looked at"  # not even its class


@pytest.mark.parametrize("kind", ["world", "planner", "explorer", "memory", "template", "hook"])
def test_what_is_no_part_is_refused(kind, tmp_path):
    """Also a class that cannot be made, and a function that gives something else."""
    odd = [of() for name, of in ODD.items() if name not in ("a text", "a coroutine", UNSEEN)]
    makers = [lambda of=of: of() for name, of in ODD.items() if name != UNSEEN]
    classes = [type("Odd", (), {"__init__": silent}), type("Odd", (), {"__init__": lambda self, needed: None})]
    for part in [*odd, *makers, *classes, silent, later, type("Odd", (), {}), Path("nowhere"), object(), pytest]:
        worked = in_one_sentence(lambda: parley.check(kind, part))  # noqa: B023
        assert not worked or parley.check(kind, part)


def test_templates_are_given_in_every_way(tmp_path):
    """A name, a path as text or as `Path`, or a function that gives the text or its path."""
    text, path = '{% extends "chat" %}', tmp_path / "mine.jinja"
    path.write_text(text)
    for template in ("chat", str(path), path, lambda: text, lambda: path):
        assert parley.check("template", template) == []
