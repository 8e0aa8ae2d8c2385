"""The run store: `run.sqlite`, appended to by one writer, one lockstep a transaction (docs/formats.md)."""

import sqlite3
import threading
from collections import deque
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
from parley.runs.schema import INDEXES, SCHEMA
from parley.runs.seals import Mark, read_mark

LAG = 64  # transactions that may wait in memory


class RunStore:
    """A run directory open for writing. Cohorts and ledgers hand over statements; one thread at a time commits."""

    def __init__(self, out: Path, manifest: dict[str, Any], lock: RunLock, commits: int = 0) -> None:
        self.out, self.manifest, self._lock, self._commits = out, manifest, lock, commits
        self._record_steps = manifest["config"]["record"] == "steps"
        with directory.storage(out):
            self._db = sqlite3.connect(out / "run.sqlite", check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(SCHEMA)
            if "counted" not in {row[1] for row in self._db.execute("PRAGMA table_info(calls)")}:
                self._db.execute("ALTER TABLE calls ADD COLUMN counted INTEGER")  # a run that a version before began
            self._mark = Mark(out)
            self._mark.set(commits)
            if "score" not in {row[1] for row in self._db.execute("PRAGMA table_info(episodes)")}:
                self._db.execute("ALTER TABLE episodes ADD COLUMN score REAL")  # a run of an earlier version
        self._waiting: deque[list[Statement]] = deque()
        self._given = self._written = 0  # transactions so far
        self._order, self._committing = threading.Lock(), threading.Lock()
        self._wrong: BaseException | None = None
        self._more, self._closing = threading.Event(), False
        self._writer = threading.Thread(target=self._write, name="run-store", daemon=True)
        self._writer.start()
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
            decisions, invalid = self._db.execute(count, (INVALID,)).fetchone()
        return decisions, invalid

    @classmethod
    def create(cls, out: Path, **entries: Any) -> "RunStore":
        """A new run directory; `entries` (config, latents, horizon, ...) go into its manifest."""
        made = not out.exists()
        with directory.storage(out):
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
                commits = _committed(out, warn)
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
        if isinstance(self._wrong, UnicodeEncodeError):
            raise BadInput(
                f"{self._wrong.object[:100]!r} cannot be written: it holds half a character (a lone surrogate)"
            ) from self._wrong
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
            self._db.execute("INSERT OR REPLACE INTO commits VALUES (0, ?)", (self._commits + 1,))
            self._db.execute("COMMIT")
            self._commits += 1
            self._mark.set(self._commits)
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
                    for sql in INDEXES:
                        self._db.execute(sql)
                    self._require_all()
                    for sql in ("DELETE FROM snapshots", "PRAGMA wal_checkpoint(TRUNCATE)"):
                        self._db.execute(sql)
                    self._one_file()
        except ParleyError:
            if status == "finished":
                self._ended("failed", error, totals)
                raise
        finally:
            nothing = self.empty_is_nothing and self._empty()
            self._db.close()
            self._mark.close()
        return self._taken_back() if nothing else self._ended(status, error, totals)

    def _one_file(self) -> None:
        """Make the log one file, which can be read from media that nobody can write to.

        While somebody reads it that cannot be done; the files beside it are empty then, and a copy without them whole.
        """
        with suppress(sqlite3.OperationalError):
            self._db.execute("PRAGMA journal_mode=DELETE")

    def _empty(self) -> bool:
        """Whether nothing was recorded."""
        tables = ("episodes", "steps", "calls")
        return not any(self._db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in tables)

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
        found = self._db.execute("SELECT count(*) FROM episodes").fetchone()[0]
        if found != due:
            raise RunDamaged(f"{str(self.out)!r}: the log holds {found} episodes of {due}")

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


def _committed(out: Path, warn: Callable[[str], None] | None) -> int:
    """How many transactions the log holds; raises `RunDamaged` where it is damaged, or holds fewer than there were."""
    mark, path = read_mark(out), out / "run.sqlite"
    if not path.exists() or not path.stat().st_size:
        if mark is not None and not mark[0]:
            return 0  # killed before anything was recorded
        raise RunDamaged(f"{str(path)!r} is {'empty' if path.exists() else 'gone'}: its log is lost; begin a new run")
    db = sqlite3.connect(path)
    try:
        found = db.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise RunDamaged(f"{str(path)!r} is damaged: {found}")
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        row = db.execute("SELECT n FROM commits").fetchone() if "commits" in names else None
    finally:
        db.close()
    commits = int(row[0]) if row else 0
    if mark is not None and mark[0] > commits:
        lost = f"{str(path)!r} holds {commits} of the {mark[0]} transactions that were committed"
        if mark[1]:
            raise RunDamaged(f"{lost}: put the run.sqlite-wal that belongs to it back, or begin a new run")
        if warn:
            warn(f"{lost}, as after a power cut: the missing part is run again")
    return commits
