"""A directory that is whole or not there at all: a model is written beside its place, then moved there."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput, ParleyError


@contextmanager
def draft_of(what: str, out: Path) -> Iterator[Path]:
    """A directory beside `out`, to be written within; then it is `out`, which must be empty or not there.

    Raises `BadInput` where nothing can be written there, and `ParleyError` where writing `what` fails.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as wrong:
        raise BadInput(f"out={str(out)!r} cannot be written: {wrong.strerror or wrong}") from wrong
    try:
        yield draft
        draft.chmod(0o755)
        if out.exists():
            out.rmdir()
        os.replace(draft, out)
    except OSError as wrong:
        raise ParleyError(f"the {what} could not be written to {str(out)!r}: {wrong.strerror or wrong}") from wrong
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_about(path: Path, about: Mapping[str, Any]) -> None:
    """The entries as JSON, for people to read."""
    path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
