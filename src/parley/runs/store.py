"""The run store: `run.sqlite`, appended to by one writer, one lockstep a transaction (docs/formats.md)."""

import sqlite3
import threading
from collections import deque
from pathlib import Path
from typing import Any

from parley.core.errors import ParleyError, RunDamaged
from parley.runs import directory
from parley.runs.log import EpisodesLog, StepsLog
from parley.runs.recorder import CohortRecorder, Statement

SCHEMA = """
CREATE TABLE IF NOT EXISTS episodes(run INTEGER, episode INTEGER, instruction TEXT, explored INTEGER, return REAL,
    optimal_value REAL, regret REAL, expected_regret REAL, wall_s REAL);
CREATE TABLE IF NOT EXISTS steps(run INTEGER, episode INTEGER, step INTEGER, observation TEXT, subgoal TEXT,
    explored INTEGER, proposal TEXT, proposal_source TEXT, answers TEXT, law TEXT, menu TEXT, next_observation TEXT,
    reward REAL);
CREATE TABLE IF NOT EXISTS low_level(run INTEGER, episode INTEGER, step INTEGER, actions INTEGER, event TEXT);
CREATE TABLE IF NOT EXISTS cuts(run INTEGER, episode INTEGER, step INTEGER, left_out INTEGER);
CREATE TABLE IF NOT EXISTS menus(menu TEXT PRIMARY KEY, subgoals TEXT);
CREATE TABLE IF NOT EXISTS calls(run INTEGER, episode INTEGER, step INTEGER, model TEXT, purpose TEXT,
    prompt_tokens INTEGER, cached_tokens INTEGER, completion_tokens INTEGER, latency_s REAL, attempts INTEGER,
    outcome TEXT, prompt TEXT, answer TEXT, key TEXT, cost REAL);
CREATE TABLE IF NOT EXISTS texts(hash TEXT PRIMARY KEY, text TEXT);
CREATE TABLE IF NOT EXISTS snapshots(cohort INTEGER PRIMARY KEY, episode INTEGER, state BLOB);
"""
INDEXES = (
    "CREATE UNIQUE INDEX IF NOT EXISTS episodes_key ON episodes(run, episode)",
    "CREATE UNIQUE INDEX IF NOT EXISTS steps_key ON steps(run, episode, step)",
)

LAG = 64  # transactions that may wait in memory


class RunStore:
    """A run directory open for writing. Cohorts and ledgers hand over statements; one thread at a time commits."""

    def __init__(self, out: Path, manifest: dict[str, Any]) -> None:
        self.out, self.manifest = out, manifest
        self._record_steps = manifest["config"]["record"] == "steps"
        with directory.storage(out):
            self._db = sqlite3.connect(out / "run.sqlite", check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(SCHEMA)
        self._waiting: deque[list[Statement]] = deque()
        self._given = self._written = 0  # transactions so far
        self._order, self._committing = threading.Lock(), threading.Lock()
        self._wrong: BaseException | None = None
        self._more, self._closing = threading.Event(), False
        self._writer = threading.Thread(target=self._write, name="run-store", daemon=True)
        self._writer.start()
        self._recorders: list[CohortRecorder] = []

    @classmethod
    def create(cls, out: Path, **entries: Any) -> "RunStore":
        """A new run directory; `entries` (config, latents, horizon, ...) go into its manifest."""
        return cls(out, directory.begin(out, entries))

    @classmethod
    def open(cls, out: Path) -> "RunStore":
        """An existing run directory, to continue; refuses a damaged or foreign one. From now on it is `started`."""
        manifest = directory.read_manifest(out)
        with directory.storage(out):
            if (out / "run.sqlite").exists():
                check = sqlite3.connect(out / "run.sqlite")
                found = check.execute("PRAGMA quick_check").fetchone()[0]
                check.close()
                if found != "ok":
                    raise RunDamaged(f"{str(out / 'run.sqlite')!r} is damaged: {found}")
        manifest.pop("error", None)
        store = cls(out, {**manifest, "status": "started", "process": directory.process()})
        directory.write_manifest(out, store.manifest)
        return store

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

    def put(self, statements: list[Statement], wait: bool = False) -> None:
        """Hand over one transaction, and where asked `wait` until it is committed.

        Raises what kept it, or without waiting an earlier one, from being written.
        """
        self._raise_if_wrong()
        with self._order:
            self._waiting.append(statements)
            self._given += 1
            mine = self._given
        if not wait and len(self._waiting) <= LAG:
            self._more.set()
            return
        # Who waits commits, for all others that wait as well: cheaper than a change of threads for each.
        with self._committing:
            if self._written < mine:
                self._commit_all()
        self._raise_if_wrong()

    def _raise_if_wrong(self) -> None:
        if self._wrong is not None:
            with directory.storage(self.out):
                raise self._wrong

    def _write(self) -> None:
        """Commit in the background what nobody waits for."""
        while not self._closing:
            self._more.wait()
            self._more.clear()
            with self._committing:
                self._commit_all()

    def _commit_all(self) -> None:
        """One transaction of all that was handed over, in order; only with `_committing` held."""
        group = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if group and self._wrong is None:
            self._commit([statement for statements in group for statement in statements])
        self._written += len(group)

    def _commit(self, statements: list[Statement]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for sql, rows in statements:
                self._db.executemany(sql, rows)
            self._db.execute("COMMIT")
        except BaseException as wrong:
            self._wrong = wrong
            if self._db.in_transaction:
                try:
                    self._db.execute("ROLLBACK")
                except sqlite3.Error:
                    pass  # a full disk may have rolled back already; the last committed transaction stands

    def close(self, status: str = "finished", error: str = "", **totals: Any) -> dict[str, Any]:
        """Write out what waits, build the indexes of a finished run, and say in the manifest how it ended, and why."""
        try:
            for recorder in self._recorders:
                recorder.flush()
        except ParleyError:
            pass  # raised again below, once the writer has stopped
        self._closing = True
        self._more.set()
        self._writer.join()
        self._commit_all()  # the writer may have seen that it is over before it saw what was handed over last
        try:
            self._raise_if_wrong()
            if status == "finished":
                with directory.storage(self.out):
                    for sql in (*INDEXES, "DELETE FROM snapshots", "PRAGMA wal_checkpoint(TRUNCATE)"):
                        self._db.execute(sql)
        except ParleyError:
            if status == "finished":
                raise
        finally:
            self._db.close()
        wall_s = self.manifest.get("totals", {}).get("wall_s", 0.0) + totals.pop("wall_s", 0.0)
        self.manifest.pop("process", None)
        self.manifest = {**self.manifest, "status": status, "totals": {"wall_s": wall_s, **totals}}
        if error:
            self.manifest["error"] = error
        directory.write_manifest(self.out, self.manifest)
        return self.manifest
