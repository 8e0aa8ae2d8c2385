"""Menus of thousands of entries, and actions in a model's own words."""

import json
import re
import sqlite3

import numpy as np
import pytest

import parley
from parley.core.errors import BadInput
from parley.planners.ways.staged import grouped, staged
from parley.prompting.grounding import grounded, said_to_do
from tests.talker import SHARED, Talker, chance
from tests.worlds.odd import Doors

MENU = tuple(sorted([f"take thing {i}" for i in range(1500)] + [f"put thing {i} on the table" for i in range(1500)]))


def test_a_staged_choice_finds_one_of_three_thousand_in_few_questions():
    """Who answers knows the entry that it wants, and sees what stands for it at each stage."""
    for wanted in (MENU[0], MENU[1702], MENU[2999]):
        asked = []

        def ask(choices, wanted=wanted, asked=asked):
            asked.append(choices)
            shares = np.zeros(len(choices))
            groups = grouped([*MENU], 26) if len(asked) == 1 else None
            for i, choice in enumerate(choices):
                if choice == wanted:
                    shares[i] = 1
                elif groups and wanted in [MENU[j] for j in groups[i][1]]:
                    shares[i] = 1
                elif (span := re.fullmatch(r"one of \d+, from '(.*)' to '(.*)'", choice)) and not groups:
                    shares[i] = span.group(1) <= wanted <= span.group(2)
            return shares / shares.sum()

        probs = staged(ask, MENU, 26)
        assert MENU[int(probs.argmax())] == wanted and probs.max() == pytest.approx(1)
        assert len(asked) <= 4 and all(len(choices) <= 26 for choices in asked)


def test_groups_hold_every_entry_once():
    for menu in (MENU, ["a", "b"], ["go " + "x" * i for i in range(1, 40)], [str(i) for i in range(222)]):
        groups = grouped(menu, 26)
        assert len(groups) <= 26 and sorted(i for _, entries in groups for i in entries) == list(range(len(menu)))
        assert len({label for label, _ in groups}) == len(groups)


def test_where_nothing_usable_comes_there_is_no_proposal():
    assert staged(lambda choices: None, MENU, 26) is None


@pytest.mark.parametrize(
    "answer, entry",
    [
        ("open the iron door", 1),
        ("> Open iron door!", 1),
        ("Action: open the iron-door", 1),
        ("I open the iron door", 1),
        ("opn iron door", 1),
        ("First I look.\ngo north", 2),
        ("take the key", None),  # which of the two?
        ("take the red key", 0),
        ("take red key", 0),
        ("sing a song", None),
        ("go south", None),  # the letters of the wrong way are nearly those of the right one
        ("go nroth", 2),
        ("open wooden door", None),
        ("unopen iron door", None),
        ("take green key", None),
        ("n", None),  # a letter of a menu that was not shown
        ("b", None),
        ("", None),
        ("\n\n", None),
    ],
)
def test_words_are_grounded(answer, entry):
    assert grounded(answer, ["take red key", "open iron door", "go north", "take tin key"]) == entry


def test_numbers_and_letters_are_no_slips():
    menu = [f"take thing {i}" for i in range(30)] + ["put key in box"]
    said = (
        "take thing 31",
        "take thing 3",
        "take thing 123",
        "n",
        "put the key into the box",
        "put the coin in the box",
    )
    assert [grounded(answer, menu) for answer in said] == [None, 3, None, None, 30, None]


def test_what_is_said_is_cut_and_plain():
    assert len(said_to_do("x" * 5000)) == 200 and said_to_do("```\nlook\n") == "look"


def spec(talker, *more):
    return f"endpoint:model=vllm/m,base_url={talker.base_url},{SHARED},{','.join(more)}"


