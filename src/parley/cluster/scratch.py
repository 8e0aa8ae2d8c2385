"""Logs on a local disk of this machine, from which they are copied to places where no log can grow."""

import hashlib
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from parley.core.errors import BadInput, ParleyError
from parley.runs.lock import NETWORK, file_system
from parley.runs.untouched import connect


def scratch(of: str) -> Path:
    """A directory on a disk of this machine, of this user, and for `of`: a path or an address."""
    base = Path(tempfile.gettempdir()) / f"parley-shards-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    at = base.lstat()
    if base.is_symlink() or at.st_uid != os.getuid() or at.st_mode & 0o077:
        raise BadInput(f"{str(base)!r} is open to other users: remove it, or set TMPDIR to a directory of yours")
    if file_system(base) in NETWORK:
        raise BadInput(f"{str(base)!r} is on a network file system too: set TMPDIR to a local disk of this machine")
    return base / hashlib.sha256(of.encode()).hexdigest()[:16]


def commits(folder: Path, name: str = "run.sqlite") -> int:
    """The transactions that a log in a run directory holds; -1 without a log."""
    try:
        with closing(connect(folder / name)) as db:
            row = db.execute("SELECT n FROM commits").fetchone()
            return int(row[0]) if row else 0
    except (ParleyError, sqlite3.Error):
        return -1


def copy_log(folder: Path) -> Path:
    """A copy of a log's commits, as one file without others beside it; the caller removes it."""
    draft = folder / "copy.sqlite"
    draft.unlink(missing_ok=True)
    with closing(connect(folder / "run.sqlite")) as log, closing(sqlite3.connect(draft)) as copy:
        log.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    return draft
