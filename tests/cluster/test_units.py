"""Runs in shards: the same bits as in one process, whatever the order of the units, and however often they die."""

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import parley
from parley.cli import main
from parley.cluster import shelf
from parley.cluster.driver import Options, resume_on, run_on
from parley.cluster.engines import Lost
from parley.core.errors import BadInput, RunDamaged
from parley.execute import RunConfig, resume, run
from parley.report.summary import Curves, readable_manifest
from parley.runs.directory import read_manifest
from parley.runs.lock import RunLock
from parley.runs.merging import merge
from parley.runs.reader import RunReader
from parley.runs.shards import connect
from parley.view.grid import Grid
from parley.view.states import changed_at
from tests.cluster.serial import Serial, all_of
from tests.talker import Talker, config

EXPLORE = "epsilon-greedy:epsilon=0.2"
RUNS = {
    "exact": RunConfig("household", "exact", EXPLORE, 6, 10, 3, cohort=4),
    "transformer": RunConfig("shortcut", "transformer", EXPLORE, 6, 5, 3, cohort=2),
    "physical": RunConfig("household:low_level=true", "exact", EXPLORE, 3, 5, 3, cohort=2),
    "actors": RunConfig("random:actors=2", "posterior-sampling", "none", 4, 5, 1, cohort=2),
    "episodes": RunConfig("shortcut", "exact", "adaptive", 30, 6, 1, cohort=2, record="episodes"),
}


@pytest.mark.parametrize("name", RUNS)
def test_shards_are_one_run_bit_for_bit(tmp_path, name):
    one, many = tmp_path / "one", tmp_path / "many"
    run(RUNS[name], one)
    done = []
    manifest = run_on(Serial(seed=1), RUNS[name], many, Options(progress=done.append))
    assert manifest["status"] == "finished" and done[-1] == RUNS[name].runs * RUNS[name].episodes
    assert not (many / "run.sqlite").exists()
    assert all_of(many, connect) == all_of(one)
    assert Curves.read(many).summary() == Curves.read(one).summary()
    merge(many, tmp_path / "merged")
    merge(many)
    assert all_of(many) == all_of(one) == all_of(tmp_path / "merged")
    assert {path.name for path in many.iterdir()} == {"manifest.json", "run.sqlite", "run.mark"}
    resume(many)  # it has finished


def test_every_reader_sees_shards_as_one_run(tmp_path):
    one, many = tmp_path / "one", tmp_path / "many"
    longer = replace(RUNS["exact"], episodes=9)
    run(longer, one)
    run_on(Serial(seed=2), longer, many)
    keys = [("run", "ascending"), ("episode", "ascending")]
    frames = [parley.open(out).frame("episodes").drop(["wall_s"]).sort_by(keys) for out in (one, many)]
    assert frames[0].equals(frames[1])
    steps = [parley.open(out).frame("steps").sort_by([*keys, ("step", "ascending")]) for out in (one, many)]
    assert steps[0].equals(steps[1]) and steps[0].num_rows == 360
    assert str(parley.open(one).episode(7, 3)) == str(parley.open(many).episode(7, 3))
    assert parley.open(one).diagnose().signature == parley.open(many).diagnose().signature
    (tmp_path / "elsewhere").mkdir()
    assert parley.open(tmp_path / "*").paths == (many, one)  # and not each shard once more
    assert len(parley.open(tmp_path / "**")) == 2
    assert parley.open(many / "shards" / "*").frame("episodes").num_rows == 90


def test_pages_and_the_viewer_read_shards(tmp_path, capsys):
    many = tmp_path / "many"
    run_on(Serial(seed=2), RUNS["exact"], many)
    grid = Grid(readable_manifest(many))
    assert grid.fill(many) and grid.finished == 60
    before, shards = changed_at(many), sorted(path.name for path in many.rglob("*"))
    assert not grid.fill(many), "nothing has changed"
    assert main(["report", str(many), "--out", str(tmp_path / "page.html")]) == 0
    assert main(["show", str(many), "--episode", "3", "--of-run", "7", "--json"]) == 0
    assert '"step": 4' in capsys.readouterr().out
    assert sorted(path.name for path in many.rglob("*")) == shards and changed_at(many) == before > 0


def test_a_reader_sees_what_shards_have_committed_meanwhile(tmp_path):
    class Watched(Serial):
        def carry_out(self, *arguments):
            for one in super().carry_out(*arguments):
                with closing(RunReader(tmp_path / "many")) as reader:
                    seen.append(len(reader.runs()))
                yield one

    seen: list[int] = []
    run_on(Watched(seed=3), RUNS["exact"], tmp_path / "many")
    assert sorted(seen) == seen and seen[-1] == 10 and len(seen) == 3


