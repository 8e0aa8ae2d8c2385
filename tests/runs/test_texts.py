"""Prompts are kept as what they add to the one before, and read whole."""

import json
import random
import sqlite3

import pytest

from parley.core.errors import RunDamaged
from parley.execute import run
from parley.runs.reader import RunReader
from parley.runs.texts import LONGEST, PIECE, TEXT, Reader, Texts, common
from tests.talker import Talker, config, rows

SCHEMA = "CREATE TABLE texts(hash TEXT PRIMARY KEY, text TEXT);"
SCHEMA += "CREATE TABLE pieces(hash TEXT PRIMARY KEY, base TEXT, kept INTEGER, text TEXT);"


def stored(prompts) -> tuple[sqlite3.Connection, list[str]]:
    """A log that holds (run, prompt) in order, and their hashes."""
    db, made, keys = sqlite3.connect(":memory:"), Texts(), []
    db.executescript(SCHEMA)
    for number, prompt in prompts:
        key, statements = made.kept(number, prompt)
        keys.append(key)
        for sql, row in statements:
            assert sql in (TEXT, PIECE)
            db.execute(sql, row)
    return db, keys


def test_every_prompt_is_read_as_it_was():
    rng, prompts, now = random.Random(0), [], {}
    for _ in range(600):
        number = rng.randrange(3)
        text = now.get(number, "")
        if rng.random() < 0.05:  # cut, as a budget does
            text = text[: rng.randrange(len(text) + 1)] if rng.random() < 0.5 else text[len(text) // 2 :]
        now[number] = text + "".join(rng.choices("aé🚪\n ", k=rng.randrange(200)))
        prompts.append((number, now[number]))
    db, keys = stored(prompts)
    for (_, prompt), key in zip(prompts, keys, strict=True):
        assert Reader(db).read(key) == prompt
    assert Reader(db).read("none") is None
    kept = db.execute(
        "SELECT (SELECT sum(length(text)) FROM texts) + (SELECT sum(length(text)) FROM pieces)"
    ).fetchone()
    assert kept[0] < sum(len(prompt) for _, prompt in prompts) / 10


def test_chains_end():
    db, keys = stored([(0, "x" * 300 * i) for i in range(1, 300)])
    whole = db.execute("SELECT count(*) FROM texts").fetchone()[0]
    assert 299 // (LONGEST + 1) <= whole <= 299 // LONGEST + 2
    assert len(Reader(db).read(keys[-1])) == 300 * 299


def test_a_lost_beginning_is_said():
    db, keys = stored([(0, "x" * 1000), (0, "x" * 1000 + "y")])
    db.execute("DELETE FROM texts")
    with pytest.raises(RunDamaged, match="the beginning of a prompt is missing"):
        Reader(db).read(keys[1])


def test_pieces_that_go_round_end():
    db, _ = stored([])
    db.executemany(PIECE, [("a", "b", 3, "x"), ("b", "a", 3, "y")])
    with pytest.raises(RunDamaged):
        Reader(db).read("a")


def test_logs_of_versions_before_have_no_pieces():
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE texts(hash TEXT PRIMARY KEY, text TEXT)")
    db.execute("INSERT INTO texts VALUES ('a', 'whole')")
    assert Reader(db).read("a") == "whole" and Reader(db).read("b") is None


@pytest.mark.parametrize(
    ("a", "b", "shared"), [("", "x", 0), ("x", "x", 1), ("abc", "abd", 2), ("ab", "abc", 2), ("x", "y", 0)]
)
def test_what_texts_have_in_common(a, b, shared):
    assert common(a, b) == common(b, a) == shared


def test_a_log_of_a_run_is_small_and_shows_every_prompt_as_it_was_sent(tmp_path):
    with Talker({"chat"}) as talker:
        run(config(talker, "parse", runs=2, episodes=30), tmp_path / "run")
        sent = {json.dumps(body["messages"], ensure_ascii=False) for body in talker.asked()}
    places = rows(tmp_path / "run", "SELECT DISTINCT run, episode, step FROM calls WHERE purpose LIKE 'propose%'")
    reader = RunReader(tmp_path / "run")
    shown = [reader.prompt(*place) for place in places]
    joined = "SELECT DISTINCT text FROM calls JOIN prompts ON hash = prompt WHERE purpose LIKE 'propose%'"
    assert {text for (text,) in rows(tmp_path / "run", joined)} == sent
    reader.close()
    assert len(places) == 180 and set(shown) == sent
    kept = rows(tmp_path / "run", "SELECT sum(length(text)) FROM pieces")[0][0]
    kept += rows(tmp_path / "run", "SELECT sum(length(text)) FROM texts")[0][0]
    assert kept < sum(map(len, sent)) / 8
