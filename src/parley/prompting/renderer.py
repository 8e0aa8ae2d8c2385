"""The process in which templates from files are rendered (`prompting.bounded`)."""

import json
import sys
from typing import IO, Any

from parley.core.errors import BadInput
from parley.prompting.bounded import MEMORY
from parley.prompting.template import rendered

LONGEST = 1 << 22  # characters of a text


def main() -> None:
    """Answer the questions on standard input, one JSON a line, until it ends."""
    asks, says = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    _limit()
    _say(says, {})
    for line in asks:
        _say(says, _answer(json.loads(line)))


def _limit() -> None:
    try:
        import resource
    except ImportError:
        return  # Windows
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    name = question["name"]
    try:
        text = rendered(name, question["source"], question["block"], question["said"])
    except BadInput as wrong:
        return {"wrong": str(wrong)}
    except (RecursionError, MemoryError, OverflowError) as wrong:
        return {"wrong": f"template={name!r}: {type(wrong).__name__}: it nests too deep or grows too large"}
    except Exception as wrong:  # whatever somebody's template makes Jinja raise
        return {"wrong": f"template={name!r}: {type(wrong).__name__}: {wrong}"}
    return (
        {"text": text} if len(text) <= LONGEST else {"wrong": f"template={name!r} makes more than {LONGEST} characters"}
    )


def _say(says: IO[bytes], answer: dict[str, Any]) -> None:
    says.write(json.dumps(answer).encode() + b"\n")
    says.flush()
