"""Situations that are told in ever other words."""

from dataclasses import replace

import numpy as np
import pytest

from parley.core.codes import Codes
from parley.core.draws import Draws
from parley.core.said import Choice, Menu, Moment, Opening, Outcome, Proposal
from parley.exploration.persistent import PersistentExplorer
from parley.exploration.situations import Situations
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run

FIRST = ("well, now", "at last", "once more", "for the moment", "as before", "so it is", "again", "by now")
LAST = ("it seems", "as far as one can tell", "or so they say", "no doubt", "says the guide", "clearly", "that is all")


class Retold(PersistentExplorer):
    """Hears what the planner hears in other words each time: a world of open text for its explorer alone."""

    def __init__(self, alike: float) -> None:
        super().__init__(alike=alike)
        self.rng = np.random.default_rng(0)

    def hear(self, said: Opening | Outcome) -> None:
        told = [self._told(sentence) for sentence in said.observations]
        super().hear(replace(said, observations=np.array(told, dtype=object)))

    def _told(self, sentence: str) -> str:
        first, last = self.rng.choice(FIRST), self.rng.choice(LAST)
        return f"{first}, {sentence}, {last}, at {self.rng.integers(100, 10_000)}"


@pytest.mark.parametrize(
    ("tables", "latent"),
    [pytest.param(treasure(4, p=0.05), 0, id="treasure"), pytest.param(shortcut(0.15), 1, id="shortcut")],
)
def test_what_is_told_otherwise_each_time_is_explored_as_one_situation(tables, latent):
    """Word by word no situation comes back, so nothing is ever tried."""
    lost = {}
    for alike in (1.0, 0.5):
        planner = ExactPlanner(Beliefs(tables), decode="greedy")
        lost[alike] = run(tables, planner, np.full(4, latent), 100, Retold(alike)).expected().sum(axis=1).mean()
    greedy = run(tables, ExactPlanner(Beliefs(tables), decode="greedy"), np.full(4, latent), 100)
    assert lost[1.0] == pytest.approx(greedy.expected().sum(axis=1).mean())
    assert lost[0.5] <= 0.5 * lost[1.0]


def number(situations: Situations, words: Codes, said: str, probs: list[float], odds: np.ndarray) -> int:
    key = (1, 0, 0, 0, int(words.of(["task"])[0]), -1, -1, int(words.of([said])[0]))
    return int(situations.of([key], np.array([probs]), np.array([[0, 1]]), odds)[0])


def test_alike_in_words_and_in_what_is_proposed():
    words, decisions = Codes(), Codes()
    situations, odds = Situations(decisions, words, 0.5), np.zeros((4, 2))
    odds[0], odds[1] = np.log([9, 1 / 9]), np.log([1 / 9, 9])
    assert number(situations, words, "the mug is on the shelf", [0.9, 0.1], odds) == 0
    assert number(situations, words, "there on the shelf is the mug", [0.85, 0.15], odds) == 0
    assert number(situations, words, "it is the mug the shelf is on", [0.1, 0.9], odds) == 1  # proposed otherwise
    assert number(situations, words, "a garden with a locked gate", [0.9, 0.1], odds) == 2  # told of something else
    assert number(situations, words, "there on the shelf is the mug", [0.1, 0.9], odds) == 0  # it stays so
    again = Situations(decisions, words, 0.5)
    again.restore(situations.snapshot())
    assert number(again, words, "there on the shelf is the mug", [0.1, 0.9], odds) == 0
    assert number(again, words, "see, the mug is on the shelf", [0.9, 0.1], odds) == 0
    assert len(decisions) == 3


def test_of_one_run_only():
    """What a run counts does not depend on the runs beside it."""
    words, decisions = Codes(), Codes()
    situations = Situations(decisions, words, 0.5)
    task, *said = words.of(["task", "the mug is here", "the mug is right here"]).tolist()
    probs, place, odds = np.array([[0.9, 0.1]]), np.array([[0, 1]]), np.tile(np.log([9, 1 / 9]), (4, 1))
    found = [
        situations.of([(1, 0, run, 0, task, -1, -1, code)], probs, place, odds)
        for run, code in ((0, said[0]), (1, said[1]))
    ]
    assert [int(one[0]) for one in found] == [0, 1]


def test_a_run_goes_on_where_it_was():
    """Restored from a snapshot it does what it would have done; 21 texts are fewer situations in each of two runs."""
    menu, told = (
        Menu.shared(("stay", "go")),
        ("you are at the old gate", "you are now at the old gate", "now, the old gate"),
    )

    def episodes(explorer: PersistentExplorer, first: int, last: int) -> list[Choice]:
        found = []
        for t in range(first, last):
            said = np.full(2, f"{told[t % 3]} {t // 6}", dtype=object)
            explorer.hear(Opening(t, np.full(2, "task", dtype=object), said))
            found.append(explorer.choose(Proposal(np.tile([0.9, 0.1], (2, 1))), "sample", menu, Moment(t, 1)))
            explorer.hear(Outcome(t, 1, menu.say(found[-1].index)[:, None], said, np.zeros(2), np.ones(2, dtype=bool)))
        return found

    whole, half = PersistentExplorer(alike=0.5), PersistentExplorer(alike=0.5)
    for explorer in (whole, half):
        explorer.start(Draws(0, 2), 1000, 1)
    expected = episodes(whole, 0, 40)
    episodes(half, 0, 20)
    other = PersistentExplorer(alike=0.5)
    other.start(Draws(0, 2), 1000, 1)
    other.restore(half.snapshot())
    for mine, theirs in zip(expected[20:], episodes(other, 20, 40), strict=True):
        np.testing.assert_array_equal(mine.law, theirs.law)
    assert len(whole._decisions) <= 20 and any(choice.explored.any() for choice in expected)
