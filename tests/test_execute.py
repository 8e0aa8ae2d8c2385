"""Runs and their directories: killed, resumed, damaged."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from parley.core.errors import BadInput, ParleyError, RunDamaged
from parley.execute import RunConfig, resume, run
from parley.runs import recorder, store, transactions
from parley.runs.reader import RunReader
from parley.worlds.kit.tabular.world_file import dump_world
from parley.worlds.tabular.shortcut import shortcut

TABLES = {
    "episodes": "run, episode, instruction, explored, return, optimal_value, regret, expected_regret",
    "steps": "run, episode, step, observation, subgoal, explored, proposal, proposal_source, answers, law, menu, "
    "next_observation, reward",
    "menus": "menu, subgoals",
}


def tables(out: Path) -> dict[str, list[tuple]]:
    """Everything in a run's tables, wall times aside, in the order of the keys."""
    db = sqlite3.connect(out / "run.sqlite")
    rows = {
        name: db.execute(f"SELECT {columns} FROM {name} ORDER BY 1, 2, 3").fetchall()
        for name, columns in TABLES.items()
        if name != "menus"
    }
    rows["menus"] = db.execute("SELECT menu, subgoals FROM menus ORDER BY 1").fetchall()
    db.close()
    return rows


def test_a_run_leaves_a_complete_directory(tmp_path):
    config = RunConfig("household", "exact", "epsilon-greedy:epsilon=0.2", episodes=6, runs=10, seed=3, cohort=4)
    manifest = run(config, tmp_path / "r")
    assert manifest["status"] == "finished" and manifest["config"]["record"] == "steps"
    assert len(manifest["latents"]) == 10
    rows = tables(tmp_path / "r")
    assert [row[:2] for row in rows["episodes"]] == [(r, t) for r in range(10) for t in range(6)]
    assert [row[:3] for row in rows["steps"]] == [(r, t, h) for r in range(10) for t in range(6) for h in range(1, 5)]
    reader = RunReader(tmp_path / "r")
    assert reader.episodes("expected_regret").shape == (10, 6)
    trace = reader.trace(2, 5)
    assert len(trace) == 4 and abs(sum(trace[0]["proposal"]) - 1) < 1e-12 and len(trace[0]["menu"]) == 6
    assert all(a["next_observation"] == b["observation"] for a, b in zip(trace, trace[1:], strict=False))


def test_cohorts_change_nothing(tmp_path):
    config = dict(planner="exact", explore="epsilon-greedy:epsilon=0.2", episodes=5, runs=9, seed=1)
    run(RunConfig("random:actors=2", cohort=9, **config), tmp_path / "whole")
    run(RunConfig("random:actors=2", cohort=2, **config), tmp_path / "parts")
    assert tables(tmp_path / "whole") == tables(tmp_path / "parts")


def test_recording_episodes_gives_the_same_episodes(tmp_path):
    config = dict(world="shortcut", planner="posterior-sampling", explore="none", episodes=8, runs=6)
    run(RunConfig(record="steps", **config), tmp_path / "steps")
    run(RunConfig(record="episodes", **config), tmp_path / "episodes")
    kept, brief = tables(tmp_path / "steps"), tables(tmp_path / "episodes")
    assert kept["episodes"] == brief["episodes"] and not brief["steps"]


SCRIPT = """
import sys, time
from pathlib import Path
import parley.execute as execute, parley.runs.recorder as recorder
recorder.SNAPSHOT_S, recorder.COMMIT_S = 0.05, 0.02
config = execute.RunConfig({config})
out = Path(sys.argv[1])
slow = lambda record, runs: time.sleep(0.002)
print("ready", flush=True)
execute.resume(out, slow) if (out / "manifest.json").exists() else execute.run(config, out, slow)
print("done", flush=True)
"""


