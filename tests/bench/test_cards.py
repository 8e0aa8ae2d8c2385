"""Cards of others: read with suspicion, and shown as text."""

import json
import re
from pathlib import Path

import pytest

from parley.bench.pages import leaderboard, markdown
from parley.cli import main
from parley.core.errors import BadInput
from parley.report.cards import LARGEST, Card, Finding, Line, read_card

OURS = Path(__file__).parents[2] / "docs" / "bench"
EVIL = "<script>alert(1)</script> | [x](javascript:y) `z`\n# \x1b[31mred"


def card(planner: str = "exact", name: str = "regret/bandit", share: float | None = 1.0) -> Card:
    line = Line(name, "bayes", "bandit", "loss", "reward", 8, 0.1, 0.0, 0.2, 1.0, 0.1, share, 0.9, 1.1, "decided")
    return Card(planner, ["bayes"], 0, 12, "ended", {"calls": 0.0}, {"python": "3"}, [line], [], {})


def write(path, given: object) -> None:
    path.write_text(given if isinstance(given, str) else json.dumps(given), "utf-8")


def test_a_card_survives_the_file(tmp_path) -> None:
    write(tmp_path / "card.json", card().as_json())
    assert read_card(tmp_path / "card.json") == card()


def altered(**changes: object) -> dict:
    return {**json.loads(card().as_json()), **changes}


def of_line(**changes: object) -> dict:
    found = altered()
    found["entries"][0] |= changes
    return found


HOSTILE = {
    "no JSON": "{",
    "nested": "[" * 100_000,
    "a list": [],
    "another format": altered(format="parley-card/9"),
    "a missing field": {key: value for key, value in altered().items() if key != "seed"},
    "a field too many": altered(more=1),
    "text for a number": of_line(value="1"),
    "true for a number": of_line(num_runs=True),
    "a number for text": of_line(name=3),
    "NaN": card().as_json().replace("0.1", "NaN", 1),
    "infinity": card().as_json().replace("0.1", "1e999", 1),
    "entries that are no list": altered(entries={}),
    "an entry that is no object": altered(entries=[1]),
    "too many entries": altered(entries=[{}] * 2001),
    "a long text": of_line(measures="x" * 401),
    "too large": " " * (LARGEST + 1),
    "a negative count": of_line(num_runs=-1),
    "suites of numbers": altered(suites=[1]),
    "spent in words": altered(spent={"calls": "many"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_card_is_refused_in_one_sentence(name: str, tmp_path) -> None:
    write(tmp_path / "card.json", HOSTILE[name])
    with pytest.raises(BadInput, match="card") as wrong:
        read_card(tmp_path / "card.json")
    assert len(str(wrong.value)) < 500


def test_texts_of_a_card_are_no_markup() -> None:
    evil = Card(
        **{**vars(card(EVIL, EVIL)), "findings": [Finding(EVIL, EVIL, EVIL)], "left_out": {EVIL: EVIL}, "ended": EVIL}
    )
    for page in (markdown(evil), leaderboard([evil])):
        assert "<script" not in page
        assert "](" not in re.sub(r"`[^`]*`", "", page)  # between backquotes it is no link
        assert "\x1b" not in page
        assert [line for line in page.splitlines() if line.startswith("# ")] == [page.splitlines()[0]]


def test_the_leaderboard_puts_the_best_first_and_says_dash_where_nothing_is_known(tmp_path, capsys) -> None:
    for name, share in (("worst", 0.1), ("best", 0.9), ("unknown", None)):
        write(tmp_path / f"{name}.json", card(name, share=share).as_json())
    assert main(["bench", "--leaderboard", str(tmp_path), "--page", str(tmp_path / "page.md")]) == 0
    rows = [line for line in (tmp_path / "page.md").read_text("utf-8").splitlines() if "seed 0" in line]
    assert [row.split("`")[1] for row in rows] == ["best", "worst", "unknown"]
    assert "| - |" in rows[2]


def test_the_page_of_our_own_cards_is_made_from_them() -> None:
    cards = [read_card(path) for path in sorted(OURS.glob("*.json"))]
    assert len(cards) >= 4
    assert (OURS / "index.md").read_text("utf-8") == leaderboard(cards)
    for one in cards:
        if one.planner in ("exact", "random"):
            assert {found.fault for found in one.findings} <= ({"forgets"} if one.planner == "random" else set())


def test_from_the_command_line(tmp_path, capsys) -> None:
    common = ["bench", "random", "--suite", "reliability", "--runs", "2", "--episodes", "4", "--batches", "1"]
    out = ["--out", str(tmp_path / "card"), "--json"]
    assert main([*common, *out, "--dry-run"]) == 0
    assert not (tmp_path / "card" / "runs").exists()
    capsys.readouterr()
    assert main([*common, *out]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == json.loads((tmp_path / "card" / "card.json").read_text("utf-8"))
    assert answer["format"] == "parley-card/1"
    assert main(["bench", "--show", str(tmp_path / "card")]) == 0
    assert "invalid/" in capsys.readouterr().out
    for wrong in (
        ["bench"],
        ["bench", "random"],
        ["bench", "--show", str(tmp_path)],
        [*common[:2], "--suite", "x", *out],
        ["bench", "nobody", *out],
    ):
        assert main(wrong) == 2


def test_where_nothing_can_be_measured_the_command_fails_and_says_why(tmp_path, capsys) -> None:
    command = ["bench", "transformer", "--suite", "reliability", "--out", str(tmp_path / "card"), "--json"]
    assert main(command) == 2
    answer = json.loads(capsys.readouterr().out)
    assert "no entry could be measured" in answer["error"]
    assert "checkpoint" in answer["error"]
    assert answer["left_out"]