SCRIPT = """
import json, sys, time
import parley.cluster.units as units
from parley.runs.recorder import CohortRecorder
whole = CohortRecorder.episode
def slowly(self, *arguments):
    whole(self, *arguments)
    print("episode", flush=True)
    time.sleep(0.01)
CohortRecorder.episode = slowly
print(json.dumps(units.carry_out_unit(*json.loads(sys.argv[1]))), flush=True)
"""


def test_a_unit_that_is_killed_is_taken_up_where_its_log_ends(tmp_path):
    one, many, rng = tmp_path / "one", tmp_path / "many", random.Random(0)
    run(RUNS["exact"], one)

    class Killed(Serial):
        def carry_out(self, function, tasks, cpus, account=None):
            for task in tasks:
                about = json.dumps([task["out"], task["number"], task["place"]])
                process = subprocess.Popen([sys.executable, "-c", SCRIPT, about], stdout=subprocess.PIPE, text=True)
                for _ in range(rng.randint(1, 4)):
                    assert process.stdout.readline() == "episode\n"
                process.send_signal(signal.SIGKILL)
                process.communicate()
                assert process.returncode == -signal.SIGKILL
            yield from super().carry_out(function, tasks, cpus)

    assert run_on(Killed(), RUNS["exact"], many)["status"] == "finished"
    assert all_of(many, connect) == all_of(one)


class Stops(Serial):
    """Ends after some units, as Ctrl-C, or a driver that dies, would end it."""

    def __init__(self, after: int) -> None:
        super().__init__(seed=4)
        self.after = after

    def carry_out(self, *arguments):
        for count, one in enumerate(super().carry_out(*arguments), 1):
            yield one
            if count == self.after:
                raise KeyboardInterrupt


def test_an_interrupted_run_goes_on_at_its_driver_or_merged_in_one_process(tmp_path):
    one, many = tmp_path / "one", tmp_path / "many"
    run(RUNS["exact"], one)
    with pytest.raises(KeyboardInterrupt):
        run_on(Stops(1), RUNS["exact"], many)
    assert read_manifest(many)["status"] == "interrupted"
    with pytest.raises(BadInput, match="is a run in shards"):
        resume(many)
    merge(many, tmp_path / "merged")
    resume(tmp_path / "merged")
    done = []
    resume_on(Serial(), many, Options(progress=done.append))
    assert len(done) == 2, "the unit that had finished is not carried out again"
    assert all_of(many, connect) == all_of(tmp_path / "merged") == all_of(one)


def test_a_cluster_that_is_gone_leaves_a_run_that_goes_on(tmp_path):
    class Gone(Serial):
        def carry_out(self, *arguments):
            yield next(super().carry_out(*arguments))
            raise Lost("the cluster is gone")

    with pytest.raises(Lost, match="the cluster is gone; what was finished is saved: `parley resume"):
        run_on(Gone(), RUNS["exact"], tmp_path / "r")
    assert read_manifest(tmp_path / "r")["status"] == "interrupted"
    assert resume_on(Serial(), tmp_path / "r")["status"] == "finished"
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        run_on(Serial(), RUNS["exact"], tmp_path / "file")


def test_what_goes_wrong_in_a_unit_is_said_with_its_shard(tmp_path, monkeypatch):
    run_config = RunConfig("household", "exact", "none", 4, 4, 0, cohort=2)
    with pytest.raises(KeyboardInterrupt):
        run_on(Stops(1), run_config, tmp_path / "r")
    shard = next(path for path in (tmp_path / "r" / "shards").iterdir())
    other = "000000002" if shard.name == "000000000" else "000000000"
    (shard.parent / other).mkdir()
    (shard.parent / other / "manifest.json").write_text("{")
    with pytest.raises(BadInput, match=f"shard {other}: .*cannot be read"):
        resume_on(Serial(), tmp_path / "r")
    assert read_manifest(tmp_path / "r")["status"] == "failed"


def test_shards_of_another_run_and_episodes_that_are_there_twice_are_refused(tmp_path):
    run_on(Serial(), RUNS["exact"], tmp_path / "a")
    run_on(Serial(), RUNS["transformer"], tmp_path / "b")
    shutil.copytree(tmp_path / "a" / "shards" / "000000000", tmp_path / "a" / "shards" / "000000001")
    with pytest.raises(RunDamaged, match="hold the same episode"):
        Curves.read(tmp_path / "a")
    shutil.rmtree(tmp_path / "a" / "shards" / "000000001")
    shutil.copytree(tmp_path / "b" / "shards" / "000000004", tmp_path / "a" / "shards" / "000000001")
    with pytest.raises(RunDamaged, match="is a shard of another run"):
        merge(tmp_path / "a")
    shutil.rmtree(tmp_path / "b" / "shards" / "000000004")
    with pytest.raises(RunDamaged, match="hold 24 episodes of 30"):
        merge(tmp_path / "b")


