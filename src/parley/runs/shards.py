"""Shards: run directories below a run directory, each with some cohorts of one run; read as one, or merged into one.

`OUT/manifest.json` tells of the whole run, `OUT/shards/NAME/` holds a `manifest.json` and a `run.sqlite` of its own.
"""

import atexit
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from parley.core.errors import RunDamaged
from parley.runs import untouched
from parley.runs.directory import read_manifest
from parley.runs.schema import INDEXES, SCHEMA
from parley.runs.texts import TEXT, Reader

FOLDER = "shards"
KEPT = 4  # gathered logs that a process keeps
# Tables of a log in the order in which they are copied; rows of the first kind can be in several shards.
SHARED, OWN = ("menus", "texts", "pieces"), ("episodes", "steps", "low_level", "cuts", "calls", "seals", "snapshots")


def is_shard(out: Path) -> bool:
    """Whether a run directory is a part of the one above it."""
    return out.parent.name == FOLDER and (out.parent.parent / "manifest.json").is_file()


def is_sharded(out: Path) -> bool:
    """Whether what a run directory recorded stands in shards."""
    return not (out / "run.sqlite").exists() and (out / FOLDER).is_dir()


def shards_of(out: Path) -> list[Path]:
    """The shards of a run that have begun, in the order of their runs; each must be of this run."""
    found = sorted(one for one in (out / FOLDER).iterdir() if (one / "run.sqlite").is_file())
    if not found:
        return []
    config = read_manifest(out)["config"]
    for one in found:
        if one.is_symlink():
            raise RunDamaged(f"{str(one)!r} is a link: shards are read in the run directory only")
        if read_manifest(one)["config"] != config:
            raise RunDamaged(f"{str(one)!r} is a shard of another run than {str(out)!r}: their configurations differ")
    return found


def files_of(out: Path) -> Iterator[Path]:
    """The files that change while a run goes on, also where it does so in shards."""
    folders = [out, *(sorted((out / FOLDER).iterdir()) if is_sharded(out) else [])]
    for folder in folders:
        for name in ("manifest.json", "run.sqlite", "run.sqlite-wal"):
            yield folder / name


def connect(path: Path) -> sqlite3.Connection:
    """A connection that can only read the log `path`, or where it is in shards, all of them as one log."""
    return _GATHERED.connect(path.parent) if is_sharded(path.parent) else untouched.connect(path)


class _Gathered:
    """Temporary copies of logs that are in shards, made again where a shard has changed; gone with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._made: dict[Path, tuple[list[Any], Path]] = {}
        self._count = 0

    def connect(self, out: Path) -> sqlite3.Connection:
        with self._lock:
            stamp = [(str(file), *_stamp(file)) for file in files_of(out)]
            known = self._made.pop(out.resolve(), None)
            if known is None or known[0] != stamp:
                if known:
                    known[1].unlink(missing_ok=True)
                known = (stamp, self._gather(out))
            self._made[out.resolve()] = known
            while len(self._made) > KEPT:
                self._made.pop(next(iter(self._made)))[1].unlink(missing_ok=True)
            uri = f"{known[1].as_uri()}?mode=ro&immutable=1"
            return sqlite3.connect(uri, uri=True, check_same_thread=False)

    def _gather(self, out: Path) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="parley-gathered-"))
            atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self._count += 1
        path = self._folder / f"{self._count}.sqlite"
        gather(shards_of(out), path)
        return path


_GATHERED = _Gathered()


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        at = file.stat()
    except OSError:
        return ()
    return at.st_mtime_ns, at.st_size, at.st_ino


def gather(shards: Iterable[Path], path: Path) -> None:
    """Make the new file `path` one log of all `shards`, with the indexes of a finished one.

    What a shard commits meanwhile is in it or not; each shard is taken at one moment.
    """
    with closing(sqlite3.connect(path, uri=True, isolation_level=None)) as db:
        for setting in ("journal_mode=OFF", "synchronous=OFF"):  # a draft: it counts once it is whole
            db.execute(f"PRAGMA {setting}")
        db.executescript(SCHEMA)
        for shard in shards:
            _absorb(db, shard)
        db.execute("DELETE FROM pieces WHERE hash IN (SELECT hash FROM texts)")
        try:
            for sql in INDEXES:
                db.execute(sql)
        except sqlite3.IntegrityError as twice:
            raise RunDamaged(f"two shards below {str(path.parent)!r} hold the same episode: {twice}") from twice
        query = "INSERT OR REPLACE INTO commits SELECT 0, count(*) FROM seals"
        db.execute(query)


def _absorb(db: sqlite3.Connection, shard: Path) -> None:
    """Copy the rows of a shard."""
    with _attached(db, shard / "run.sqlite"):
        db.execute("BEGIN")
        here = {name for (name,) in db.execute("SELECT name FROM shard.sqlite_master WHERE type = 'table'")}
        if "pieces" in here:
            _cut_loose(db, shard)
        for table in (*SHARED, *OWN):
            if table in here:
                known = [row[1] for row in db.execute(f"PRAGMA shard.table_info({table})")]
                names = [row[1] for row in db.execute(f"PRAGMA main.table_info({table})") if row[1] in known]
                columns = ", ".join(f'"{name}"' for name in names)
                how = "INSERT OR IGNORE" if table in SHARED else "INSERT"
                db.execute(f"{how} INTO main.{table}({columns}) SELECT {columns} FROM shard.{table} ORDER BY rowid")
        db.execute("COMMIT")


def _cut_loose(db: sqlite3.Connection, shard: Path) -> None:
    """Keep whole what goes on from a text that another shard has in pieces: so no chain gets longer than in a shard."""
    known = "SELECT 1 FROM main.pieces m WHERE m.hash"
    query = f"SELECT p.hash FROM shard.pieces p WHERE EXISTS ({known} = p.base) AND NOT EXISTS ({known} = p.hash)"
    loose = [key for (key,) in db.execute(query)]
    if loose:
        with closing(untouched.connect(shard / "run.sqlite")) as log:
            reader = Reader(log)
            db.executemany(TEXT, [(key, reader.read(key)) for key in loose])


@contextmanager
def _attached(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """A log as the schema `shard`, to read."""
    uri = untouched.address(path)
    db.execute("ATTACH ? AS shard", (uri,))
    try:
        if uri.endswith(untouched.ALONE):
            db.execute("PRAGMA shard.locking_mode=EXCLUSIVE")
        yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.execute("DETACH shard")
