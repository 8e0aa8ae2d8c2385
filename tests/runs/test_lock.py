"""One writer a run: whoever comes second is refused, whoever comes after a dead one is not."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

import parley
from parley.core.errors import BadInput, RunDamaged
from parley.execute import RunConfig, resume, run
from parley.runs.directory import read_manifest
from parley.runs.lock import RunLock, file_system, refuse_network
from tests.helpers import tables_of

LONG = ["--world", "household", "--planner", "exact", "--episodes", "2000", "--runs", "4", "--record", "steps"]


def hold(out, ready, go):
    lock = RunLock(out)
    ready.set()
    go.wait(60)
    lock.release()


def test_a_second_process_is_refused_and_told_by_whom(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    ready, go = spawn.Event(), spawn.Event()
    process = spawn.Process(target=hold, args=(tmp_path, ready, go))
    process.start()
    assert ready.wait(60)
    with pytest.raises(BadInput, match=f"is being written by process {process.pid}"):
        RunLock(tmp_path)
    go.set()
    process.join()
    RunLock(tmp_path).release()
    assert not list(tmp_path.iterdir())


def test_a_dead_owner_s_lock_is_taken_over(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    ready, never = spawn.Event(), spawn.Event()
    process = spawn.Process(target=hold, args=(tmp_path, ready, never))
    process.start()
    assert ready.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert (tmp_path / "run.lock").exists()
    RunLock(tmp_path).release()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "lustre"])
def test_network_file_systems_are_refused_by_name(kind, tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path}/my\\040share {kind} rw 0 0\n")
    inside = tmp_path / "my share" / "run"
    inside.mkdir(parents=True)
    assert file_system(inside, mounts) == kind and file_system(tmp_path, mounts) == "ext4"
    monkeypatch.setattr("parley.runs.lock.file_system", lambda path: kind)
    with pytest.raises(BadInput, match=f"network file system \\({kind}\\)"):
        refuse_network(inside)
    with pytest.raises(BadInput, match="network file system"):
        run(RunConfig("treasure", episodes=1, runs=1), tmp_path / "run")


def test_two_resumes_at_once_and_one_beside_a_run(tmp_path):
    command = [sys.executable, "-m", "parley"]
    out = tmp_path / "run"
    first = subprocess.Popen([*command, "run", *LONG, "--out", str(out)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not _begun(out) and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.02)
    beside = subprocess.run([*command, "resume", str(out)], capture_output=True, text=True)
    assert first.poll() is None, "the run ended before it could be disturbed: give it more episodes"
    assert beside.returncode == 2 and "one run has one writer" in " ".join(beside.stderr.split())
    first.send_signal(signal.SIGKILL)
    first.wait()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    two = [subprocess.Popen([*command, "resume", str(out)], **quiet) for _ in range(2)]
    codes = [process.wait(300) for process in two]
    assert sorted(codes) in ([0, 2], [0, 0])  # the second may come when the first has ended
    run(RunConfig("household", episodes=2000, runs=4, record="steps"), tmp_path / "whole")
    assert tables_of(out) == tables_of(tmp_path / "whole")


def _begun(out):
    try:
        return parley.open(out).frame("episodes").num_rows > 0
    except parley.ParleyError:
        return False


CONFIG = RunConfig("shortcut", "exact", episodes=8, runs=3, record="steps")


def interrupted(out):
    """A run that was stopped in the middle, its log still with its -wal."""
    episodes = []

    def stop(record, runs):
        episodes.append(record)
        if len(episodes) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(CONFIG, out, stop)
    return out


def test_a_finished_run_is_one_file_and_needs_no_writable_medium(tmp_path):
    out = tmp_path / "run"
    run(CONFIG, out)
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "run.mark", "run.sqlite"]
    before = (out / "run.sqlite").read_bytes()
    out.chmod(0o555)
    try:
        assert parley.open(out).summary().episodes == 8
    finally:
        out.chmod(0o755)
    assert (out / "run.sqlite").read_bytes() == before and len(list(out.iterdir())) == 3


@pytest.mark.parametrize("damage, said", [("gone", "is gone: its log is lost"), ("empty", "is empty: its log is lost")])
def test_a_log_that_is_gone_is_not_begun_anew(damage, said, tmp_path):
    out = interrupted(tmp_path / "run")
    for path in out.glob("run.sqlite*"):
        path.unlink()
    if damage == "empty":
        (out / "run.sqlite").touch()
    with pytest.raises(RunDamaged, match=said):
        resume(out)
    assert read_manifest(out)["status"] == "interrupted"


def test_a_log_without_its_last_commits_is_found_out(tmp_path, monkeypatch):
    out = interrupted(tmp_path / "run")
    db = sqlite3.connect(out / "run.sqlite")
    db.execute("PRAGMA journal_mode=DELETE")
    db.execute("DELETE FROM steps WHERE episode >= 2")
    db.execute("DELETE FROM episodes WHERE episode >= 2")
    db.execute("DELETE FROM seals WHERE episode >= 2")
    n = db.execute("SELECT n FROM commits").fetchone()[0] - 1  # how many locksteps share a commit is a matter of time
    db.execute("UPDATE commits SET n = ?", (n,))  # as the main file of a database stands whose -wal was not copied
    db.commit()
    db.close()
    with pytest.raises(RunDamaged, match=f"holds {n} of the .* transactions that were committed"):
        resume(out)
    monkeypatch.setattr("parley.runs.seals.boot", lambda: b"another start")  # the machine went down in between
    said = []
    assert resume(out, warn=said.append)["status"] == "finished"
    assert any("as after a power cut" in one for one in said)
    run(CONFIG, tmp_path / "whole")
    assert tables_of(out) == tables_of(tmp_path / "whole")


def test_a_start_that_fails_on_its_configuration_leaves_nothing(tmp_path):
    class Picky(parley.FunctionPlanner):
        def start(self, draws):
            raise BadInput("draws: expected others")

    out = tmp_path / "new" / "run"
    with pytest.raises(BadInput, match="expected others"):
        parley.run("shortcut", Picky(lambda episodes, menu: menu[0]), out=out)
    assert not out.exists()
    out.mkdir(parents=True)
    with pytest.raises(BadInput, match="expected others"):
        parley.run("shortcut", Picky(lambda episodes, menu: menu[0]), out=out)
    assert out.exists() and not list(out.iterdir())


def test_an_unfinished_log_cannot_end_finished(tmp_path, monkeypatch):
    monkeypatch.setattr("parley.runs.recorder.CohortRecorder.episode", lambda *_: None)
    with pytest.raises(RunDamaged, match="holds 0 episodes of 24"):
        run(CONFIG, tmp_path / "run")
    assert read_manifest(tmp_path / "run")["status"] == "failed"
