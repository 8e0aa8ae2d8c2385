"""Paths that users name."""

import errno
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput

ADDRESS = re.compile(r"([a-z][a-z0-9+]+:)/+")  # what a path makes of `s3://bucket/run`

LARGEST = 64 << 20  # bytes of a file that is read at once


def content(path: Path, largest: int = LARGEST) -> bytes:
    """The bytes of a file; raises `OSError` where it is no plain file, on which a reader could wait for ever, or large.

    >>> content(Path("/"))
    Traceback (most recent call last):
    IsADirectoryError: [Errno 21] it is no plain file: '/'
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EISDIR, "it is no plain file", str(path))
    with open(path, "rb") as file:
        found = file.read(largest + 1)
    if len(found) > largest:
        raise OSError(errno.EFBIG, f"it is larger than {largest >> 20} MiB", str(path))
    return found


def read_json(path: Path, constant: Callable[[str], Any] | None = None) -> Any:
    """The JSON in a file; raises `OSError` or `ValueError`. `constant` is called for NaN and infinities."""
    try:
        return json.loads(content(path).decode("utf-8-sig"), parse_constant=constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def address(path: Path | str) -> str:
    """The address that a path was, as of an object store; empty where it is a path.

    >>> address(Path("s3://bucket/run")), address(Path("runs/first"))
    ('s3://bucket/run', '')
    """
    if not (found := ADDRESS.match(str(path))):
        return ""
    rest, root = str(path)[found.end() :].rstrip("/"), "/" if found[1] in ("file:", "local:") else ""
    return f"{found[1]}//{root}{rest}"


def require_local(path: Path) -> None:
    """Raise `BadInput` where a path was an address, as of an object store.

    >>> require_local(Path("runs/first"))
    """
    if found := ADDRESS.match(str(path)):
        raise BadInput(
            f"{str(path)!r}: {found[1]} names an object store. Runs are kept there (`parley run --out`), and nothing "
            "else: name a directory"
        )
