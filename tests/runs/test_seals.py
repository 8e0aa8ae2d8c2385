"""What was committed is what is read: altered cells, lost rows and strange values are one sentence."""

import random
import shutil
import sqlite3

import pytest

import parley
from parley.cli import main
from parley.core.errors import RunDamaged
from parley.execute import RunConfig, resume, run
from parley.runs.seals import digest

CONFIG = RunConfig("shortcut", "exact", "epsilon-greedy:epsilon=0.3", episodes=10, runs=3, seed=1, record="steps")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that was stopped after its ninth episode."""
    out, episodes = tmp_path_factory.mktemp("runs") / "run", []

    def stop(record, runs):
        episodes.append(record)
        if len(episodes) == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(CONFIG, out, stop)
    db = sqlite3.connect(out / "run.sqlite")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return out


def altered(stopped, folder, *statements):
    out = folder / "run"
    shutil.copytree(stopped, out)
    db = sqlite3.connect(out / "run.sqlite")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    return out


@pytest.mark.parametrize(
    "statement, said",
    [
        (
            "UPDATE steps SET reward = 0.5 WHERE run = 1 AND episode = 3 AND step = 2",
            "episode 3, step 2: the log was alter",
        ),
        (
            "UPDATE steps SET observation = 'elsewhere' WHERE run = 0 AND episode = 0 AND step = 1",
            "its checksum is ano",
        ),
        (
            "UPDATE steps SET explored = 1 - explored WHERE run = 2 AND episode = 5 AND step = 3",
            "its checksum is another",
        ),
        ("DELETE FROM steps WHERE run = 1 AND episode = 4 AND step = 2", "holds 2 rows of 3 that were written"),
        ("DELETE FROM steps WHERE episode = 4 AND step = 2", "episode 4"),
        ('UPDATE menus SET subgoals = \'["a", "b"]\'', "which is not its own: it was altered"),
    ],
)
def test_an_alteration_is_noticed_on_resuming(statement, said, stopped, tmp_path):
    with pytest.raises(RunDamaged, match=said):
        resume(altered(stopped, tmp_path, statement))


def test_an_untouched_copy_goes_on(stopped, tmp_path):
    out = altered(stopped, tmp_path)
    assert resume(out)["status"] == "finished"


def test_a_log_of_the_version_before_has_no_seals_and_goes_on(stopped, tmp_path):
    out = altered(stopped, tmp_path, "DROP TABLE seals", "DROP TABLE commits")
    (out / "run.mark").unlink()
    manifest = out / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"memory": null', '"threads": 1').replace('"signature"', '"was"'))
    text = manifest.read_text()
    first, second = text.index('"threads": 1'), text.rindex('"threads": 1')
    manifest.write_text(text[:first] + text[second:] if first != second else text)
    assert resume(out)["status"] == "finished"


def test_the_checksum_is_one_of_what_is_read_back(tmp_path):
    rows = [(0, 1, None, "you — see", 0.1 + 0.2, "[0.3]"), (1, 1, None, "\ud800", 1e-300, "x")]
    db = sqlite3.connect(tmp_path / "x.sqlite")
    db.execute("CREATE TABLE t(a INTEGER, b INTEGER, c TEXT, d TEXT, e REAL, f TEXT)")
    db.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows[0])
    assert digest(db.execute("SELECT * FROM t").fetchall()) == digest(rows[:1])
    assert digest(rows) != digest(rows[::-1]) and len(digest(rows)) == 16
    db.close()


STRANGE = (
    "NULL", "'text'", "''", "-1", "3.5", "1e400", "-1e400", "9007199254740993", "X'00ff'", "zeroblob(100000)",
    "'[1, 2'", "'[NaN]'", "'{\"a\": 1}'", "'[\"a\", [1]]'", "'[[[[]]]]'", "'null'", "CAST(X'c328' AS TEXT)",
    "CAST(X'eda080' AS TEXT)", "'12'", "'" + "[" * 3000 + "'",
)  # fmt: skip
COLUMNS = {
    "steps": "run episode step observation subgoal explored proposal proposal_source answers law menu "
    "next_observation reward",
    "episodes": "run episode instruction explored return optimal_value regret expected_regret wall_s",
    "menus": "menu subgoals",
    "seals": "first_run episode step rows digest",
}


def attempts(seed: int, count: int):
    """So many alterations, drawn: a table, a column, a value, one row or all."""
    rng = random.Random(seed)
    for _ in range(count):
        table = rng.choice(list(COLUMNS))
        column = rng.choice(COLUMNS[table].split())
        where = "" if rng.random() < 0.3 else f" WHERE rowid = {rng.randrange(1, 90)}"
        yield f'UPDATE {table} SET "{column}" = {rng.choice(STRANGE)}{where}'


@pytest.mark.parametrize(
    "statement", [*attempts(1, 30), *(pytest.param(one, marks=pytest.mark.slow) for one in attempts(2, 60))]
)
def test_no_cell_brings_a_traceback(statement, stopped, tmp_path, capsys):
    out = altered(stopped, tmp_path, statement)
    commands = (
        ["show", out], ["show", out, "--episode", "0"], ["diagnose", out], ["diagnose", out, "--without-tables"],
        ["prompt", out, "--episode", "1", "--step", "1", "--template", "chat"], ["resume", out],
    )  # fmt: skip
    for command in commands:
        code = main([str(part) for part in command])
        said = capsys.readouterr()
        assert code in (0, 1, 2) and "Traceback" not in said.err, (command, statement)
        assert "nan" not in said.out.lower(), (command, statement)
    for table in ("episodes", "steps", "calls"):
        try:
            parley.open(out).frame(table)
        except parley.ParleyError as wrong:
            assert "\n" not in str(wrong)


@pytest.mark.parametrize("counted", ["1e308", "-1", "4611686018427387904", "'many'", "x'ff'", "0.5", "NULL"])
def test_a_count_of_commits_that_no_run_writes(counted, stopped, tmp_path):
    out = altered(stopped, tmp_path, f"UPDATE commits SET n = {counted}")
    with pytest.raises(RunDamaged, match="it counts"):
        resume(out)
