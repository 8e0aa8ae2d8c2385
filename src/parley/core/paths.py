"""Paths that users name."""

import re
from pathlib import Path

from parley.core.errors import BadInput

ADDRESS = re.compile(r"([a-z][a-z0-9+]+:)/+")  # what a path makes of `s3://bucket/run`


def require_local(path: Path) -> None:
    """Raise `BadInput` where a path was an address, as of an object store.

    >>> require_local(Path("runs/first"))
    """
    if address := ADDRESS.match(str(path)):
        raise BadInput(
            f"{str(path)!r}: {address[1]} names an object store, and we read and write directories: mount the store, "
            "or copy the directory"
        )
