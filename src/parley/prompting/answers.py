"""Answers of language models: what they choose from a menu, whatever else they say; never anything off the menu.

The menu stands in the prompt one subgoal a line, `A. walk on`; an answer may be the letter, the line or the sentence.
"""

import json
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

LINES = 200  # of an answer that are looked at
READ = 20_000  # characters of an answer that are looked at, from its end: megabytes are no answer
FINAL = "answer:"
AROUND = string.whitespace + "\"'`*_.,:;!>()[]{}<«»“”‘’"


def letters(count: int) -> list[str]:
    """Names of the entries of a menu: A to Z, then AA, AB, ...

    >>> letters(28)[-3:]
    ['Z', 'AA', 'AB']
    """
    return [_letter(i) for i in range(count)]


def _letter(index: int) -> str:
    name = ""
    while index >= 0:
        index, digit = divmod(index, 26)
        name, index = string.ascii_uppercase[digit] + name, index - 1
    return name


def parse(answer: str, menu: Sequence[str]) -> int | None:
    """The index of what an answer chooses from `menu`, None where that is not exactly one entry.

    Only the end of a long answer is read, and what follows its last `Answer:` where there is one.

    >>> parse("I think the back door. Answer: B", ["walk on", "try the back door"])
    1
    >>> parse("> Walk on!", ["walk on", "try the back door"])
    0
    """
    said, listed = answer[-READ:], _Listed.of(tuple(menu))
    at = said.lower().rfind(FINAL)
    if at >= 0:
        said = said[at + len(FINAL) :]
    said = _json_choice(said) or said
    for read in (listed.entry, listed.lines, listed.inside):
        chosen = read(said)
        if chosen:
            return chosen.pop() if len(chosen) == 1 else None
    return None


def _json_choice(said: str) -> str | None:
    """The value of an object with one entry, as constrained output gives it."""
    begin, end = said.find("{"), said.rfind("}")
    if not 0 <= begin < end:
        return None
    try:
        found = json.loads(said[begin : end + 1])
    except (ValueError, RecursionError):
        return None
    value = next(iter(found.values())) if isinstance(found, dict) and len(found) == 1 else None
    return value if isinstance(value, str) else None


def _plain(text: str) -> str:
    return " ".join(text.strip(AROUND).casefold().split())


@dataclass(frozen=True)
class _Listed:
    """A menu made ready to be looked up: its sentences without case and punctuation, and where each stands."""

    plain: list[str]
    at: dict[str, set[int]]

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, menu: tuple[str, ...]) -> "_Listed":
        plain, at = [_plain(sentence) for sentence in menu], dict[str, set[int]]()
        for i, sentence in enumerate(plain):
            at.setdefault(sentence, set()).add(i)
        return cls(plain, at)

    def entry(self, said: str) -> set[int]:
        """The entries that are meant by a letter, a sentence, or a line of both: two, where these disagree."""
        plain, name = _plain(said), said.strip(AROUND)
        if not plain:
            return set()
        found = self.at.get(plain, set()) | self._lettered(name)
        if found:
            return found
        letter, dot, rest = name.partition(".") if "." in name else name.partition(")")
        named, worded = self._lettered(letter.strip(AROUND)) if dot else set(), self.at.get(_plain(rest), set())
        return (named & worded) or (named | worded) if named and worded else set()

    def lines(self, said: str) -> set[int]:
        """The entries of lines that are one."""
        return set().union(*(self.entry(line) for line in said.splitlines()[:LINES]))

    def inside(self, said: str) -> set[int]:
        """Sentences of the menu that occur in the answer; one that is part of another found there does not count."""
        plain = _plain(said)
        found = {sentence for sentence in self.at if sentence and sentence in plain}
        whole = {s for s in found if not any(s != other and s in other for other in found)}
        return set().union(*(self.at[s] for s in whole))

    def _lettered(self, name: str) -> set[int]:
        index = _index(name)
        return {index} if 0 <= index < len(self.plain) else set()


def _index(name: str) -> int:
    """The entry of a letter, -1 where it is none. A lone small letter counts too; a small word does not."""
    if not (1 <= len(name) <= 4 and name.isascii() and name.isalpha() and (name.isupper() or len(name) == 1)):
        return -1
    index = -1
    for c in name.upper():
        index = (index + 1) * 26 + string.ascii_uppercase.index(c)
    return index