def killed_and_resumed(out: Path, config: RunConfig, kills: int, seed: int) -> int:
    """Start the run, kill it `kills` times at random moments, then let it finish; returns the kills that hit it."""
    rng, hits = random.Random(seed), 0
    arguments = ", ".join(f"{k}={v!r}" for k, v in vars(config).items())
    while True:
        command = [sys.executable, "-c", SCRIPT.format(config=arguments), str(out)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        if hits < kills:
            time.sleep(rng.uniform(0.0, 0.6))
            process.send_signal(signal.SIGKILL)
        said = process.stdout.read()
        process.stdout.close()
        process.wait()
        if said == "done\n":
            return hits
        assert process.returncode == -signal.SIGKILL
        hits += 1


@pytest.mark.slow
@pytest.mark.parametrize("record", ["steps", "episodes"])
@pytest.mark.parametrize("planner", ["exact", "transformer:decode=greedy"])
def test_killed_twenty_times_and_resumed_to_identical_tables(tmp_path, planner, record, monkeypatch):
    for name, value in (("SNAPSHOT_S", 0.05), ("COMMIT_S", 0.02)):
        monkeypatch.setattr(recorder, name, value)
    config = RunConfig("household", planner, "epsilon-greedy:epsilon=0.2", 400, 32, seed=5, record=record, cohort=16)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    run(config, whole)
    assert killed_and_resumed(killed, config, 20, seed=1) >= 3
    assert tables(killed) == tables(whole)


@pytest.mark.parametrize("record", ["steps", pytest.param("episodes", marks=pytest.mark.slow)])
@pytest.mark.parametrize("explore", ["epsilon-greedy:epsilon=0.2", "adaptive", "adaptive-proposals"])
def test_killed_in_the_middle_and_resumed(tmp_path, explore, record):
    config = RunConfig("shortcut", "exact", explore, 120, 8, seed=5, record=record, cohort=4)
    run(config, tmp_path / "whole")
    killed_and_resumed(tmp_path / "killed", config, 2, seed=2)
    assert tables(tmp_path / "killed") == tables(tmp_path / "whole")
    before = (tmp_path / "killed" / "manifest.json").read_text()
    resume(tmp_path / "killed")  # a finished run is left as it is
    assert (tmp_path / "killed" / "manifest.json").read_text() == before


def test_what_is_handed_over_last_is_written(tmp_path, monkeypatch):
    """The writer may be at work, and then find that it is over, when the last episodes arrive."""
    commit, arrived = transactions.Transactions._commit, threading.Event()

    def slow(self, statements):
        arrived.set()
        time.sleep(0.2)
        commit(self, statements)

    monkeypatch.setattr(transactions.Transactions, "_commit", slow)
    began = store.RunStore.create(tmp_path / "r", config={"record": "episodes", "runs": 1, "episodes": 2})
    row = (0, 0, "go", False, 1.0, 1.0, 0.0, 0.0, 0.1, None)
    began.put([(recorder.EPISODE, [row])])
    assert arrived.wait(10)
    began.put([(recorder.EPISODE, [(0, 1, *row[2:])])])
    began.close()
    db = sqlite3.connect(tmp_path / "r" / "run.sqlite")
    assert db.execute("SELECT COUNT(*) FROM episodes").fetchone() == (2,)
    db.close()


def interrupted(out: Path, after: int = 3, world: str = "shortcut", explore: str = "none") -> RunConfig:
    """A run that is broken off by Ctrl-C after a few episodes."""
    config = RunConfig(world, "exact", explore, episodes=50, runs=4)
    count = iter(range(10**6))

    def progress(record, runs):
        if next(count) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, out, progress)
    return config


def test_interrupted_saves_and_resumes(tmp_path):
    config = interrupted(tmp_path / "r")
    reader = RunReader(tmp_path / "r")
    assert reader.episodes("regret").shape[1] >= 3
    reader.close()
    assert '"interrupted"' in (tmp_path / "r" / "manifest.json").read_text()
    assert resume(tmp_path / "r")["status"] == "finished"
    run(config, tmp_path / "whole")
    assert tables(tmp_path / "r") == tables(tmp_path / "whole")


def test_resuming_elsewhere_says_so(tmp_path):
    interrupted(tmp_path / "r")
    path, said = tmp_path / "r" / "manifest.json", []
    path.write_text(path.read_text().replace('"system": "', '"system": "Far-'))
    assert resume(tmp_path / "r", warn=said.append)["status"] == "finished"
    assert len(said) == 1 and "not bit-identical" in said[0] and "system was Far-" in said[0]


