"""How many tokens several echoed texts share, whatever servers show of tokens.

Tokens are compared as servers show them, and they may look alike where they differ. The bytes of a character are all
shown as U+FFFD, and a space at the beginning may be lost. So no token counts as shared that may reach into the first
character in which the texts differ. To count a shared token as one that differs changes nothing but rounding: it has
the same log-probability in all texts.
"""

import re
from collections.abc import Sequence

UNKNOWN = "\ufffd"
BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
IDS = re.compile(r"token_id:\d+")  # tokens shown by number
FAR = 64  # characters that hidden tokens may span


def shared(tokens: Sequence[Sequence[str]], values: Sequence[Sequence[object]], texts: Sequence[str]) -> int:
    """The number of tokens with which all texts begin, at least; the texts are what the tokens spell.

    Tokens that are shown alike and have the same log-probabilities in all texts make no difference, and count too.
    """
    alike = _common(tokens)
    if not all(map(IDS.fullmatch, tokens[0])):
        same = min(alike, _common(values))
        alike = max(same, _within(tokens[0][:alike], texts[0], _common(texts)))
    return alike


def _common(several: Sequence[Sequence[object]]) -> int:
    """The number of elements with which all begin."""
    first, *others = several
    length = len(first)
    for other in others:
        low, high = 0, min(length, len(other))
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if first[low:middle] == other[low:middle] else (low, middle - 1)
        length = low
    return length


def _within(tokens: Sequence[str], text: str, end: int) -> int:
    """How many of the first tokens of a text lie before its character `end`."""
    at, sure = 0, 0  # where the next token begins, and how many tokens end before `end`
    hidden = False  # whether some tokens that have gone by are hidden
    for i, token in enumerate(tokens):
        begin = _place(token, text, at, hidden)
        if begin is None:
            if i == 0 or _is_special(token):
                sure = i + 1 if not hidden and at <= end else sure
                continue  # a mark that stands before the text
            hidden = True
            continue
        at, hidden = begin + len(_shown(token, text, begin)), False
        if at > end:
            return sure
        sure = i + 1
    return sure


def _place(token: str, text: str, at: int, hidden: bool) -> int | None:
    """Where a token stands in a text, at `at` or soon after; None where it shows nothing of its place."""
    if not token or UNKNOWN in token or BYTE.fullmatch(token):
        return None
    for form in dict.fromkeys((token, token.replace("▁", " "), token.replace("Ġ", " ").replace("Ċ", "\n"))):
        if text.startswith(form, at):
            return at
        spaces = at
        while text[spaces : spaces + 1] == " ":
            spaces += 1
        if spaces > at and text.startswith(form, spaces):
            return spaces
        if hidden and (found := text.find(form, at + 1, at + FAR + len(form))) >= 0:
            return found
    return None


def _shown(token: str, text: str, begin: int) -> str:
    """The form of a token that stands in a text."""
    forms = (token, token.replace("▁", " "), token.replace("Ġ", " ").replace("Ċ", "\n"))
    return next((form for form in forms if text.startswith(form, begin)), token)


def _is_special(token: str) -> bool:
    return token.startswith(("<", "[")) and token.endswith((">", "]")) and not BYTE.fullmatch(token)
