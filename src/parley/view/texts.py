"""What leaves the viewer: JSON in which every text is inert, and every number one that JSON has."""

import math
from typing import Any

import numpy as np
import orjson

from parley.core.text import inert

LONGEST = 20_000  # characters of a text, but for prose
LONGEST_PROSE = 400_000
DEEPEST = 60


class Prose(str):
    """A text whose line breaks are shown as such: a prompt, an answer."""


def encoded(answer: Any) -> bytes:
    """An answer as JSON."""
    return orjson.dumps(shown(answer), option=orjson.OPT_SERIALIZE_NUMPY)


def shown(value: Any, depth: int = 0) -> Any:
    """The same value, fit to be shown: control and formatting characters of all texts, keys too, are spelt out."""
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value)
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value) if abs(value) < 10**300 else "a huge number"
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if depth > DEEPEST:
        return "..."
    if isinstance(value, dict):
        return {_text(str(key)): shown(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [shown(one, depth + 1) for one in value]
    return _text(repr(value))


def _text(text: str) -> str:
    if text.isprintable() and len(text) < LONGEST:
        return str(text)
    if isinstance(text, Prose):
        kept = text if len(text) <= LONGEST_PROSE else text[:LONGEST_PROSE] + "\n..."
        return "\n".join(
            line if line.isprintable() else inert(line.replace("\t", "    "), len(kept)) for line in kept.split("\n")
        )
    return inert(text, LONGEST)
