"""Workers: the same sentences as in one process, also when one of them dies."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

import parley
from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput, EnvironmentFailed
from parley.execute import RunConfig
from parley.worlds.kit.conformance import walk
from parley.worlds.kit.workers import _said, spread


@pytest.mark.parametrize("spec", ["keys"])
def test_the_same_is_said_as_in_one_process(spec):
    alone, spread = assemble.world(spec), assemble.world(f"{spec}:workers=2")
    assert walk(spread, 3) == walk(alone, 3)
    assert spread.tables is alone.tables and spread.prior is alone.prior


def test_a_cohort_for_each_worker_unless_told_otherwise():
    world = assemble.world("keys:workers=2")

    def cohort(planner: str = "random", **settings) -> int:
        config = RunConfig("keys:workers=2", planner, **settings)
        return config.resolved(config.parts()).cohort

    assert (cohort(runs=7), cohort(runs=7, cohort=7), cohort(runs=1)) == (4, 7, 1)
    assert (cohort("transformer", runs=512), cohort("transformer", runs=64)) == (64, 32)
    assert [part.workers for part in spread(assemble.world("keys:workers=5"), 2)] == [3, 2]
    assert [part.workers for part in spread(world, 3)] == [1, 1, 1]
    alone = assemble.world("keys")
    assert spread(alone, 2) == [alone, alone]


def subgoals(envs, said: list, kill: int | None = None) -> list[str]:
    """Three steps; before step `kill` the second worker is killed. Returns the events."""
    events = []
    for step, subgoal in enumerate(("go to the west room", "pick up the red key", "open the grey door")):
        if step == kill:
            os.kill(envs.workers[1].process.pid, signal.SIGKILL)
        answer, *_, info = envs.step(np.full((3, 1), subgoal, dtype=object))
        said.append(answer.tolist())
        events += info["low_level"].events
    return events


def test_a_worker_that_dies_is_started_again_and_repeats_its_episode():
    world, latents = assemble.world("keys:workers=2"), np.array([0, 4, 8])
    envs, killed, calm = world.make(latents, Draws(5, 3)), [], []
    envs.reset(options={"episode": 0})
    assert not any(subgoals(envs, calm))
    envs.reset(options={"episode": 0})
    events = subgoals(envs, killed, kill=1)
    assert killed == calm
    assert [event for event in events if event] == [
        "the worker process died (exit code -9); a fresh one repeated the episode"
    ]
    with pytest.raises(BadInput, match="'fly' is not on the menu"):
        envs.step(np.full((3, 1), "fly", dtype=object))
    envs.close()
    assert not any(worker.process.is_alive() for worker in envs.workers)


def test_a_worker_that_dies_and_cannot_repeat_its_episode_is_noticed():
    """Its runs would go on in another episode than the one that the log has the beginning of."""
    world = assemble.world("tests.worlds.odd:restless:workers=2", trust=True)
    envs, wait = world.make(np.array([0, 1, 2]), Draws(5, 3)), np.full((3, 1), "wait", dtype=object)
    envs.reset(options={"episode": 0})
    envs.step(wait)
    os.kill(envs.workers[1].process.pid, signal.SIGKILL)
    with pytest.raises(EnvironmentFailed, match="runs 2 to 2 died .*a fresh one does not repeat its episode"):
        envs.step(wait)
    envs.close()


class Fatal:
    """A world whose environments kill their process."""

    def make(self, latents, draws):
        os._exit(3)


class Kept:
    """Notes where it is opened and closed, and may break."""

    def __init__(self, folder, breaks, alone=None):
        self.note, self.breaks = Path(folder) / f"{os.getpid()}-{id(self)}", breaks
        self.note.touch()

    def reset(self, *, seed=None, options=None):
        print("noise")
        return "a room", {}

    def step(self, action):
        if self.breaks == "step":
            raise RuntimeError("gone")
        return "on", 1.0, False, False, {}

    def close(self):
        self.note.unlink()
        if self.breaks == "close":
            raise RuntimeError("it is closed already")


def kept(folder: str, breaks: str = ""):
    return parley.wrap(lambda z: Kept(folder, breaks), variations=range(4), menu=["go"], horizon=2, name="kept")


@pytest.mark.parametrize("breaks", ["", "close", "step"])
def test_the_environments_of_workers_are_closed(tmp_path, breaks, capfd):
    spec, notes = f"tests.worlds.kit.test_workers:kept:folder={tmp_path / 'notes'},breaks={breaks},workers=2", []
    (tmp_path / "notes").mkdir()
    try:
        run = parley.run(spec, "random", episodes=2, runs=2, out=tmp_path / "r", progress=False)
        assert breaks != "step" and run.status == "finished"
    except EnvironmentFailed as wrong:
        assert breaks == "step" and "RuntimeError: gone" in str(wrong)
    notes = list((tmp_path / "notes").iterdir())
    assert not notes
    assert "noise" not in capfd.readouterr().out  # which is the program's own


def test_what_a_worker_raises_is_one_sentence():
    def raises():
        raise ValueError("not\ntoday")

    assert _said(raises, "reset") == (
        "wrong",
        (1, "the world's `reset` raised ValueError: not\\ntoday: what was finished is saved"),
    )


def test_a_worker_that_dies_again_stops_in_one_sentence():
    from parley.worlds.kit.workers import Worker

    worker = Worker(Fatal, np.array([0, 1]), Draws(0, 2, 4))
    worker.send(("reset", (None, {})))
    with pytest.raises(EnvironmentFailed, match=r"runs 4 to 5 died \(exit code 3\), and so did a fresh one"):
        worker.receive()


@pytest.mark.parametrize(
    "spec, said",
    [("keys:workers=0", "workers=0"), ("keys:workers=two", "workers='two'"), ("shortcut:workers=2", "physical")],
)
def test_wrong_numbers_of_workers(spec, said):
    with pytest.raises(BadInput, match=said):
        assemble.world(spec)
