"""Which entries of a menu a text speaks of, and which of them it chooses: none within a word, a denial or a question.

The rules are about words in English, with a few of other languages. They err on one side: what they do not understand
is no choice, and is asked for again.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

NOT_BEFORE = re.compile(
    r"\b(?:not|never|no|none|nor|neither|cannot|without|except|than|against|unlike|stop|if|whether|unless|until|"
    r"suppose|supposing|imagine|avoid\w*|reject\w*|refus\w*|exclud\w*|skip\w*|dismiss\w*|rul(?:e|es|ed|ing) out|"
    r"instead of|rather than|anything but|nothing but|mistake|wrong|bad idea|nicht|kein\w*|nie|statt|ohne|pas|jamais|"
    r"non|sans|nunca|evit\w*|nao|não|нет|не)\b|\w+n['’]t\b|不|别|勿|没",
    re.IGNORECASE,
)
NOT_AFTER = re.compile(
    r"\s*(?:\((?:no|not|wrong|bad)\b|[-–—:]\s*(?:no|not|wrong|bad)\b|"
    r"\s(?:\w+\s+){0,4}?(?:not|never|no|wrong|bad|worse|worst|mistake|"
    r"impossible|useless|pointless|dangerous|risky|too|fails?|failed|failing|out of the question|ruled out|"
    r"excluded|unwise|\w+n['’]t|nicht|falsch|pas)\b)",
    re.IGNORECASE,
)
CLAUSE = re.compile(
    r"[.!?;:\n。！？；：]+|→|=>|->|"
    r"\b(?:(?<!anything )(?<!nothing )but|so|therefore|thus|hence|instead(?! of)|however)\b",
    re.IGNORECASE,
)
MARKUP = r"[\s:=*_`\"'(\[{$\\]*"
PHRASE = re.compile(
    r"\b(?i:answer|choice|choose|choosing|chose|chosen|pick|picking|select|selecting|selected|selection|decision|decide|"
    r"option|letter|go(?:ing)? (?:with|for)|opt(?:ing)? for|prefer|vote for|final)\b"
    + MARKUP
    + r"(?:(?i:is|be|will be|would be|must be|should be|on|for|the|option|choice|letter|answer)\b"
    + MARKUP
    + r"){0,3}(?P<letter>[A-Z]{1,2})(?![\w'’-])"
)
AFTER_LETTER = re.compile(r"[\s*_`\"')\]}$]*(?:$|[.,;:!?\n—–]|(?:because|since|as|over|for now|here)\b)")
BEFORE = 400  # characters in which a clause begins
MOST = 400  # mentions; what names more chooses nothing
SENTENCE = re.compile(r"[.!?;\n。！？；]")
UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF))


def chosen(text: str, entries: Sequence[str]) -> set[int]:
    """The entries that a text names without denying them; both as `likeness.plain` makes them.

    One that is part of another one found there does not count.

    >>> chosen("not the door, but the corridor", ["door", "corridor"])
    {1}
    """
    found = ((i, entry) for i, entry in enumerate(entries) if entry and entry in text)
    spans = list(islice(((*place, i) for i, entry in found for place in _places(text, entry)), MOST + 1))
    if len(spans) > MOST:
        return set()
    outer = [(b, e, i) for b, e, i in spans if not any(c <= b and e <= f and (c, f) != (b, e) for c, f, _ in spans)]
    return {i for begin, end, i in outer if not denied(text, begin, end)}


def named(text: str, names: Sequence[str]) -> set[int]:
    """The entries whose letters a text chooses in so many words: "I choose B", "option B", "the answer is B"."""
    index = {name: i for i, name in enumerate(names)}
    found = set()
    for phrase in islice(PHRASE.finditer(text), MOST):
        begin, end = phrase.span("letter")
        i = index.get(phrase["letter"])
        if i is not None and _is_letter(text, end, phrase["letter"]) and not denied(text, phrase.start(), end):
            found.add(i)
    return found


def _is_letter(text: str, end: int, letter: str) -> bool:
    """Whether a letter stands for an entry, where it might be a word of English."""
    return letter not in ("A", "I") or bool(AFTER_LETTER.match(text, end))


def _places(text: str, entry: str) -> Iterator[tuple[int, int]]:
    """Where an entry stands as words of its own."""
    begin = text.find(entry)
    while begin >= 0:
        end = begin + len(entry)
        if not (joined(text[:begin][-2:], entry[0]) or _goes_on(text, end)):
            yield begin, end
        begin = text.find(entry, end)


def _goes_on(text: str, end: int) -> bool:
    return joined(text[end - 1 : end], text[end : end + 1], text[end + 1 : end + 2])


def joined(before: str, after: str, next_one: str = "") -> bool:
    """Whether what ends with `before` and what begins with `after` are one word or one number.

    Next to a hyphen, an apostrophe or a decimal point the character beyond it decides. `before` may hold two
    characters, and `next_one` is the one beyond `after`.
    """
    if not before or not after:
        return False
    last, first = before[-1], after[0]
    if _word(last) and _word(first):
        return not (_unspaced(last) or _unspaced(first))
    if unicodedata.category(first).startswith("M"):
        return True
    if last in "-'’‐_" and _word(first):
        return len(before) > 1 and _word(before[-2]) or (last == "-" and first.isdigit())
    if first in "-'’‐_" and _word(last):
        return bool(next_one) and _word(next_one)
    if last in ".,/" and first.isdigit():
        return len(before) > 1 and before[-2].isdigit()
    return first in ".,/" and last.isdigit() and bool(next_one) and next_one.isdigit()


def _word(c: str) -> bool:
    return c.isalnum() or c == "_"


@lru_cache(maxsize=4096)
def _unspaced(c: str) -> bool:
    """Whether a character is of a script that is written without spaces between words."""
    return any(low <= ord(c) <= high for low, high in UNSPACED)


def denied(text: str, begin: int, end: int) -> bool:
    """Whether what stands at `begin` to `end` is denied, doubted or asked about in its clause."""
    first, last = max(0, begin - BEFORE), len(text)
    for mark in CLAUSE.finditer(text, max(0, begin - BEFORE), begin):
        first = mark.end()
    if NOT_BEFORE.search(text, first, begin):
        return True
    if stop := CLAUSE.search(text, end):
        last = stop.start()
    if NOT_AFTER.match(text[end:last]):
        return True
    ends = SENTENCE.search(text, end)
    return ends is not None and ends[0] == "?"
