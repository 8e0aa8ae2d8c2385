"""Bounded queries on a run's log, which may be a stranger's: read only, in place, in limited time and memory."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parley.core.errors import ParleyError, RunDamaged
from parley.runs.shards import connect

DEADLINE_S = 20.0  # of processor time: a busy machine or a slow disk is no fault of the log
LONGEST = 1 << 25  # bytes of one value
CHUNK = 20_000  # rows read at once
MOST_ROWS = 100_000  # of one episode
MARKS = 4096  # rows that are looked at to find an episode in a log without an index
CHECKED = 100_000  # steps of SQLite's machine between two looks at the clock

Row = tuple[Any, ...]


class Log:
    """An open log. Tables that are not plain tables are refused: a view may hide any computation."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        schema = db.execute("SELECT name, type, sql FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        self._plain = {
            name: kind == "table" and not str(sql).upper().startswith("CREATE VIRTUAL") for name, kind, sql in schema
        }
        self._columns: dict[str, list[str]] = {}

    def has(self, table: str) -> bool:
        """Whether there is such a table, and it is one that can be read."""
        if not self._plain.get(table, True):
            raise RunDamaged(f"run.sqlite: {table!r} is no plain table, so this is no log of a run")
        return table in self._plain

    def columns(self, table: str) -> list[str]:
        """The columns of a table; none where there is no such table."""
        if table not in self._columns:
            found = self.db.execute(f"PRAGMA table_xinfo({table})").fetchall() if self.has(table) else []
            self._columns[table] = [row[1] for row in found if row[6] == 0]  # generated columns compute
        return self._columns[table]

    def select(self, table: str, wanted: Sequence[str]) -> str:
        """`SELECT wanted FROM table`, null for columns that this log does not have."""
        known = [*self.columns(table), "rowid"]
        named = ", ".join(f'"{name}"' if name in known else "NULL" for name in wanted)
        return f"SELECT {named} FROM {table}"

    def last(self, table: str) -> int:
        """The number of the last row. 0 where the log is empty."""
        if not self.has(table):
            return 0
        return int(self.db.execute(f"SELECT MAX(rowid) FROM {table}").fetchone()[0] or 0)

    def rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[list[Row]]:
        """The answer to a query, some rows at a time."""
        cursor = self.db.execute(query, values)
        while some := cursor.fetchmany(CHUNK):
            yield some

    def of_episode(
        self, table: str, wanted: Sequence[str], run: int, episode: int, cohort: int, most: int = MOST_ROWS
    ) -> list[Row]:
        """Rows of one episode of one run, in the order in which they were written; `cohort` runs move together."""
        if not self.has(table):
            return []
        first, last = self._between(table, run, episode, cohort)
        query = f"{self.select(table, wanted)} WHERE run = ? AND episode = ?"
        if first is not None:
            query += f" AND rowid BETWEEN {first} AND {last}"
        return self.db.execute(f"{query} ORDER BY rowid LIMIT {most}", (run, episode)).fetchall()

    def _between(self, table: str, run: int, episode: int, cohort: int) -> tuple[int | None, int]:
        """Where rows of an episode can stand; None: anywhere, by the index that a finished log has.

        A cohort writes its episodes in order, so the rows before and after them are found by looking at some.
        """
        indexed = self.db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (f"{table}_key",)).fetchone()
        last = self.last(table)
        if indexed or last <= MARKS:
            return None, last
        looked = ", ".join(str(row) for row in range(1, last + 1, max(1, last // MARKS)))
        query = f"SELECT rowid, episode FROM {table} WHERE rowid IN ({looked}) AND run / ? = ? ORDER BY rowid"
        before, after = 1, last
        for row, found in self.db.execute(query, (cohort, run // cohort)):
            if found < episode:
                before = row
            elif found > episode:
                after = row
                break
        return before, after


@contextmanager
def opened(out: Path, seconds: float = DEADLINE_S) -> Iterator[Log]:
    """The log of a run directory.

    Raises `RunDamaged` where it is not a log, or takes more than `seconds` of processor time.
    """
    path = out / "run.sqlite"
    until = time.thread_time() + seconds
    try:
        db = connect(path)
        try:
            db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
            db.execute("PRAGMA trusted_schema=OFF")
            db.text_factory = _text
            db.set_progress_handler(lambda: time.thread_time() > until, CHECKED)
            yield Log(db)
        finally:
            db.close()
    except sqlite3.Error as wrong:
        late = "interrupted" in str(wrong)
        why = f"this takes more than {seconds:g} s of processor time" if late else str(wrong)
        raise RunDamaged(f"{str(path)!r} cannot be read: {why}") from wrong
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as wrong:
        if isinstance(wrong, ParleyError):
            raise
        raise RunDamaged(f"{str(path)!r} does not agree with itself: {wrong!r}") from wrong


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
