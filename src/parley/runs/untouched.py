"""Connections to a run's log that can only read, and that leave the run directory as it is.

A plain read-only connection to a log in WAL mode makes `-wal` and `-shm` files beside it, and leaves them there.
"""

import sqlite3
from pathlib import Path

from parley.core.errors import RunDamaged
from parley.runs.directory import require_plain

ALONE = "vfs=unix-none"  # without locks


def connect(path: Path) -> sqlite3.Connection:
    """A connection that can only read; works while the run goes on, after a kill, and where nothing can be written."""
    uri = address(path)
    db = sqlite3.connect(uri, uri=True, check_same_thread=False)
    if uri.endswith(ALONE):
        db.execute("PRAGMA locking_mode=EXCLUSIVE")  # of nothing but this process's memory
    return db


def address(path: Path) -> str:
    """The URI by which SQLite opens a log so that it can only be read."""
    require_plain(path.parent)
    if not path.is_file():
        raise RunDamaged(f"{str(path.parent)!r} holds no run.sqlite")
    wal, shared = (path.with_name(path.name + ending) for ending in ("-wal", "-shm"))
    unmerged = wal.exists() and wal.stat().st_size > 0
    if shared.exists() and wal.exists():
        how = "readonly_shm=1"  # somebody writes, or was killed: where nobody does, SQLite reads the WAL by itself
    elif unmerged:
        how = ALONE  # a copy without its shared memory, so nobody writes
    else:
        how = "immutable=1"  # closed: all is in the file itself
    return f"{path.resolve().as_uri()}?mode=ro&{how}"
