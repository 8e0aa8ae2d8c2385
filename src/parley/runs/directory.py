"""A run's directory: its manifest, written atomically, and the refusals of any other directory."""

import errno
import json
import os
import platform
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput, ParleyError, RunDamaged
from parley.core.paths import require_local
from parley.core.text import raised, shown
from parley.runs.cells import short
from parley.runs.lock import NAME as LOCK
from parley.runs.ownership import signature
from parley.runs.seals import MARK

FORMAT = "parley-run/1"
FILES = ("manifest.json", "run.sqlite", "run.sqlite-wal", "run.sqlite-shm", "run.sqlite-journal", LOCK, MARK)
ENTRIES: dict[str, Any] = {
    **dict.fromkeys(("status",), str),
    **dict.fromkeys(("config", "machine", "versions", "totals", "inputs", "code", "planner", "expert"), dict),
    **dict.fromkeys(("latents", "given", "changed"), list),
    "horizon": int,
    "menus": list | None,
    "signature": str,
    "on": str,  # where its shards were carried out
    "shard": dict,  # which runs of a run a shard holds: first_run, num_runs
}
OPTIONAL = ("totals", "inputs", "code", "planner", "expert", "given", "menus", "signature", "changed", "on", "shard")
LARGEST = 64 * 2**20  # bytes of a manifest
STATUSES = ("started", "finished", "interrupted", "failed")
PACKAGES = ("parley-rl", "numpy", "gymnasium", "safetensors")


def begin(out: Path, entries: dict[str, Any]) -> dict[str, Any]:
    """Make `out` a run directory; refuses one that holds anything already."""
    require_new(out)
    about = {**entries, "versions": versions(), "process": process()}
    manifest = {"format": FORMAT, "status": "started", **about}
    if signed := signature(manifest):
        manifest["signature"] = signed
    write_manifest(out, manifest)
    return manifest


def require_new(out: Path) -> None:
    """Make the directory `out`; raises `BadInput` where it is there and holds anything."""
    with storage(out):
        try:
            out.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise BadInput(f"out={str(out)!r} is a file: name a directory that is new or empty") from None
        if any(path.name not in (LOCK, MARK) and path.suffix != ".tmp" for path in out.iterdir()):
            raise BadInput(
                f"out={str(out)!r} is not empty: name a new directory, or continue with `parley resume {out}`"
            )


def require_plain(out: Path) -> None:
    """Raise `BadInput` where a file that is written or read in `out` is a link to somewhere else, or no file."""
    for name in FILES:
        path = out / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise BadInput(
                f"{str(path)!r} is no plain file but a link or something else: it is neither read nor written"
            )


def process() -> dict[str, Any]:
    """Who works on a run, for those who look at it: host, process id, and when that process began (None: not known)."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "began": _began(os.getpid())}


def at_work(process: dict[str, Any]) -> bool | None:
    """Whether the process that a manifest names is still there; None where that cannot be told from here."""
    if process.get("host") != socket.gethostname() or not isinstance(process.get("pid"), int):
        return None
    try:
        os.kill(process["pid"], 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    began = _began(process["pid"])
    return began is None or process.get("began") is None or began == process["began"]


def _began(pid: int) -> int | None:
    """When a process began, in clock ticks since the machine started (Linux); a process id may be given out again."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers may depend on."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


@cache  # what a process has imported stays what it is
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: it is there whole, or as it was before."""
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: whatever lies in a stranger's directory, a link among it, is not written through.
        file, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        draft = Path(name)
        try:
            with open(file, "wb") as open_file:
                open_file.write(content)
                open_file.flush()
                os.fsync(open_file.fileno())
            draft.chmod(0o666 & ~UMASK)
            os.replace(draft, path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


UMASK = os.umask(0o077)  # the permissions that new files are not to have; it is read by setting it
os.umask(UMASK)


def write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    """Replace the manifest in one step: a reader sees the old one or the new one, whole."""
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    write_whole(out / "manifest.json", text.encode("utf-8", "backslashreplace"))


def read_manifest(out: Path) -> dict[str, Any]:
    """The manifest of a run directory; raises `RunDamaged`, which names the damage."""
    path = out / "manifest.json"
    if not out.is_dir():
        raise BadInput(f"{str(out)!r}: there is no such run directory")
    require_plain(out)
    try:
        if path.stat().st_size > LARGEST:
            raise RunDamaged(f"{str(path)!r} is no manifest: it is larger than {LARGEST >> 20} MiB")
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunDamaged(f"{str(out)!r} is not a run directory: it has no manifest.json") from None
    except RecursionError:
        raise RunDamaged(f"{str(path)!r} cannot be read: it is nested too deeply") from None
    except RunDamaged:
        raise
    except (ValueError, OSError) as wrong:
        raise RunDamaged(f"{str(path)!r} cannot be read: {wrong}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise RunDamaged(f"{str(path)!r} has format {found!r}; this version reads {FORMAT!r}")
    for name, kind in ENTRIES.items():
        if name not in manifest and name not in OPTIONAL:
            raise RunDamaged(f"{str(path)!r} is damaged: {name} is missing")
        found = manifest.get(name)
        if name in manifest and (not isinstance(found, kind) or isinstance(found, bool)):
            raise RunDamaged(f"{str(path)!r} is damaged: its {name} is {short(found)}, which no run writes there")
    if manifest["status"] not in STATUSES:
        raise RunDamaged(f"{str(path)!r} is damaged: its status is unknown")
    if not all(isinstance(name, str) for name in manifest["latents"]):
        raise RunDamaged(f"{str(path)!r} is damaged: a latent is no text")
    return manifest


def _nameable(out: Path) -> bool:
    try:
        return b"\0" not in os.fsencode(out)
    except UnicodeEncodeError:
        return False


@contextmanager
def storage(out: Path) -> Iterator[None]:
    """Say in one sentence what kept us from writing."""
    require_local(out)
    if not _nameable(out):
        raise BadInput(f"{shown(str(out))} cannot be the name of a file: it holds a character that no name may hold")
    try:
        yield
    except OSError as wrong:
        if wrong.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ParleyError(
                f"no space left for {str(out)!r}: what was recorded stands; free some space and resume"
            ) from wrong
        raise BadInput(f"cannot write to {str(out)!r}: {wrong.strerror or wrong}") from wrong
    except sqlite3.OperationalError as wrong:
        if "full" in str(wrong) or "disk I/O" in str(wrong):
            raise ParleyError(
                f"no space left for {str(out)!r}: what was recorded stands; free some space and resume"
            ) from wrong
        raise ParleyError(f"{str(out)!r}: the database refuses: {wrong}") from wrong
    except sqlite3.DatabaseError as wrong:
        raise RunDamaged(f"{str(out / 'run.sqlite')!r} is damaged: {wrong}") from wrong


@contextmanager
def agreeing(out: Path) -> Iterator[None]:
    """Say in one sentence where a log cannot be what a run wrote: what reads it trips over it in many ways."""
    try:
        yield
    except (ParleyError, OSError):
        raise
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError) as wrong:
        said = raised(wrong, 200)
        raise RunDamaged(f"{str(out / 'run.sqlite')!r} does not agree with itself: {said}") from wrong
