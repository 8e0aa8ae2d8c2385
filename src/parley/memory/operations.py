"""Changes to a list that a model asks for, one a line: all other lines are ignored and counted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from parley.memory.learned import plain

MOST_TEXT = 20_000  # characters of an answer that are looked at
_NAMED = re.compile(r"[^\w]{0,8}([A-Za-z]{2,12})\b(.*)")
_NUMBERED = re.compile(r"[^\w]{0,8}(\d{1,6})\b[^\w]{0,8}(.*)")
_WRITTEN = re.compile(r"[^\w:]{0,4}(?:\d{1,6})?[^\w:]{0,4}:(.*)")


@dataclass(frozen=True)
class Operation:
    """`kind` in capitals; the number of the item that is meant, -1 for a new one; and its new text."""

    kind: str
    number: int = -1
    text: str = ""


def operations(answer: str, new: Sequence[str], old: Sequence[str], most: int) -> tuple[list[Operation], int]:
    """The first `most` operations of an answer, and how many other lines it has.

    Kinds in `new` are written `ADD: text`, those in `old` `EDIT 3: text` or `AGREE 3`. An item is changed once.
    """
    found, lines = list[Operation](), [line for line in answer[:MOST_TEXT].splitlines() if line.strip()]
    for line in lines:
        operation = _operation(line, new, old)
        again = operation and operation.number in {one.number for one in found if one.number >= 0}
        if operation and not again and len(found) < most:
            found.append(operation)
    return found, len(lines) - len(found)


def _operation(line: str, new: Sequence[str], old: Sequence[str]) -> Operation | None:
    named = _NAMED.match(line)
    kind = named[1].upper() if named else ""
    if named and kind in new:
        written = _WRITTEN.match(named[2])
        text = plain(written[1]) if written else ""
        return Operation(kind, text=text) if text else None
    if named and kind in old:
        numbered = _NUMBERED.match(named[2])
        return Operation(kind, int(numbered[1]), plain(numbered[2])) if numbered else None
    return None
