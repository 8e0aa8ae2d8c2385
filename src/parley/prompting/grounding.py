"""Actions in a model's own words: the entry of a menu that they mean, or the utterance where any words will do."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from parley.prompting.answers import parse
from parley.prompting.mentions import NOT_BEFORE

NEAR = 0.75  # likeness from which words are taken for an entry ...
APART = 0.05  # ... if no other entry is as like them
SLIP = 0.8  # likeness of two words, from which they differ by a slip alone
BETWEEN = ("in", "into", "on", "onto", "to", "from", "with", "at", "of")  # words that tell no two actions apart here
LONGEST = 200  # characters of an utterance
MARK = re.compile(r"^(?:action|answer|command|next action)\s*[:=]\s*", re.IGNORECASE)


def said_to_do(answer: str) -> str:
    """What an answer says to do: its last line that is not blank, without marks around it.

    >>> said_to_do("I should look first.\\n> look around.")
    'look around'
    >>> said_to_do("Action: take the red key")
    'take the red key'
    """
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    words = lines[-1].lstrip(">*- ").strip() if lines else ""
    return MARK.sub("", words).strip().strip("\"'`*_").rstrip(".! ").strip()[:LONGEST]


def grounded(answer: str, menu: Sequence[str]) -> int | None:
    """The entry that an answer means: itself, the same but for case and marks, or the one that is nearest.

    Likeness is that of the words' letters (Ratcliff and Obershelp 1988); None where nothing is near, or two are. An
    entry with another word in the place of one that was said is not near, however like it is.

    >>> menu = ["take red key from table", "open iron door", "go north"]
    >>> grounded("I take the red key from the table", menu), grounded("Go north!", menu), grounded("sing", menu)
    (0, 2, None)
    >>> grounded("go south", menu), grounded("open wooden door", menu), grounded("open irn door", menu)
    (None, None, 1)
    """
    exact = parse(answer, menu, lettered=False)
    if exact is not None:
        return exact
    words = _plain(said_to_do(answer))
    if not words:
        return None
    together = [i for i, entry in enumerate(menu) if _plain(entry).replace(" ", "") == words.replace(" ", "")]
    if len(together) == 1:
        return together[0]
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(words)
    likeness = []
    for entry in menu:
        matcher.set_seq1(_plain(entry))
        if bool(NOT_BEFORE.search(words)) != bool(NOT_BEFORE.search(_plain(entry))):
            likeness.append(0.0)  # a denial is near what it denies
            continue
        enough = matcher.real_quick_ratio() >= NEAR and matcher.quick_ratio() >= NEAR
        likeness.append(matcher.ratio() if enough and not _another(words, _plain(entry)) else 0.0)
    first, *rest = sorted(likeness, reverse=True)
    return likeness.index(first) if first >= NEAR and (not rest or first - rest[0] >= APART) else None


def _another(said: str, entry: str) -> bool:
    """Whether each of two texts has a word that the other lacks: north for south, a wooden door for an iron one."""
    mine, theirs = ([word for word in text.split() if word not in BETWEEN] for text in (said, entry))
    return _lacks(mine, theirs) and _lacks(theirs, mine)


def _lacks(words: Sequence[str], others: Sequence[str]) -> bool:
    return not all(any(_misspelt(word, other) for other in others) for word in words)


def _misspelt(word: str, other: str) -> bool:
    """Whether two words are the same but for a slip; numbers never are."""
    if word == other or word[0] != other[0] or not (word.isalpha() and other.isalpha()):
        return word == other
    return SequenceMatcher(None, word, other, autojunk=False).ratio() >= SLIP


def _plain(text: str) -> str:
    """Words without articles, pronouns, case and marks."""
    return " ".join(word for word in re.findall(r"\w+", text.lower()) if word not in ("the", "a", "an", "i", "my"))
