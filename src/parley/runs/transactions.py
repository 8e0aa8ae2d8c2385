"""The log's file, `run.sqlite`: many threads hand over transactions, and one at a time commits them in order."""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from parley.core.errors import BadInput, RunDamaged
from parley.runs.cells import WHOLE, short
from parley.runs.directory import storage
from parley.runs.recorder import Statement
from parley.runs.schema import SCHEMA
from parley.runs.seals import Mark, read_mark

LAG = 64  # transactions that may wait in memory
EVERY_S = 0.2  # how long they may: to wake the writer for each costs more than to write it
LATER = (("calls", "counted", "INTEGER"), ("episodes", "score", "REAL"))  # columns that runs of earlier versions lack


class Transactions:
    """`run.sqlite` of the run directory `out`, open for writing."""

    def __init__(self, out: Path, commits: int) -> None:
        """`commits` were made before."""
        self._out, self._commits = out, commits
        with storage(out):
            self.db = sqlite3.connect(out / "run.sqlite", check_same_thread=False, isolation_level=None)
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=NORMAL")
            self.db.executescript(SCHEMA)
            for table, column, kind in LATER:
                if column not in {row[1] for row in self.db.execute(f"PRAGMA table_info({table})")}:
                    self.db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
            self._mark = Mark(out)
            self._mark.set(commits)
        self._waiting: deque[list[Statement]] = deque()
        self._given = self._written = 0  # transactions so far
        self._order, self._committing = threading.Lock(), threading.Lock()
        self._wrong: BaseException | None = None
        self._more, self._closing = threading.Event(), False
        self._writer = threading.Thread(target=self._write, name="run-store", daemon=True)
        self._writer.start()

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
            if len(self._waiting) == LAG // 2:
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
            with storage(self._out):
                raise self._wrong

    def _write(self) -> None:
        """Commit in the background what nobody waits for."""
        while not self._closing:
            self._more.wait(EVERY_S)
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
            self.db.execute("BEGIN IMMEDIATE")
            for sql, rows in statements:
                self.db.executemany(sql, rows)
            self.db.execute("INSERT OR REPLACE INTO commits VALUES (0, ?)", (self._commits + 1,))
            self.db.execute("COMMIT")
            self._commits += 1
            self._mark.set(self._commits)
        except BaseException as wrong:
            self._wrong = wrong
            if self.db.in_transaction:
                try:
                    self.db.execute("ROLLBACK")
                except sqlite3.Error:
                    pass  # a full disk may have rolled back already; the last committed transaction stands

    def stop(self) -> None:
        """Commit what waits, and end the writer; raises what kept anything from being written."""
        self._closing = True
        self._more.set()
        self._writer.join()
        self._commit_all()  # the writer may have seen that it is over before it saw what was handed over last
        self._raise_if_wrong()

    def close(self) -> None:
        self.db.close()
        self._mark.close()


def committed(out: Path, warn: Callable[[str], None] | None) -> int:
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
    commits = row[0] if row else 0
    if not WHOLE.holds((commits,)):
        raise RunDamaged(f"{str(path)!r} is damaged: it counts {short(commits)} transactions")
    if mark is not None and mark[0] > commits:
        lost = f"{str(path)!r} holds {commits} of the {mark[0]} transactions that were committed"
        if mark[1]:
            raise RunDamaged(f"{lost}: put the run.sqlite-wal that belongs to it back, or begin a new run")
        if warn:
            warn(f"{lost}, as after a power cut: the missing part is run again")
    return commits