@pytest.mark.parametrize("changed", ["w.json", "policy.json"])
def test_a_run_is_resumed_only_with_the_files_it_began_with(tmp_path, changed):
    (tmp_path / "w.json").write_text(dump_world(shortcut()))
    (tmp_path / "policy.json").write_text('{"try the back door": 1}')
    explore = f"epsilon-greedy:epsilon=0.2,policy={tmp_path / 'policy.json'}"
    interrupted(tmp_path / "r", world=str(tmp_path / "w.json"), explore=explore)
    began = (tmp_path / changed).read_text()
    (tmp_path / changed).write_text(dump_world(shortcut(noise=0.2)) if changed == "w.json" else began + " ")
    with pytest.raises(RunDamaged, match=f"{changed}' is not what it was"):
        resume(tmp_path / "r")
    (tmp_path / changed).write_text(began)
    assert resume(tmp_path / "r")["status"] == "finished"


@pytest.mark.parametrize(
    "damage", ["cut manifest", "no manifest", "foreign format", "cut database", "no directory", "status", "config"]
)
def test_damaged_directories_are_refused(tmp_path, damage):
    out = tmp_path / "r"
    interrupted(out)
    manifest = out / "manifest.json"
    text = manifest.read_text()
    if damage == "cut manifest":
        manifest.write_text(text[: len(text) // 2])
    elif damage == "no manifest":
        manifest.unlink()
    elif damage == "foreign format":
        manifest.write_text(text.replace("parley-run/1", "other/9"))
    elif damage == "cut database":
        for tail in ("-wal", "-shm"):
            (out / f"run.sqlite{tail}").unlink(missing_ok=True)
        (out / "run.sqlite").write_bytes(b"this is no database" * 100)
    elif damage == "status":
        manifest.write_text(text.replace('"interrupted"', '"dreaming"'))
    elif damage == "config":
        manifest.write_text(text.replace('"episodes"', '"chapters"'))
    with pytest.raises(RunDamaged if damage != "no directory" else BadInput):
        resume(out if damage != "no directory" else tmp_path / "nowhere")


def test_a_log_that_the_world_would_not_give_again_is_refused(tmp_path):
    out = tmp_path / "r"
    interrupted(out)
    db = sqlite3.connect(out / "run.sqlite")
    db.execute("DELETE FROM episodes WHERE episode >= 1")
    db.execute("UPDATE steps SET next_observation = 'you are in the garden' WHERE episode = 1 AND step = 1 AND run = 2")
    db.commit()
    db.close()
    with pytest.raises(RunDamaged, match="episode 1, step 1"):
        resume(out)


def test_an_occupied_directory_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(BadInput, match="not empty"):
        run(RunConfig("shortcut", episodes=1, runs=1), tmp_path)
    assert os.listdir(tmp_path) == ["mine.txt"]


def test_bad_configurations_leave_nothing_behind(tmp_path):
    for wrong in (
        dict(world="shortcutt"),
        dict(world="shortcut", planner="exakt"),
        dict(world="shortcut", explore="epsilon-greedy:epsilon=7"),
        dict(world="shortcut", latent="the moon"),
        dict(world="shortcut", instructions="sometimes"),
    ):
        with pytest.raises(BadInput):
            run(RunConfig(episodes=1, runs=1, **wrong), tmp_path / "r")
    for wrong in (dict(episodes=0), dict(runs=0), dict(seed=-1), dict(record="all"), dict(cohort=-1)):
        with pytest.raises(BadInput):
            RunConfig("shortcut", **wrong)
    for wrong in (dict(episodes=2.5), dict(runs="3"), dict(seed=None)):
        with pytest.raises(BadInput, match="expected a whole number"):
            RunConfig("shortcut", **wrong)
    assert type(RunConfig("shortcut", seed=np.int64(3)).seed) is int  # as a manifest holds it
    assert not (tmp_path / "r").exists()


def test_a_full_disk_is_one_sentence_and_what_was_committed_stands(tmp_path, monkeypatch):
    config = RunConfig("shortcut", "exact", episodes=300, runs=16, record="steps")
    begin = transactions.Transactions.__init__

    def small(self, *given):
        begin(self, *given)
        self.db.execute("PRAGMA max_page_count=60")

    monkeypatch.setattr(transactions.Transactions, "__init__", small)
    with pytest.raises(ParleyError, match="no space left") as failure:
        run(config, tmp_path / "r")
    assert failure.value.exit_code == 1
    monkeypatch.undo()
    done = RunReader(tmp_path / "r").episodes("regret").shape[1]
    assert 0 < done < 300
    assert resume(tmp_path / "r")["status"] == "finished"
    run(config, tmp_path / "whole")
    assert tables(tmp_path / "r") == tables(tmp_path / "whole")
