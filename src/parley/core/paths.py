"""Paths that users name."""

import re
from pathlib import Path

from parley.core.errors import BadInput

ADDRESS = re.compile(r"([a-z][a-z0-9+]+:)/+")  # what a path makes of `s3://bucket/run`


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
