"""`--on slurm:...`: tasks as jobs of Slurm, by submitit (extra `slurm`)."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from parley.cluster.account import Account
from parley.cluster.engines import Lost, Task, call
from parley.core.errors import BadInput, MissingExtra, ParleyError

RETRIES = 3  # of a task whose job was lost
POLL_S = 1.0  # how often it is looked whether a job has ended
KNOWN = ("partition", "time", "cpus", "mem", "parallel", "account", "qos", "constraint", "exclude")


class SlurmEngine:
    """`slurm:partition=P,time=T`: one job array of all tasks.

    `time` is that of `sbatch`. `cpus` are cores of a task, `mem` is its memory (`4GB`), `parallel` how many tasks run
    at once. `account`, `qos`, `constraint` and `exclude` are handed on. Jobs are kept below ~/.cache/parley meanwhile.
    """

    shares = False

    def __init__(self, on: str, options: Mapping[str, str], cluster: str = "slurm") -> None:
        self._submitit = _library()
        if unknown := sorted(set(options) - set(KNOWN)):
            raise BadInput(f"on={on!r}: slurm has no option {unknown[0]!r}; known: {', '.join(KNOWN)}")
        self.name, self._options, self._cluster = on, dict(options), cluster
        self._minutes = _minutes(on, options["time"]) if "time" in options else 60
        for name in ("cpus", "parallel"):
            if not options.get(name, "1").isdecimal() or options.get(name) == "0":
                raise BadInput(f"on={on!r}: {name}={options[name]!r}: expected a whole number from 1 on")
        if cluster == "slurm" and shutil.which("sbatch") is None:
            raise BadInput(f"on={on!r}: there is no sbatch here: start from a machine that can submit jobs to Slurm")

    def carry_out(
        self, function: str, tasks: Sequence[Task], cpus: float, account: Account | None = None
    ) -> Iterator[tuple[int, Any]]:
        assert account is None  # `shares` is False
        base = Path.home() / ".cache" / "parley"
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(prefix="slurm-", dir=base))
        executor = self._executor(folder, cpus)
        waiting = dict(enumerate(self._submit(executor, function, tasks)))
        lost = dict.fromkeys(waiting, 0)
        try:
            while waiting:
                ended = [number for number, job in waiting.items() if job.done()]
                for number in ended:
                    job = waiting.pop(number)
                    try:
                        answer = job.result()
                    except self._submitit.core.utils.FailedJobError as wrong:
                        raise ParleyError(f"job {job.job_id} on {self.name} raised: {_last_line(wrong)}") from None
                    except self._submitit.core.utils.UncompletedJobError as wrong:
                        lost[number] += 1
                        if lost[number] > RETRIES:
                            why = f"a job on {self.name} was lost {lost[number]} times: {_last_line(wrong)}"
                            raise Lost(f"{why}; what it committed stands") from None
                        waiting[number] = self._submit(executor, function, [tasks[number]])[0]
                        continue
                    yield number, answer
                if waiting and not ended:
                    time.sleep(POLL_S)
        finally:
            for job in waiting.values():
                with suppress(Exception):  # it may have ended meanwhile
                    job.cancel()
            shutil.rmtree(folder, ignore_errors=True)

    def _executor(self, folder: Path, cpus: float) -> Any:
        executor = self._submitit.AutoExecutor(folder=folder, cluster=self._cluster)
        asked: dict[str, Any] = {"timeout_min": self._minutes, "cpus_per_task": int(self._options.get("cpus", 0)) or 1}
        asked["name"] = "parley"
        if self._cluster == "slurm":
            handed = ("partition", "mem", "account", "qos", "constraint", "exclude")
            asked |= {f"slurm_{name}": self._options[name] for name in handed if name in self._options}
            if "parallel" in self._options:
                asked["slurm_array_parallelism"] = int(self._options["parallel"])
        executor.update_parameters(**asked)
        return executor

    def _submit(self, executor: Any, function: str, tasks: Sequence[Task]) -> list[Any]:
        """Jobs of tasks; Slurm itself says what it does not take."""
        try:
            return list(executor.map_array(call, [function] * len(tasks), [dict(task) for task in tasks]))
        except (RuntimeError, OSError, ValueError, self._submitit.core.utils.FailedJobError) as wrong:
            raise BadInput(f"on={self.name!r}: Slurm does not take the jobs: {_last_line(wrong)}") from None


def _minutes(on: str, text: str) -> int:
    """A time as `sbatch` takes it (minutes, minutes:seconds, hours:minutes:seconds, days-hours:...), in minutes.

    >>> [_minutes("slurm", time) for time in ("90", "2:00:00", "1-00:00:00", "5:30")]
    [90, 120, 1440, 6]
    """
    parts = text.partition("-")
    days, rest = (parts[0], parts[2]) if parts[1] else ("0", text)
    numbers = rest.split(":")
    if not (days.isdecimal() and all(map(str.isdecimal, numbers)) and len(numbers) <= 3):
        raise BadInput(f"on={on!r}: time={text!r}: expected a time as sbatch takes it, as in 2:00:00 or 90")
    values = list(map(int, numbers))
    if parts[1]:
        hours, minutes, seconds = (values + [0, 0])[:3]
    elif len(values) == 3:
        hours, minutes, seconds = values
    else:
        hours, minutes, seconds = 0, *(values + [0])[:2]
    found = int(days) * 1440 + hours * 60 + minutes + (seconds > 0)
    if found < 1:
        raise BadInput(f"on={on!r}: time={text!r}: expected at least a minute")
    return found


def _last_line(wrong: object) -> str:
    return (str(wrong).strip() or type(wrong).__name__).splitlines()[-1][:300]


def _library() -> Any:
    try:
        import submitit
    except ImportError:
        raise MissingExtra("--on slurm", "slurm") from None
    return submitit
