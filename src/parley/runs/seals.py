"""Seals: a reader gets exactly what was committed. A checksum a lockstep, and a count of commits outside the database.

A seal tells of a cell that was altered and of a row that is gone. The count tells of a log that ends before what was
committed, as where `run.sqlite-wal` was not copied along with `run.sqlite`.
"""

import hashlib
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

MARK = "run.mark"  # beside the database: commits, and the boot of the machine in which they were made
_MARK = struct.Struct("<Q16s")

Row = tuple[Any, ...]


def digest(rows: Sequence[Row]) -> str:
    """The checksum of the rows of one lockstep, in the order of their runs."""
    try:
        text = _packed(rows)
    except TypeError:
        # The database keeps the value of a text of a subclass, as NumPy's are.
        rows = [tuple(str.__str__(cell) if isinstance(cell, str) else cell for cell in row) for row in rows]
        try:
            text = _packed(rows)
        except TypeError:  # half a surrogate pair, or bytes where there should be text
            text = repr(rows).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def _packed(rows: Sequence[Row]) -> bytes:
    return orjson.dumps(rows, option=orjson.OPT_PASSTHROUGH_SUBCLASS)


def menu_key(text: str) -> str:
    """The key of a menu in a log: a digest of its text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Mark:
    """How many transactions were committed, in a file that is written in place after each of them."""

    def __init__(self, out: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        self._file = os.open(out / MARK, flags, 0o644)
        self._boot = boot()

    def set(self, commits: int) -> None:
        """So many transactions are committed."""
        os.pwrite(self._file, _MARK.pack(commits, self._boot), 0)

    def close(self) -> None:
        os.close(self._file)


def read_mark(out: Path) -> tuple[int, bool] | None:
    """Commits that were made, and whether since the machine was started last; None where there is no mark."""
    try:
        commits, when = _MARK.unpack((out / MARK).read_bytes())
    except (OSError, struct.error):
        return None
    return commits, when == boot()


def boot() -> bytes:
    """What tells one start of this machine from another: after a power cut the last commits may be gone."""
    try:
        return hashlib.blake2b(Path("/proc/sys/kernel/random/boot_id").read_bytes(), digest_size=16).digest()
    except OSError:
        return bytes(16)
