"""A run's directory: its manifest, written atomically, and the refusals of what is not a run directory."""

import errno
import json
import os
import platform
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput, ParleyError, RunDamaged

FORMAT = "parley-run/1"
STATUSES = ("started", "finished", "interrupted", "failed")
PACKAGES = ("parley-rl", "numpy", "gymnasium", "safetensors")


def begin(out: Path, entries: dict[str, Any]) -> dict[str, Any]:
    """Make `out` a run directory; refuses one that holds anything already."""
    with storage(out):
        try:
            out.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise BadInput(f"out={str(out)!r} is a file: name a directory that is new or empty") from None
        if any(path.name != "manifest.json.tmp" for path in out.iterdir()):
            raise BadInput(
                f"out={str(out)!r} is not empty: name a new directory, or continue with `parley resume {out}`"
            )
    manifest = {"format": FORMAT, "status": "started", **entries, "versions": versions(), "process": process()}
    write_manifest(out, manifest)
    return manifest


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
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: it is there whole, or as it was before."""
    draft = path.with_name(path.name + ".tmp")
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(content)
            os.replace(draft, path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


def write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    """Replace the manifest in one step: a reader sees the old one or the new one, whole."""
    with storage(out):
        draft = out / "manifest.json.tmp"
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, out / "manifest.json")


def read_manifest(out: Path) -> dict[str, Any]:
    """The manifest of a run directory; raises `RunDamaged` saying what is wrong with it."""
    path = out / "manifest.json"
    if not out.is_dir():
        raise BadInput(f"{str(out)!r}: there is no such run directory")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunDamaged(f"{str(out)!r} is not a run directory: it has no manifest.json") from None
    except (ValueError, OSError) as wrong:
        raise RunDamaged(f"{str(path)!r} cannot be read: {wrong}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise RunDamaged(f"{str(path)!r} has format {found!r}; this version reads {FORMAT!r}")
    missing = [
        name for name in ("status", "config", "latents", "horizon", "machine", "versions") if name not in manifest
    ]
    if missing or manifest["status"] not in STATUSES:
        raise RunDamaged(
            f"{str(path)!r} is damaged: {missing[0] + ' is missing' if missing else 'its status is unknown'}"
        )
    return manifest


@contextmanager
def storage(out: Path) -> Iterator[None]:
    """Say in one sentence what kept us from writing."""
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
