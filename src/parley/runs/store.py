"""The run store: a run directory open for writing, one lockstep a transaction (docs/formats.md)."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput, ParleyError, RunDamaged
from parley.core.said import INVALID
from parley.runs import directory
from parley.runs.lock import NAME as LOCK
from parley.runs.lock import RunLock
from parley.runs.log import EpisodesLog, StepsLog
from parley.runs.ownership import mine, signature
from parley.runs.recorder import CohortRecorder, Statement
from parley.runs.schema import INDEXES
from parley.runs.transactions import Transactions, committed


class RunStore:
    """A run directory open for writing. Cohorts and ledgers `put` statements (`runs.transactions`)."""

    def __init__(self, out: Path, manifest: dict[str, Any], lock: RunLock, commits: int = 0) -> None:
        self.out, self.manifest, self._lock = out, manifest, lock
        self._record_steps = manifest["config"]["record"] == "steps"
        self._transactions = Transactions(out, commits)
        self.put = self._transactions.put
        self._recorders: list[CohortRecorder] = []
        self._made = False  # whether the directory was made for this run
        self.empty_is_nothing = False  # whether a log in which nothing was recorded is taken back at the end
        self._before = self._decided()

    def _decided(self) -> tuple[int, int]:
        """Decisions before this part of the run, and how many of them rest on no usable answer."""
        if not self._record_steps:
            told = [self.manifest.get("totals", {}).get(name) for name in ("decisions", "invalid")]
            decisions, invalid = (value if isinstance(value, int) else 0 for value in told)
            return decisions, invalid
        count = "SELECT count(*), count(*) FILTER (WHERE proposal_source = ?) FROM steps"
        with directory.storage(self.out):
            decisions, invalid = self._transactions.db.execute(count, (INVALID,)).fetchone()
        return decisions, invalid

    @classmethod
    def create(cls, out: Path, **entries: Any) -> "RunStore":
        """A new run directory; `entries` (config, latents, horizon, ...) go into its manifest."""
        with directory.storage(out):
            made = not out.exists()
            if out.is_file():
                raise BadInput(f"out={str(out)!r} is a file: name a directory that is new or empty")
            out.mkdir(parents=True, exist_ok=True)
            lock = RunLock(out)
        try:
            manifest = directory.begin(out, entries)
        except BaseException:
            lock.release()
            raise
        with _opening(out, manifest, lock):
            store = cls(out, manifest, lock)
        store._made = made
        return store

    @classmethod
    def open(cls, out: Path, warn: Callable[[str], None] | None = None) -> "RunStore":
        """An existing run directory, to continue; refuses one that is damaged, or that somebody else writes.

        `warn` is told where the machine went down and took the last commits with it.
        """
        directory.read_manifest(out)
        with directory.storage(out):
            lock = RunLock(out)
            try:
                manifest = directory.read_manifest(out)  # as its last writer left it
                manifest.pop("error", None)
                commits = committed(out, warn)
            except BaseException:
                lock.release()
                raise
            with _opening(out, manifest, lock):
                store = cls(out, {**manifest, "status": "started", "process": directory.process()}, lock, commits)
                directory.write_manifest(out, store.manifest)
                return store

    def change(self, config: dict[str, Any], what: dict[str, str]) -> None:
        """Go on with another configuration, and say so in the manifest; whose run it was, theirs it is."""
        own = mine(self.manifest)
        self.manifest = {**self.manifest, "config": config, "changed": [*self.manifest.get("changed", []), what]}
        if own:
            self.manifest["signature"] = signature(self.manifest)
        directory.write_manifest(self.out, self.manifest)

    def recorder(self, number: int, first_run: int, num_runs: int) -> CohortRecorder:
        """The recorder of cohort `number`."""
        recorder = CohortRecorder(self.put, number, first_run, num_runs, self._record_steps)
        self._recorders.append(recorder)
        return recorder

    def log(self, number: int, first_run: int, num_runs: int) -> "StepsLog | EpisodesLog":
        """What was recorded of cohort `number`; where only episodes are, those after the snapshot are taken back."""
        path = self.out / "run.sqlite"
        with directory.storage(self.out):
            if self._record_steps:
                return StepsLog(path, first_run, num_runs)
            log = EpisodesLog(path, number)
            last = first_run + num_runs - 1
            undo = "DELETE FROM episodes WHERE run BETWEEN ? AND ? AND episode >= ?"
            self.put([(undo, [(first_run, last, log.first_episode)])])
            return log

    def forget(self, first_run: int, num_runs: int, episode: int) -> None:
        """Take back the recorded steps of an episode that has not ended."""
        last = (first_run, first_run + num_runs - 1, episode)
        tables = ("steps", "low_level", "cuts")
        undo = [(f"DELETE FROM {name} WHERE run BETWEEN ? AND ? AND episode = ?", [last]) for name in tables]
        seals: Statement = ("DELETE FROM seals WHERE first_run = ? AND episode = ?", [(first_run, episode)])
        self.put([*undo, seals], wait=True)

    def close(self, status: str = "finished", error: str = "", **totals: Any) -> dict[str, Any]:
        """Write out what waits, build the indexes of a finished run, and say in the manifest how it ended, and why."""
        try:
            for recorder in self._recorders:
                recorder.flush()
        except ParleyError:
            pass  # raised again below, once the writer has stopped
        db = self._transactions.db
        try:
            self._transactions.stop()
            if status == "finished":
                with directory.storage(self.out):
                    for sql in INDEXES:
                        db.execute(sql)
                    self._require_all()
                    for sql in ("DELETE FROM snapshots", "PRAGMA wal_checkpoint(TRUNCATE)"):
                        db.execute(sql)
                    self._one_file()
        except ParleyError:
            if status == "finished":
                self._ended("failed", error, totals)
                raise
        finally:
            nothing = self.empty_is_nothing and self._empty()
            self._transactions.close()
        return self._taken_back() if nothing else self._ended(status, error, totals)

    def _one_file(self) -> None:
        """Make the log one file, which can be read from media that nobody can write to.

        While somebody reads it that cannot be done; the files beside it are empty then, and a copy without them whole.
        """
        with suppress(sqlite3.OperationalError):
            self._transactions.db.execute("PRAGMA journal_mode=DELETE")

    def _empty(self) -> bool:
        """Whether nothing was recorded."""
        tables = ("episodes", "steps", "calls")
        return not any(self._transactions.db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in tables)

    def _taken_back(self) -> dict[str, Any]:
        """Leave no directory behind."""
        for name in directory.FILES:
            if name != LOCK:
                (self.out / name).unlink(missing_ok=True)
        self._lock.release()
        if self._made and not any(self.out.iterdir()):
            self.out.rmdir()
        return self.manifest

    def _require_all(self) -> None:
        """Raise `RunDamaged` where a run that is to be finished lacks episodes; that none is there twice, keys show."""
        config = self.manifest["config"]
        due = self.manifest.get("shard", {}).get("num_runs", config["runs"]) * config["episodes"]
        found = self._transactions.db.execute("SELECT count(*) FROM episodes").fetchone()[0]
        if found != due:
            raise RunDamaged(f"{str(self.out)!r}: the log holds {found} episodes of {due}")

    def amend(self, **totals: Any) -> dict[str, Any]:
        """Say more in the manifest of a run that has ended, unless it left nothing behind."""
        self.manifest = {**self.manifest, "totals": {**self.manifest["totals"], **totals}}
        if (self.out / "manifest.json").is_file():
            directory.write_manifest(self.out, self.manifest)
        return self.manifest

    def _ended(self, status: str, error: str, totals: dict[str, Any]) -> dict[str, Any]:
        """Say in the manifest how the run ended, and let others write."""
        decisions, invalid = self._before
        decisions += sum(recorder.decisions for recorder in self._recorders)
        invalid += sum(recorder.invalid for recorder in self._recorders)
        if invalid or "shard" in self.manifest:
            totals |= {"decisions": decisions, "invalid": invalid}
        wall_s = self.manifest.get("totals", {}).get("wall_s", 0.0) + totals.pop("wall_s", 0.0)
        self.manifest.pop("process", None)
        self.manifest = {**self.manifest, "status": status, "totals": {"wall_s": wall_s, **totals}}
        if error:
            self.manifest["error"] = error
        try:
            directory.write_manifest(self.out, self.manifest)
        finally:
            self._lock.release()
        return self.manifest


@contextmanager
def _opening(out: Path, manifest: dict[str, Any], lock: RunLock) -> Iterator[None]:
    """Where opening is broken off the lock is given back, and the manifest says if that was an interrupt."""
    try:
        yield
    except BaseException as wrong:
        if isinstance(wrong, KeyboardInterrupt):
            with suppress(ParleyError):
                directory.write_manifest(out, {**manifest, "status": "interrupted"})
        lock.release()
        raise
