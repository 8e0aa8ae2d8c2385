"""Where a unit writes its shard: in the run directory, or where that is on a network file system, beside it."""

import hashlib
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from parley.core.errors import BadInput, ParleyError
from parley.runs.directory import read_manifest, write_manifest
from parley.runs.lock import NETWORK, file_system
from parley.runs.shards import FOLDER
from parley.runs.untouched import connect

PUBLISH_S = 30.0  # how often the local copy is published to the run directory


@contextmanager
def shelf(out: Path, name: str) -> Iterator[Path]:
    """The directory in which a unit of the run `out` writes its shard `name`.

    On a network file system no SQLite file is written to. The shard is then written on a local disk. It is copied to
    the run directory whole, every `PUBLISH_S` seconds and at the end. If its machine is lost, the next one goes on from
    the last copy.
    """
    shared = out / FOLDER / name
    if file_system(out) not in NETWORK:
        yield shared
        return
    local = _scratch(out) / name
    if _commits(shared) > _commits(local):
        shutil.rmtree(local, ignore_errors=True)
        shutil.copytree(shared, local)
    ended = threading.Event()
    copying = threading.Thread(target=_publish_often, args=(local, shared, ended), daemon=True)
    copying.start()
    try:
        yield local
    finally:
        ended.set()
        copying.join()
        if (local / "run.sqlite").exists():
            publish(local, shared)


def publish(local: Path, shared: Path) -> None:
    """Replace the shard in the run directory by the committed state here, file by file. Readers never see half of a
    file."""
    shared.mkdir(parents=True, exist_ok=True)
    draft = local / "copy.sqlite"
    draft.unlink(missing_ok=True)
    with closing(connect(local / "run.sqlite")) as log, closing(sqlite3.connect(draft)) as copy:
        log.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    there = shared / f".{os.getpid()}.tmp"
    shutil.copyfile(draft, there)
    os.replace(there, shared / "run.sqlite")
    write_manifest(shared, read_manifest(local))
    draft.unlink()


def _publish_often(local: Path, shared: Path, ended: threading.Event) -> None:
    while not ended.wait(PUBLISH_S):
        with suppress(ParleyError, OSError, sqlite3.Error):  # it is tried again, and at the end it must succeed
            publish(local, shared)


def _commits(shard: Path) -> int:
    """The transactions that a shard holds. -1 where there is no shard."""
    try:
        with closing(connect(shard / "run.sqlite")) as db:
            row = db.execute("SELECT n FROM commits").fetchone()
            return int(row[0]) if row else 0
    except (ParleyError, sqlite3.Error):
        return -1


def _scratch(out: Path) -> Path:
    """A directory on a disk of this machine, of this user, and of this run."""
    base = Path(tempfile.gettempdir()) / f"parley-shards-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    at = base.lstat()
    if base.is_symlink() or at.st_uid != os.getuid() or at.st_mode & 0o077:
        raise BadInput(f"{str(base)!r} is open to other users: remove it, or set TMPDIR to a directory of yours")
    if file_system(base) in NETWORK:
        raise BadInput(f"{str(base)!r} is on a network file system too: set TMPDIR to a local disk of this machine")
    return base / hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:16]