def test_one_driver_and_no_merge_meanwhile(tmp_path):
    run_on(Serial(), RUNS["exact"], tmp_path / "a")
    with pytest.raises(BadInput, match="is not empty"):
        run_on(Serial(), RUNS["exact"], tmp_path / "a")
    lock = RunLock(tmp_path / "a" / "shards" / "000000004")
    with pytest.raises(BadInput, match="is being written by"):
        merge(tmp_path / "a")
    lock.release()
    merge(tmp_path / "a")
    with pytest.raises(BadInput, match="has no shards"):
        merge(tmp_path / "a")


def test_on_a_network_file_system_shards_are_written_beside_it_and_copied_whole(tmp_path, monkeypatch):
    shared, local = tmp_path / "shared", tmp_path / "local"
    local.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(local))

    def kind(path):
        return "nfs4" if Path(path).resolve().is_relative_to(shared) else "ext4"

    for module in ("parley.cluster.shelf", "parley.cluster.driver", "parley.runs.lock", "parley.runs.merging"):
        monkeypatch.setattr(f"{module}.file_system", kind)
    monkeypatch.setattr(shelf, "PUBLISH_S", 0.02)
    run(RUNS["exact"], tmp_path / "one")
    with pytest.raises(BadInput, match="lies on a network file system"):
        run(RUNS["exact"], shared / "plain")
    with pytest.raises(KeyboardInterrupt):
        run_on(Stops(2), RUNS["exact"], shared / "many")
    shutil.rmtree(next(local.glob("parley-shards-*")))  # that machine is gone
    resume_on(Serial(), shared / "many")
    assert all_of(shared / "many", connect) == all_of(tmp_path / "one")
    assert not list((shared / "many").rglob("*-wal")) and not list((shared / "many").rglob("run.lock"))
    with pytest.raises(BadInput, match="lies on a network file system"):
        merge(shared / "many")
    merge(shared / "many", tmp_path / "merged")
    assert all_of(tmp_path / "merged") == all_of(tmp_path / "one")


def test_a_unit_on_a_network_file_system_is_taken_up_from_what_was_copied(tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    there = tmp_path / "shards" / "a"
    monkeypatch.setattr("parley.cluster.shelf.file_system", lambda path: "nfs4" if path == there else "ext4")
    run(RUNS["exact"], tmp_path / "one")
    run(RUNS["exact"], shared / "a")
    with shelf.shelf(tmp_path / "shards" / "a") as here:
        here.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(shared / "a", here)
    published = tmp_path / "shards" / "a"
    assert all_of(published) == all_of(tmp_path / "one")
    shutil.rmtree(here)
    with shelf.shelf(tmp_path / "shards" / "a") as again:
        assert all_of(again) == all_of(tmp_path / "one")


def test_an_endpoint_run_asks_and_hears_the_same(tmp_path):
    asked = "SELECT run, episode, step, purpose, p.text, a.text FROM calls JOIN prompts p ON p.hash = prompt "
    asked += "JOIN texts a ON a.hash = answer WHERE run >= 0 ORDER BY 1, 2, 3"
    with Talker() as talker:
        about = config(talker, "letters", runs=6, episodes=8, cohort=2)
        run(about, tmp_path / "one")
        manifest = run_on(Serial(), about, tmp_path / "many")
        with closing(connect(tmp_path / "one" / "run.sqlite")) as a:
            with closing(connect(tmp_path / "many" / "run.sqlite")) as b:
                assert a.execute(asked).fetchall() == b.execute(asked).fetchall()
                probes = "SELECT purpose, outcome FROM calls WHERE run < 0"
                assert a.execute(probes).fetchall() == b.execute(probes).fetchall(), (
                    "the driver probes, and nobody else"
                )
                assert not b.execute("SELECT 1 FROM pieces JOIN texts USING (hash)").fetchall()
        assert all_of(tmp_path / "one") == all_of(tmp_path / "many", connect)
        with closing(connect(tmp_path / "many" / "run.sqlite")) as b:
            assert manifest["totals"]["calls"]["calls"] == b.execute("SELECT count(*) FROM calls").fetchone()[0]
        calls = parley.open(tmp_path / "many").frame("calls")
        assert calls.num_rows == manifest["totals"]["calls"]["calls"] and calls["prompt"].null_count == 0
        with pytest.raises(BadInput, match="limits need --on ray"):
            run_on(Serial(), about, tmp_path / "limited", Options(parley.runs.ledger.Limits(tokens=10)))
