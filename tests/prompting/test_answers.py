import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.prompting.answers import letters, parse

MENU = ["walk on along the corridor", "try the back door", "wait", "look in the cupboard", "wait and see"]


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("B", 1),
        ("b", 1),
        (" (B) ", 1),
        ("**B.**", 1),
        ("B. try the back door", 1),
        ("B) Try the back door.", 1),
        ("> try the back door\n", 1),
        ('"Try the back door!"', 1),
        ('{"subgoal": "try the back door"}', 1),
        ('```json\n{"subgoal": "wait"}\n```', 2),
        ("I would try the back door, since it is shorter.", 1),
        ("First A seems good.\nBut the door may be open.\nAnswer: B", 1),
        ("Answer: A\nNo. Answer: D", 3),
        ("wait and see", 4),
        ("I choose to wait and see", 4),
        ("Some thoughts\nB. try the back door\nThat is all", 1),
    ],
)
def test_what_is_meant(answer, chosen):
    assert parse(answer, MENU) == chosen


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "   \n",
        "Z",
        "F",
        "fly to the moon",
        "A. try the back door",
        "walk on along the corridor or try the back door",
        "A\nB",
        "{}",
        '{"subgoal": 3}',
        '{"a": "wait", "b": "try the back door"}',
        "[" * 50_000,
        "\x00\ud800",
        "Answer:",
    ],
)
def test_what_chooses_nothing(answer):
    assert parse(answer, MENU) is None


def test_letters_that_are_also_sentences_are_sentences_where_they_are_these_character_by_character():
    assert parse("B", ["B", "A"]) == 0
    assert parse("b", ["B", "A"]) is None  # the letter of one, the words of the other
    assert parse("A", ["A", "B"]) == 0


def test_long_menus_have_letters_of_their_own():
    menu = [f"open chest {i}" for i in range(10_000)]
    names = letters(len(menu))
    assert len(set(names)) == len(menu)
    for i in (0, 25, 26, 701, 702, 9_999):
        assert parse(names[i], menu) == i
        assert parse(f"{names[i]}. {menu[i]}", menu) == i
        assert parse(f"well, open chest {i} it is", menu) in (i, None)


def test_of_megabytes_only_the_end_is_read():
    assert parse("wait " * 1_000_000 + "\nAnswer: B", MENU) == 1
    assert parse("B" + "x" * 5_000_000, MENU) is None


@settings(max_examples=300)
@given(st.text(max_size=300), st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_any_text_and_any_menu(answer, menu):
    chosen = parse(answer, menu)
    assert chosen is None or 0 <= chosen < len(menu)


def mutated(rng: random.Random) -> str:
    """An answer that could have been right, with bytes changed, doubled, dropped or put in."""
    shapes = ("{s}", "{a}", "{a}. {s}", "> {s}\n", '{{"subgoal": "{s}"}}', "Because.\nAnswer: {a}", "{s}\n{s}", "{j}")
    i = rng.randrange(len(MENU))
    sentence = MENU[i]
    text = rng.choice(shapes).format(s=sentence, a=letters(len(MENU))[i], j=json.dumps([sentence]))
    said = bytearray(text.encode())
    for _ in range(rng.randrange(6)):
        at = rng.randrange(len(said) + 1)
        change = rng.randrange(4)
        if change == 0:
            said[at:at] = bytes([rng.randrange(256)])
        elif change == 1:
            del said[at : at + rng.randrange(1, 4)]
        elif change == 2:
            said[at:at] = said[max(0, at - 5) : at]
        else:
            said[at:at] = rng.choice((b"\x1b[2J", b"{{", b"}}", b"<b>", b"\n", b"Answer:", b"\xff", b"A", b"{%"))
    return said.decode(errors=rng.choice(("replace", "surrogateescape", "ignore")))


def fuzz(count: int) -> None:
    rng = random.Random(1)
    chosen = [0] * len(MENU)
    for _ in range(count):
        i = parse(mutated(rng), MENU)
        if i is not None:
            chosen[i] += 1  # an index off the menu would raise
    assert min(chosen) > count // 100


def test_mutated_answers():
    fuzz(20_000)


@pytest.mark.slow
def test_a_million_mutated_answers():
    fuzz(1_000_000)
