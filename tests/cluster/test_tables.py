"""Runs as tables of other programs: Parquet files, and what DuckDB finds in them and in frames."""

import json
from dataclasses import replace

import pytest

import parley
from parley.cli import main
from parley.cluster.driver import run_on
from parley.execute import RunConfig, run
from tests.cluster.serial import Serial

CONFIG = RunConfig("household", "exact", "epsilon-greedy:epsilon=0.2", 4, 6, 3, cohort=2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One run in one process, one in shards, both of the same numbers, and one of another seed."""
    folder = tmp_path_factory.mktemp("runs")
    run(CONFIG, folder / "one")
    run_on(Serial(seed=1), CONFIG, folder / "many")
    run(replace(CONFIG, seed=4), folder / "other")
    return folder


def test_files_hold_what_frames_hold(runs, tmp_path, capsys):
    assert main(["export", str(runs / "*"), "--parquet", str(tmp_path / "p"), "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["rows"]
    assert counts == {"episodes": 72, "steps": 288, "calls": 0, "cuts": 0}
    parquet = pytest.importorskip("pyarrow.parquet")
    several = parley.open(runs / "*")
    for table in counts:
        assert parquet.read_table(tmp_path / "p" / f"{table}.parquet").equals(several.frame(table))
    assert main(["export", str(runs / "one"), "--parquet", str(tmp_path / "p")]) == 2
    assert "is there already" in capsys.readouterr().err
    main(["export", str(runs / "many"), "--parquet", str(tmp_path / "q"), "--table", "episodes"])
    assert [path.name for path in (tmp_path / "q").iterdir()] == ["episodes.parquet"]
    assert "source" not in parquet.read_table(tmp_path / "q" / "episodes.parquet").column_names


def test_duckdb_reads_frames_and_files(runs, tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed: it is in the group dev")
    mean = "avg(expected_regret), count(*), count(DISTINCT run)"
    frame = parley.open(runs / "*").frame()
    query = f"SELECT source, {mean} FROM frame GROUP BY 1 ORDER BY 1"
    by_source = duckdb.from_arrow(frame).query("frame", query).fetchall()
    assert [row[2:] for row in by_source] == [(24, 6)] * 3
    assert by_source[0][1] == pytest.approx(by_source[1][1], abs=1e-12) and by_source[1][1] != by_source[2][1]
    main(["export", str(runs / "*"), "--parquet", str(tmp_path / "p")])
    file = str(tmp_path / "p" / "episodes.parquet")
    assert duckdb.sql(f"SELECT source, {mean} FROM '{file}' GROUP BY 1 ORDER BY 1").fetchall() == by_source
    menus = duckdb.sql(f"SELECT DISTINCT len(menu[1]) FROM '{tmp_path / 'p' / 'steps.parquet'}'").fetchall()
    assert menus == [(6,)]


def test_a_file_that_is_not_finished_is_not_there(runs, tmp_path, capsys):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "manifest.json").write_text((runs / "one" / "manifest.json").read_text())
    (damaged / "run.sqlite").write_bytes(b"no database" * 100)
    both = [str(runs / "one"), str(damaged)]
    assert main(["export", *both, "--parquet", str(tmp_path / "p"), "--table", "episodes"]) == 2
    assert "run.sqlite" in capsys.readouterr().err and not list((tmp_path / "p").iterdir())
