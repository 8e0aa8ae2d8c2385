"""Reading a log in place: nothing is left behind, crafted files are refused in time, an index is not needed."""

import hashlib
import sqlite3
import time

import numpy as np
import pytest

from parley.core.errors import BadInput, RunDamaged
from parley.execute import RunConfig, run
from parley.report.summary import Curves
from parley.runs.directory import read_manifest
from parley.runs.reader import RunReader
from parley.runs.untouched import connect
from parley.view.episode import episode_of
from parley.view.found import Found
from parley.view.grid import Grid
from parley.view.log import MARKS, opened
from parley.view.rows import Runs


def state(out):
    """Names, contents and times of all files."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {str(p): (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest()) for p in files}


def looked_at(out):
    """Everything that reads a run directory."""
    manifest = read_manifest(out)
    grid = Grid(manifest)
    grid.fill(out)
    grid.curves(out).summary()
    return grid, episode_of(out, manifest, 1, 3)


@pytest.mark.parametrize("left", ["closed", "wal and shared memory", "wal alone", "empty wal"])
def test_nothing_is_left_behind(left, tmp_path):
    """A plain read-only connection would make files of its own in a directory that is in WAL mode."""
    out = tmp_path / "r"
    run(RunConfig("shortcut", "exact", "none", episodes=8, runs=4, seed=1), out)
    db = sqlite3.connect(out / "run.sqlite")
    if left != "closed":
        db.execute("UPDATE episodes SET wall_s = 7.0")
        db.commit()
        copied = {p.name: p.read_bytes() for p in out.iterdir() if left != "wal alone" or not p.name.endswith("-shm")}
        if left == "empty wal":
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            copied = {p.name: p.read_bytes() for p in out.iterdir()}
        out = tmp_path / "copy"  # as a kill would have left it
        out.mkdir()
        for name, content in copied.items():
            (out / name).write_bytes(content)
    before = state(out)
    _, episode = looked_at(out)
    assert episode["complete"] and (left == "closed" or episode["wall_s"] == 7.0)
    assert state(out) == before
    db.close()


def test_a_live_log_is_read_while_it_is_written(tmp_path):
    """Each new connection sees what was committed, and the writer is not disturbed."""
    path = tmp_path / "run.sqlite"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE t(a)")
    for i in range(50):
        writer.execute("INSERT INTO t VALUES (?)", (i,))
        reader = connect(path)
        assert reader.execute("SELECT COUNT(*) FROM t").fetchone()[0] == i + 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM t")
        reader.close()
    writer.close()


def test_the_grid_is_what_the_report_reads(tmp_path):
    run(RunConfig("household", "exact", "epsilon-greedy:epsilon=0.3", episodes=30, runs=7, cohort=3), tmp_path)
    grid, _ = looked_at(tmp_path)
    found, expected = grid.curves(tmp_path), Curves.read(tmp_path)
    assert found.measure == expected.measure and found.label == expected.label
    for name in ("values", "returns", "explored"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert grid.finished == 210 and not grid.fill(tmp_path)


def test_the_grid_reads_what_is_added_and_begins_again_where_rows_were_taken_back(tmp_path):
    run(RunConfig("shortcut", "exact", "none", episodes=6, runs=3, record="episodes"), tmp_path)
    grid, db = Grid(read_manifest(tmp_path)), sqlite3.connect(tmp_path / "run.sqlite")
    rows = db.execute("SELECT * FROM episodes ORDER BY rowid").fetchall()
    marks = ", ".join("?" * len(rows[0]))

    def put(*some):
        db.executemany(f"INSERT INTO episodes VALUES ({marks})", some)
        db.commit()
        return grid.fill(tmp_path)

    db.execute("DELETE FROM episodes")
    db.commit()
    assert not grid.fill(tmp_path) and grid.finished == 0
    assert put(*rows[:9]) and grid.finished == 9
    assert put(*rows[9:12]) and grid.finished == 12 and grid.rows_and_width()[1] == 4
    db.execute("DELETE FROM episodes WHERE episode >= 2")  # as from a snapshot; the same row numbers are given again
    db.commit()
    names = [row[1] for row in db.execute("PRAGMA table_info(episodes)")]
    differ = {names.index("return"): -1.0, names.index("wall_s"): 99.0}
    other = [tuple(differ.get(i, value) for i, value in enumerate(row)) for row in rows[6:12]]
    assert put(*other) and grid.finished == 12
    assert (grid.of("return", np.arange(3), 4)[:, 2:] == -1).all()
    db.close()


@pytest.mark.parametrize("cohort", [2, 8])
def test_episodes_are_found_without_an_index(cohort, tmp_path):
    """A run that goes on has none: the rows of an episode are found by looking at some."""
    run(RunConfig("shortcut", "exact", "none", episodes=300, runs=8, seed=2, cohort=cohort, record="steps"), tmp_path)
    db = sqlite3.connect(tmp_path / "run.sqlite")
    db.execute("DROP INDEX steps_key")
    db.execute("DROP INDEX episodes_key")
    assert db.execute("SELECT COUNT(*) FROM steps").fetchone()[0] > MARKS
    db.close()
    reader = RunReader(tmp_path)
    manifest = read_manifest(tmp_path)
    for of_run, episode in ((0, 0), (3, 1), (5, 150), (7, 299), (2, 298)):
        shown, logged = episode_of(tmp_path, manifest, of_run, episode), reader.trace(of_run, episode)
        assert [s["observation"] for s in shown["steps"]] == [s["observation"] for s in logged]
        assert [s["subgoal"] for s in shown["steps"]] == [[s["subgoal"]] for s in logged]
        assert shown["return"] == pytest.approx(sum(s["reward"] for s in logged))
        with opened(tmp_path) as log:
            first, last = log._between("steps", of_run, episode, cohort)
            assert first is not None and last - first < log.last("steps") / 10
    reader.close()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) "


@pytest.mark.parametrize(
    "crafted, said",
    [
        (["DROP TABLE episodes", f"CREATE VIEW episodes AS {ENDLESS} SELECT i AS run FROM n"], "no plain table"),
        (["DROP TABLE episodes"], "no table of episodes"),
        (["UPDATE episodes SET run = 1000000000000 WHERE rowid = 3"], "does not know"),
        (["UPDATE episodes SET run = -1 WHERE rowid = 3"], "does not know"),
        (["UPDATE episodes SET episode = 4611686018427387904 WHERE rowid = 3"], "more than the viewer holds"),
        (["UPDATE episodes SET run = 'first' WHERE rowid = 3"], "does not agree"),
        (["UPDATE episodes SET \"return\" = x'00ff'"], "does not agree"),
        (["UPDATE episodes SET \"return\" = '<script>'"], "does not agree"),
        (["ALTER TABLE episodes RENAME TO other"], "no table of episodes"),
    ],
)
def test_crafted_logs_are_refused_in_one_sentence(crafted, said, tmp_path):
    run(RunConfig("shortcut", "exact", episodes=4, runs=4), tmp_path)
    db = sqlite3.connect(tmp_path / "run.sqlite")
    for statement in crafted:
        db.execute(statement)
    db.commit()
    db.close()
    began = time.process_time()
    with pytest.raises(RunDamaged, match=said):
        looked_at(tmp_path)
    assert time.process_time() - began < 10


def test_a_query_ends_in_time(tmp_path):
    run(RunConfig("shortcut", "exact", episodes=1, runs=1), tmp_path)
    with pytest.raises(RunDamaged, match=r"more than 0\.2 s"), opened(tmp_path, seconds=0.2) as log:
        log.db.execute(ENDLESS + "SELECT MAX(i) FROM n").fetchone()


def test_a_busy_machine_is_no_fault_of_the_log(tmp_path):
    """What counts is the processor time of a query, not how long others keep it waiting."""
    sqlite3.connect(tmp_path / "run.sqlite").close()
    (tmp_path / "run.sqlite").touch()
    counting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT MAX(i) FROM n"
    with opened(tmp_path, seconds=1.0) as log:
        time.sleep(1.1)
        assert log.db.execute(counting).fetchone() == (100_000,)


@pytest.mark.parametrize("name", ["manifest.json", "run.sqlite", "run.sqlite-wal", "run.sqlite-shm"])
def test_links_out_of_the_run_directory_are_not_read(name, tmp_path):
    """The table of runs says so in a sentence; what reads a log refuses it, whoever read the manifest before."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    run(RunConfig("shortcut", "exact", episodes=4, runs=4), root / "r")
    manifest = read_manifest(root / "r")
    found = Found(root)
    found.look()
    if (root / "r" / name).exists():
        (root / "r" / name).rename(elsewhere)
    (root / "r" / name).symlink_to(elsewhere)
    row = Runs(found).row("r")
    assert row["status"] == "damaged" and "no plain file but a link" in row["error"]
    for read in (lambda: looked_at(root / "r"), lambda: episode_of(root / "r", manifest, 1, 3)):
        with pytest.raises(BadInput, match="no plain file but a link"):
            read()
