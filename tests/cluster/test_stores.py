"""Runs in an object store: the tables of one process, taken up from what was put up last, never half of a log."""

import json
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

import parley
from parley.cli import main
from parley.cluster import shelf
from parley.cluster.addressed import brought
from parley.cluster.driver import Options, resume_on, run_on
from parley.cluster.stores import Store
from parley.core.errors import BadInput, MissingExtra, ParleyError, RunDamaged
from parley.execute import RunConfig, resume, run
from parley.runs.directory import read_manifest
from parley.runs.merging import merge
from parley.runs.shards import connect
from tests.bucket import Bucket
from tests.cluster.serial import Serial, all_of
from tests.cluster.test_units import Stops

pytest.importorskip("obstore", reason="obstore is not installed: the extra objects")
CONFIG = RunConfig("household", "exact", "epsilon-greedy:epsilon=0.2", 6, 6, 3, cohort=2)
ASKED = ["--world", "household", "--episodes", "4", "--runs", "6", "--cohort", "2", "--seed", "3"]


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    (tmp_path / "local").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "local"))
    with Bucket() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        yield store


def lose_this_machine(tmp_path) -> None:
    """What was written locally is gone."""
    for folder in (tmp_path / "local").iterdir():
        shutil.rmtree(folder)


def test_shards_in_a_store_are_one_run_to_every_reader(tmp_path, bucket):
    out = Path("s3://runs/many")
    run(CONFIG, tmp_path / "one")
    with pytest.raises(KeyboardInterrupt):
        run_on(Stops(1), CONFIG, out)
    lose_this_machine(tmp_path)
    done = []
    resume_on(Serial(seed=1), out, Options(progress=done.append))
    assert len(done) == 2, "the unit that had finished is not carried out again"
    assert not list((tmp_path / "local").rglob("run.sqlite")), "what is finished and put up is not kept here"
    assert all_of(brought(out), connect) == all_of(tmp_path / "one")
    order = [("run", "ascending"), ("episode", "ascending")]
    here, there = (parley.open(at).frame().drop("wall_s").sort_by(order) for at in (tmp_path / "one", "s3://runs/many"))
    assert repr(there.to_pylist()) == repr(here.to_pylist())  # NaN is NaN
    merge(brought(out), tmp_path / "merged")
    assert all_of(tmp_path / "merged") == all_of(tmp_path / "one")
    assert resume_on(Serial(), out)["status"] == "finished"


def test_commands_take_addresses(tmp_path, bucket, monkeypatch, capsys):
    def answer(*command: str) -> dict:
        assert main([*command, "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    monkeypatch.setattr("parley.cli.running.engine_of", lambda on: Serial())
    here = answer("run", *ASKED, "--out", str(tmp_path / "here"))
    assert answer("run", *ASKED, "--out", "s3://runs/one") == {**here, "out": "s3://runs/one"}
    assert answer("run", *ASKED, "--out", "s3://runs/many", "--on", "ray") == {**here, "out": "s3://runs/many"}
    shown = answer("show", "s3://runs/one", "s3://runs/many")
    assert [row["regret"] for row in shown] == [here["regret"]] * 2
    assert answer("resume", "s3://runs/one")["regret"] == here["regret"]
    assert answer("merge", "s3://runs/many", "--out", str(tmp_path / "merged"))["status"] == "finished"
    answer("report", "s3://runs/many", "--out", str(tmp_path / "page.html"))
    for command, said in (
        (["run", *ASKED, "--out", "s3://runs/one"], "is not empty"),
        (["merge", "s3://runs/many"], "name one with --out"),
        (["show", "s3://runs/nothing"], "s3://runs/nothing: there is no run directory"),
        (["export", "s3://runs/one", "--parquet", "s3://runs/tables"], "s3: names an object store"),
        (["show", "nonsense://runs/one"], "fsspec knows no such address"),
    ):
        assert main(command) == 2 and said in capsys.readouterr().err


def test_a_run_of_one_process_is_taken_up_on_another_machine(tmp_path, bucket, monkeypatch):
    monkeypatch.setattr(shelf, "PUBLISH_S", 0.02)
    out, heard, there = Path("s3://runs/one"), [], Store("s3://runs/one")
    config = replace(CONFIG, cohort=6)
    run(config, tmp_path / "one")

    def lost(record, runs):
        heard.append(record)
        while len(heard) == 2 and not there.bring(tmp_path / "copy"):
            pass
        if len(heard) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), shelf.placed(out) as local:
        run(config, local, lost)
    assert read_manifest(tmp_path / "copy")["status"] == "started", "it is put up while it goes on"
    lose_this_machine(tmp_path)
    assert parley.open("s3://runs/one").status == "interrupted"
    with shelf.placed(out) as local:
        resume(local)
    assert all_of(parley.open("s3://runs/one").out) == all_of(tmp_path / "one")
    logs = [key for key in bucket.objects if "log-" in key]
    assert 1 <= len(logs) <= 2, "what nobody can be reading any more is removed"


def test_half_of_a_log_is_never_read(tmp_path, bucket):
    store = Store("s3://runs/r")
    run(CONFIG, store.local)
    bucket.fault = lambda method, key: method == "PUT" and "log-" in key
    with pytest.raises(ParleyError, match="s3://runs/r cannot be read or written: .*not today"):
        store.put()
    assert not bucket.objects
    bucket.fault = lambda method, key: method == "PUT" and key.endswith("current.json")
    with pytest.raises(ParleyError, match="cannot be read or written"):
        store.put()
    with pytest.raises(BadInput, match="there is no run directory"):
        brought(Path("s3://runs/r"))  # a log is there, and nothing names it
    bucket.fault = lambda method, key: False
    store.put()
    (log,) = [key for key in bucket.objects if json.loads(bucket.objects["runs/r/current.json"])["log"]["name"] in key]
    content, bucket.objects[log] = bucket.objects[log], bucket.objects[log][:-1]
    with pytest.raises(RunDamaged, match="its SHA-256 differs"):
        brought(Path("s3://runs/r"))
    bucket.objects[log] = content
    assert all_of(brought(Path("s3://runs/r"))) == all_of(store.local)
    for wrong in (b"{", b'{"log": {"name": "../log-1", "commits": 1, "sha256": ""}, "manifest": {}}', b"[]"):
        bucket.objects["runs/r/current.json"] = wrong
        with pytest.raises(RunDamaged, match=r"current\.json is damaged"):
            store.bring(tmp_path / "copy")


def test_a_unit_that_was_thought_dead_takes_nothing_back(tmp_path, bucket):
    late, ahead = Store("s3://runs/r"), Store("s3://runs/r")
    ahead.local = tmp_path / "ahead" / "r"
    with pytest.raises(KeyboardInterrupt):
        run(CONFIG, late.local, stop)
    late.put()
    ahead.take_up()
    assert resume(ahead.local)["status"] == "finished"
    ahead.put()
    there = dict(bucket.objects)
    late.put()
    assert bucket.objects == there
    late.take_up()
    assert all_of(late.local) == all_of(ahead.local)


def stop(record, runs):
    if record.episode == 3:
        raise KeyboardInterrupt


def test_without_the_extra_a_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "obstore.fsspec", None)
    with pytest.raises(MissingExtra, match="s3://runs/r needs the extra 'objects'"):
        Store("s3://runs/r")
