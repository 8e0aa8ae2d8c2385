"""Prompts and answers in a run's log, once each, by hash; a prompt that goes on from another one as what it adds.

Table `texts` holds whole texts. Table `pieces` holds those that begin as an earlier one does: the first `kept`
characters of text `base`, then `text`. A chain of pieces ends in a whole text after at most `LONGEST` of them.
"""

import hashlib
import sqlite3
from collections import OrderedDict
from dataclasses import dataclass, field

from parley.core.errors import RunDamaged

TEXT = "INSERT OR IGNORE INTO texts VALUES (?, ?)"
PIECE = "INSERT OR IGNORE INTO pieces VALUES (?, ?, ?, ?)"
LONGEST = 64  # pieces of a chain
RECENT = 256  # texts that a reader keeps
LEAST = 256  # characters in common that are worth a piece
MOST = 1 << 26  # characters of a text, and bytes of a cell; more is no prompt


def hashed(text: str) -> str:
    """By what a text is known."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


@dataclass
class Texts:
    """Makes the statements that keep prompts; `_last` is the prompt of each run that came last, and its chain."""

    _last: dict[int, tuple[str, str, int]] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)

    def kept(self, run: int, prompt: str) -> tuple[str, list[tuple[str, tuple[object, ...]]]]:
        """The hash of a prompt of a run, and what keeps it: nothing, where it is kept already."""
        key = hashed(prompt)
        if key in self._known:
            return key, []
        base, text, depth = self._last.get(run, ("", "", LONGEST))
        shared = common(text, prompt) if depth < LONGEST else 0
        whole = shared < LEAST or shared < len(prompt) // 4
        self._last[run] = (key, prompt, 0 if whole else depth + 1)
        self._known.add(key)
        return key, [(TEXT, (key, prompt))] if whole else [(PIECE, (key, base, shared, prompt[shared:]))]


def common(a: str, b: str) -> int:
    """The number of characters with which both begin."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle - 1)
    return low


class Reader:
    """Reads whole texts of a log by their hashes; those that were read last are kept, as others go on from them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db, self._last = db, OrderedDict[str, str]()
        # Logs of versions before have no pieces.
        self._pieces = bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'pieces'").fetchone())

    def read(self, key: str) -> str | None:
        """A text, or None; raises `RunDamaged` if a piece has lost its beginning."""
        pieces: list[tuple[str, int, str]] = []
        while len(pieces) <= LONGEST:
            text = self._last.get(key) or self._whole(key)
            if text is not None:
                for key, kept, more in reversed(pieces):
                    if kept + len(more) > MOST:
                        raise RunDamaged(f"run.sqlite: a prompt of {kept + len(more)} characters is no prompt")
                    text = self._keep(key, text[:kept] + more)
                return text
            piece = self._piece(key)
            if piece is None:
                break
            pieces.append((key, *piece[1:]))
            key = piece[0]
        if pieces:
            raise RunDamaged("run.sqlite: the beginning of a prompt is missing in its tables texts and pieces")
        return None

    def _keep(self, key: str, text: str) -> str:
        self._last[key] = text
        if len(self._last) > RECENT:
            self._last.popitem(last=False)
        return text

    def _bound(self, table: str, key: str) -> None:
        """Raise `RunDamaged` where a cell is larger than any prompt; its size is known without reading it."""
        row = self._db.execute(f"SELECT length(CAST(text AS BLOB)) FROM {table} WHERE hash = ?", (key,)).fetchone()
        if row is not None and isinstance(row[0], int) and row[0] > 4 * MOST:
            raise RunDamaged(f"run.sqlite: a cell of its table {table} holds {row[0]} bytes: no prompt has so many")

    def _whole(self, key: str) -> str | None:
        self._bound("texts", key)
        row = self._db.execute("SELECT text FROM texts WHERE hash = ?", (key,)).fetchone()
        if row is not None and not isinstance(row[0], str):
            raise RunDamaged("run.sqlite: a cell of its table texts is no text")
        return None if row is None else row[0]

    def _piece(self, key: str) -> tuple[str, int, str] | None:
        """Its base, how many characters of it are kept, and what follows them."""
        if not self._pieces:
            return None
        self._bound("pieces", key)
        row = self._db.execute("SELECT base, kept, text FROM pieces WHERE hash = ?", (key,)).fetchone()
        if row is not None and not all(map(isinstance, row, (str, int, str))):
            raise RunDamaged("run.sqlite: a cell of its table pieces is not what a run writes there")
        found: tuple[str, int, str] | None = row
        return found
