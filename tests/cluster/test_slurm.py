"""`--on slurm:`, with submitit's executors of this machine in the place of Slurm."""

import pytest

from parley.cluster.driver import run_on
from parley.core.errors import BadInput, MissingExtra
from parley.execute import RunConfig, run
from parley.runs.shards import connect
from tests.cluster.serial import all_of

pytest.importorskip("submitit", reason="submitit is not installed: the extra slurm")
from parley.cluster.engines import Lost, engine_of  # noqa: E402
from parley.cluster.on_slurm import SlurmEngine  # noqa: E402


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_jobs_give_the_tables_of_one_process_and_leave_no_files(tmp_path):
    about = RunConfig("household", "exact", "epsilon-greedy:epsilon=0.2", 4, 6, 3, cohort=3)
    run(about, tmp_path / "one")
    engine = SlurmEngine("slurm:time=5", {"time": "5"}, cluster="local")
    assert run_on(engine, about, tmp_path / "many")["status"] == "finished"
    assert all_of(tmp_path / "many", connect) == all_of(tmp_path / "one")
    assert not list((tmp_path / "home" / ".cache" / "parley").iterdir())


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ("slurm:partition=cpu,colour=red", "slurm has no option 'colour'"),
        ("slurm:time=soon", "time='soon': expected a time"),
        ("slurm:time=0", "at least a minute"),
        ("slurm:cpus=0", "cpus='0': expected a whole number"),
        ("slurm:partition=cpu,time=2:00:00", "there is no sbatch here"),
        ("kubernetes", "expected ray, ray://HOST:PORT, or slurm"),
        ("ray://here", "expected ray://HOST:PORT"),
        ("ray:cores=2", "ray knows the option cpus= alone"),
        ("ray:cpus=two", "is no number"),
    ],
)
def test_what_cannot_be_used_is_said(on, said, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInput, match=said):
        engine_of(on)


def test_what_is_not_installed_is_said(monkeypatch):
    for name, on in (("submitit", "slurm"), ("ray", "ray")):
        monkeypatch.setitem(__import__("sys").modules, name, None)
        with pytest.raises(MissingExtra, match=f"needs the extra '{on}'"):
            engine_of(on)


class Job:
    """A job of an executor that loses it a number of times."""

    job_id = "7"

    def __init__(self, engine, losses, answer):
        self.engine, self.losses, self.answer = engine, losses, answer

    def done(self):
        return True

    def result(self):
        if self.losses:
            raise self.engine._submitit.core.utils.UncompletedJobError("node failure")
        return self.answer


@pytest.mark.parametrize(("losses", "ends"), [(2, True), (4, False)])
def test_a_job_that_is_lost_is_sent_again_some_times(losses, ends, monkeypatch):
    engine, left = SlurmEngine("slurm", {}, cluster="debug"), [losses]

    def submit(executor, function, tasks):
        jobs = [Job(engine, left[0], task["n"]) for task in tasks]
        left[0] -= 1
        return jobs

    monkeypatch.setattr(engine, "_submit", submit)
    if ends:
        assert list(engine.carry_out("m:f", [{"n": 5}], 1.0)) == [(0, 5)]
    else:
        with pytest.raises(Lost, match="was lost 4 times: node failure; what it committed stands"):
            list(engine.carry_out("m:f", [{"n": 5}], 1.0))
