"""What memories that learn have in common: successes, states, and what is read of a model's answers."""

import pytest

from parley.core.told import Told
from parley.memory.learned import LONGEST, Fold, bullets, plain, succeeded, transcript
from parley.memory.operations import Operation, operations


def ended(*returns: float, instruction: str = "task") -> list[Told]:
    return [Told(instruction, ("a", "b"), (("go",),), (each,)) for each in returns]


@pytest.mark.parametrize(
    "returns, success",
    [
        ((0.0,), False),
        ((1.0,), True),
        ((-1.0,), False),
        ((1.0, 1.0), True),
        ((-1.0, -1.0), False),
        ((0.2, 0.2, 1.0), True),
        ((0.2, 1.0, 0.2), False),
        ((-5.0, -1.0), True),
        ((1.0, 0.5, 0.0), False),
        ((0.0, 1.0, 0.5), False),  # in the middle: no nearer to the best
        ((0.0, 1.0, 0.51), True),
    ],
)
def test_a_success_is_nearer_to_the_best_than_to_the_worst(returns, success):
    assert succeeded(ended(*returns)) is success


def test_a_success_is_one_among_episodes_of_its_instruction_or_of_all_where_it_is_new():
    others = ended(0.0, 10.0, instruction="other")
    assert succeeded([*others, *ended(0.1, 1.0)])  # among its own
    assert not succeeded([*others, *ended(1.0)])  # new: among all
    assert succeeded([*others, *ended(9.0)])


def test_a_state_is_one_of_the_episodes_before_alone():
    counts = []

    def after(state: tuple[int, ...], heard: list[Told]) -> tuple[int, ...]:
        counts.append(len(heard))
        return (*state, int(sum(heard[-1].rewards)))

    fold, heard = Fold[tuple[int, ...]]((), after), ended(1, 2, 3)
    assert fold.last == ()
    assert fold.before(heard) == (1, 2, 3) and fold.before(heard[:1]) == (1,) and fold.before([]) == ()
    assert fold.before(ended(1, 2, 3, 4)) == (1, 2, 3, 4) == fold.last
    assert counts == [1, 2, 3, 4]


def test_a_state_that_could_not_be_made_is_made_the_next_time():
    tried = []

    def after(state: int, heard: list[Told]) -> int:
        tried.append(len(heard))
        if tried == [1, 2]:
            raise RuntimeError
        return state + 1

    fold = Fold(0, after)
    with pytest.raises(RuntimeError):
        fold.before(ended(1, 1))
    assert fold.before(ended(1, 1)) == 2 and tried == [1, 2, 2]


def test_an_episode_is_told_a_line_for_each_thing_said():
    told = Told("get\n> up", ("here\nTask: none", "x" * 2000), (("go", "stay"),), (0.5,))
    said = transcript(told, True)
    assert said.splitlines()[:3] == ["Task: get > up", "  here Task: none", "> go + stay"]
    assert said.splitlines()[3] == f"  {'x' * LONGEST} (reward 0.5)" and "Return 0.5: a success." in said


def test_words_of_a_model_are_one_line_in_which_nothing_acts():
    assert plain("a\n> b\x1b[31m\u202e") == "a > b\\x1b[31m\\u202e"
    assert len(plain("x" * 10_000)) == LONGEST + 3
    assert bullets("Known:", ["a", "b"]) == "Known:\n- a\n- b\n" and bullets("Known:", []) == ""


@pytest.mark.parametrize(
    "line, found",
    [
        ("ADD: look first", Operation("ADD", text="look first")),
        ("- **ADD**: look first", Operation("ADD", text="look first")),
        ("add 3: look first", Operation("ADD", text="look first")),
        ("ADD [3]: 2 cups: look", Operation("ADD", text="2 cups: look")),
        ("ADD look first", None),
        ("ADD:", None),
        ("ADD: \t", None),
        ("Add the sugar: no", None),
        ("AGREE 3", Operation("AGREE", 3)),
        ("3. AGREE 3", None),
        ("AGREE [12]: as it says", Operation("AGREE", 12, "as it says")),
        ("AGREE: insight", None),
        ("AGREE -1", Operation("AGREE", 1)),  # a dash as in a list
        ("EDIT 2: look twice", Operation("EDIT", 2, "look twice")),
        ("EDIT 2", Operation("EDIT", 2)),
        ("EDIT 12345678: x", None),
        ("REMOVED 2", None),
        ("{{ 7 * 7 }}", None),
        ("ADDRESS: here", None),
    ],
)
def test_a_line_of_an_answer_is_an_operation_or_nothing(line, found):
    assert operations(line, ("ADD",), ("AGREE", "EDIT", "REMOVE"), 4) == ([found] if found else [], int(found is None))


def test_operations_are_bounded_and_each_changes_another_item():
    answer = "well:\n\nAGREE 1\nREMOVE 1\nADD: a\nADD: b\nADD: c\nADD: d"
    found, ignored = operations(answer, ("ADD",), ("AGREE", "REMOVE"), 4)
    assert [(one.kind, one.number, one.text) for one in found] == [
        ("AGREE", 1, ""),
        ("ADD", -1, "a"),
        ("ADD", -1, "b"),
        ("ADD", -1, "c"),
    ]
    assert ignored == 3
    found, _ = operations("ADD: " + "x" * 100_000, ("ADD",), (), 4)
    assert len(found[0].text) == LONGEST + 3
