"""Advantages of remembered subgoals, against values worked out by hand."""

import math

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.core.told import Told
from parley.memory.advantage import Advantage, Advantages, situation
from parley.prompting.prompter import Prompter, Prompting, Words
from parley.prompting.template import PromptTemplate
from tests.memory.scripted import Tilting, always

MENU = ("left", "right", "wait")


def once(subgoal: str, reward: float, seen: str = "a fork in the road") -> Told:
    return Told("find gold", (seen, "over"), ((subgoal,),), (reward,))


HERE = Told("find gold", ("a fork in the road",))


def test_advantages_by_hand():
    """V = 0.5; left: (0.5 + 0.5) / 3, right: (-0.5 - 0.5) / 3; the spread of returns is 1."""
    earlier = (once("left", 1.0), once("left", 1.0), once("right", 0.0), once("right", 0.0))
    assert Advantages(earlier, 3.0, 8)(HERE, (), MENU) == pytest.approx([1.0, -1.0, 0.0])
    scaled = tuple(once(one.subgoals[0][0], 10 * one.rewards[0] - 7) for one in earlier)
    assert Advantages(scaled, 3.0, 8)(HERE, (), MENU) == pytest.approx([1.0, -1.0, 0.0])  # in units of the spread


def test_without_anything_to_compare_nothing_is_added():
    for earlier in (
        (),
        (once("left", 1.0),) * 3,
        (once("left", 1.0, "the open sea at night"), once("right", 0.0, "x")),
    ):
        assert Advantages(earlier, 3.0, 8)(HERE, (), MENU) == [0.0, 0.0, 0.0]


def test_the_return_from_a_step_on_counts():
    """What was earned before a step is none of its doing."""

    def twice(first: str, second: str, *rewards: float) -> Told:
        return Told("find gold", ("a fork in the road", "a bridge", "over"), ((first,), (second,)), rewards)

    earlier = (twice("left", "wait", 5.0, 0.0), twice("left", "right", 5.0, 1.0))
    here = Told("find gold", ("a fork in the road", "a bridge"), (("left",),), (5.0,))
    added = Advantages(earlier, 1.0, 8)(here, (), MENU)
    assert added[0] == 0.0 and added[1] == -added[2] == pytest.approx(0.5 / 2 / 6)
    assert situation(here, 1) == "find gold\nleft\na bridge" and situation(here, 0) == "find gold\n\na fork in the road"


def test_the_nearest_situations_count_and_more_where_these_hold_little():
    same, alike = [once("left", 1.0), once("right", 0.0)], [once("right", 1.0, "a fork in the woods")] * 6
    near = Advantages((*same, *alike), 1.0, 2)(HERE, (), MENU)
    assert near[0] > 0 > near[1]  # two steps of the very situation are enough
    wide = Advantages((*same, *alike), 1.0, 8)(HERE, (), MENU)
    assert wide[1] > near[1]
    w = 6 / 8  # of the words find gold a fork in the road | woods
    value = (1 + 6 * w) / (2 + 6 * w)
    assert wide[0] == pytest.approx((1 - value) / 2)
    assert wide[1] == pytest.approx((6 * w * (1 - value) - value) / (2 + 6 * w))


def test_each_actor_counts_what_goes_with_the_parts_before():
    def both(one: str, two: str, reward: float) -> Told:
        return Told("find gold", ("a fork in the road", "over"), ((one, two),), (reward,))

    tilt = Advantages((both("left", "wait", 1.0), both("right", "wait", 0.0), both("left", "right", 0.0)), 1.0, 8)
    first, second = tilt(HERE, (), MENU), tilt(HERE, ("left",), MENU)
    assert first[0] == pytest.approx((1 / 3) / 3) and second[2] == pytest.approx(0.25) and second[0] == 0.0
    assert tilt(HERE, ("right",), MENU) == [0.0, 0.0, 0.0]


def test_it_remembers_what_was_told_before_alone():
    earlier = [once("left", 1.0), once("right", 0.0)]
    recalled = Advantage(1.0, 8, shown=1).recall(earlier, HERE, always)
    assert recalled.tilt.earlier == tuple(earlier) and recalled.episodes == (earlier[1],)
    earlier.append(once("wait", 9.0))
    assert recalled.tilt(HERE, (), MENU)[2] == 0.0
    small = Advantage(1.0, 8, shown=2).recall(earlier, HERE, lambda recalled: not recalled.episodes)
    assert small.episodes == () and small.tilt(HERE, (), MENU)[2] > 0  # shortened, and it still knows


def prompter(memory) -> Prompter:
    made = Prompter(Prompting(PromptTemplate("chat"), Words((MENU,), 1)), memory)
    made.begin("find gold", "a fork in the road")
    return made


def test_what_is_added_to_log_probabilities():
    probs = np.array([0.5, 0.25, 0.25])
    found = prompter(Tilting([0.0, math.log(2), -1e4])).tilted(probs, (), MENU)
    assert found == pytest.approx([0.5, 0.5, 0.0])
    certain = prompter(Tilting([-1e4, 0.0, 0.0])).tilted(np.array([1.0, 0.0, 0.0]), (), MENU)
    assert certain.tolist() == [1.0, 0.0, 0.0]  # what is not proposed stays so
    plain = Prompter(Prompting(PromptTemplate("chat"), Words((MENU,), 1)), Advantage(1.0, 8))
    plain.begin("find gold", "a fork in the road")
    assert plain.tilted(probs, (), MENU) == pytest.approx(probs)


@pytest.mark.parametrize(
    "added", [[0.0], [0.0, 0.0, math.nan], [0.0, math.inf, 0.0], [[0.0] * 3], "abc", None, [[1], 2]]
)
def test_a_tilt_that_is_none_is_refused(added):
    with pytest.raises(BadInput, match="the memory's tilt"):
        prompter(Tilting(added)).tilted(np.full(3, 1 / 3), (), MENU)