def test_an_endpoint_chooses_from_a_long_menu_in_stages(tmp_path):
    """222 choices did not fit the default budget, and a run ended there."""

    class Many(Doors):
        def _info(self):
            return {"admissible_commands": [f"do {verb} {i}" for verb in "abcdef" for i in range(100)], "goal": "do"}

    world = parley.wrap(lambda: Many(), horizon=2, name="many")

    def answer(text, seed):
        return f"{'ABCDEF'[int(chance(text, seed) * 6)]}"

    with Talker({"chat"}, answer=answer) as talker:
        run = parley.run(world, spec(talker, "way=parse"), episodes=1, runs=2, out=tmp_path / "r", progress=False)
        shown = max(len(re.findall(r"^[A-Z]{1,2}\. ", json.dumps(body), flags=re.M)) for _, body, _ in talker.said)
    assert run.status == "finished" and shown <= 26
    proposals = [json.loads(p) for (p,) in db(run).execute("SELECT answers FROM steps")]
    assert all(len(p) == 600 and sum(p) == pytest.approx(1) for p in proposals)


def db(run):
    return sqlite3.connect(run.out / "run.sqlite")


def test_actions_in_own_words_are_grounded_told_back_and_logged(tmp_path):
    world = parley.wrap(lambda: Doors(), horizon=3, name="doors")
    told = []

    def answer(text, seed):
        told.append(text)
        return "sing" if "cannot be done here" not in text else "please open the green door"

    with Talker({"chat"}, answer=answer) as talker:
        run = parley.run(world, spec(talker, "actions=free"), episodes=1, runs=1, out=tmp_path / "r", progress=False)
    assert {s for (s,) in db(run).execute("SELECT subgoal FROM steps")} == {"open the green door"}
    assert not any("A. " in text for text in told)  # nothing is listed
    outcomes = [o for (o,) in db(run).execute("SELECT outcome FROM calls WHERE purpose LIKE 'propose%'")]
    assert len(outcomes) == 2 * 3 and len(set(outcomes)) == 2


def test_words_that_the_environment_itself_makes_sense_of(tmp_path):
    world = parley.wrap(lambda: Doors(), horizon=3, name="free", menu="free")
    with Talker({"chat"}, answer=lambda text, seed: "Answer: open the blue door") as talker:
        run = parley.run(world, spec(talker, "actions=free"), episodes=2, runs=2, out=tmp_path / "r", progress=False)
        with pytest.raises(BadInput, match="ask with actions=free"):
            parley.run(world, spec(talker, "way=parse"), episodes=1, runs=1, out=tmp_path / "s", progress=False)
        with pytest.raises(BadInput, match="actions='both'"):
            parley.run(world, spec(talker, "actions=both"), episodes=1, runs=1, out=tmp_path / "t", progress=False)
    assert {s for (s,) in db(run).execute("SELECT subgoal FROM steps")} == {"open the blue door"}
    assert {r for (r,) in db(run).execute("SELECT reward FROM steps")} == {1.0}


def test_only_what_changed_is_told(tmp_path):
    """The room is described at every step; prompts hold it once."""

    class Room(Doors):
        def step(self, action):
            said, *rest = super().step(action)
            return f"A vaulted hall of stone. {said}", *rest

    asked = []

    def answer(text, seed):
        asked.append(text)
        return "wait"

    world = parley.wrap(lambda: Room(), horizon=4, name="room")
    told = {}
    with Talker({"chat"}, answer=answer) as talker:
        for kind in ("whole", "changes"):
            asked.clear()
            how = spec(talker, "way=parse", f"observations={kind}")
            parley.run(world, how, episodes=1, runs=1, out=tmp_path / kind, progress=False)
            told[kind] = asked[-1]
        with pytest.raises(BadInput, match="expected 'whole', or 'changes'"):
            parley.run(world, spec(talker, "observations=some"), episodes=1, runs=1, out=tmp_path / "x", progress=False)
    assert told["whole"].count("vaulted hall") == 3 and told["changes"].count("vaulted hall") == 1
    assert told["changes"].count("[the rest is as before]") + told["changes"].count("[all is as before]") == 2
