"""Notes and tags of runs: in a file of the user's own, never in a run directory."""

import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput

LONGEST_NOTE, LONGEST_TAG, MOST_TAGS = 4000, 40, 20


def usual_place() -> Path:
    """`$XDG_STATE_HOME/parley/notes.sqlite`, by default below `~/.local/state`."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state else Path.home() / ".local" / "state") / "parley" / "notes.sqlite"


class Notes:
    """What the user says of run directories, which are known by their absolute paths."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
            self._db.execute("CREATE TABLE IF NOT EXISTS notes(run TEXT PRIMARY KEY, note TEXT, tags TEXT)")
        except (sqlite3.Error, OSError) as wrong:
            raise BadInput(f"notes={str(path)!r} cannot be used as a file of notes: {wrong}") from None

    def of(self, out: Path) -> dict[str, Any]:
        """Note and tags of a run directory. Empty where the directory has no note."""
        with self._lock:
            row = self._db.execute("SELECT note, tags FROM notes WHERE run = ?", (str(out),)).fetchone()
        return {"note": row[0], "tags": json.loads(row[1])} if row else {"note": "", "tags": []}

    def put(self, out: Path, note: Any, tags: Any) -> dict[str, Any]:
        """Keep note and tags; raises `BadInput` where they are too long or no texts."""
        if not isinstance(note, str) or len(note) > LONGEST_NOTE:
            raise BadInput(f"note: expected a text of at most {LONGEST_NOTE} characters")
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise BadInput("tags: expected a list of texts")
        kept = list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
        if len(kept) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in kept):
            raise BadInput(f"tags: expected at most {MOST_TAGS}, of at most {LONGEST_TAG} characters each")
        safe = [text.encode(errors="backslashreplace").decode() for text in (note, json.dumps(kept))]
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (str(out), *safe))
        return {"note": safe[0], "tags": kept}

    def close(self) -> None:
        """Close the file."""
        self._db.close()
