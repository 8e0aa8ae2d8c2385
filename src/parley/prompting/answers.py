"""Answers of language models: what they choose from a menu, whatever else they say; never anything off the menu.

The menu stands in the prompt one subgoal a line, `A. walk on`; an answer may be the letter, the line or the sentence.
An answer that is an entry, character by character, is that entry. Reasoning chooses nothing. Where an answer says more
than one thing, or something that is not understood, it chooses nothing, and is asked for again.
"""

import re
import string
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial

from parley.prompting.framing import json_of, json_within, marked, narrowed, turn, unmarked
from parley.prompting.likeness import STOPS, Forms, bare, compatible, peeled, plain, seen
from parley.prompting.mentions import SINGLE, beside, chosen, filled, named
from parley.prompting.reasoning import without_reasoning

AS_IT_IS = 1  # the level of `likeness.LEVELS` up to which a text is an entry character by character
LINES = 200  # of an answer that are looked at
READ = 20_000  # characters of an answer that are looked at, from its end: megabytes are no answer
LINE = re.compile(r"\W*([A-Za-z]{1,4})\W*?\s*[.):,;|–—-]+[\s*_`\"']*(.*)|\W*([A-Z]{1,2})\s+(.*)", re.DOTALL)
LEADING = re.compile(
    r"[^\w\n]*([A-Z]{1,2})[*_`\"')\]}$]*"
    r"(?:[.;:)\n]|,?\s+(?:because|since|as|for|not|rather|instead|over)\b|\s+[—–(-])"
)
WEAK = re.compile(r"\W*(?:I[\s,]|(A)\s)")  # a word of a language, rather than a letter
EXACT: tuple[Callable[[str], str], ...] = (  # forms in which entries that are nearly the same are told apart
    str,
    partial(unicodedata.normalize, "NFC"),
    seen,
    lambda text: compatible(seen(text)),
)
NUMBERED = re.compile(r"\s*(\d{1,2})[.)]\s+(.*)", re.DOTALL)


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


def parse(answer: str, menu: Sequence[str], cut: bool = False, lettered: bool = True) -> int | None:
    """The index of what an answer chooses from `menu`, None where that is not exactly one entry.

    Only the end of a long answer is read. Of one that was `cut` off only what was surely said whole counts: its first
    line, or that after its last `Answer:`. Where the menu was not shown (`lettered` False), a letter is no choice.

    >>> parse("I think the back door. Answer: B", ["walk on", "try the back door"])
    1
    >>> parse("<think>Not the door.</think>> Walk on!", ["walk on", "try the back door"])
    0
    """
    listed = _Listed.of(tuple(menu), lettered)
    if not cut and (verbatim := listed.forms.verbatim(answer) or listed.forms.verbatim(json_of(answer)[1] or "")):
        return _only(verbatim)
    said, reasoning = without_reasoning(answer)
    said = turn(said)[-READ:]
    if reasoning or not said.strip():
        return None
    return _only(listed.begun(said) if cut else listed.choice(said if listed.marked else unmarked(said)))


def _only(found: set[int] | frozenset[int]) -> int | None:
    return next(iter(found)) if len(found) == 1 else None


@dataclass(frozen=True)
class _Listed:
    """A menu made ready to be looked up. Each reader gives the entries that a text chooses: none, one, or too many."""

    menu: tuple[str, ...]
    forms: Forms
    plain: list[str]
    names: list[str] = field(default_factory=list)

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, menu: tuple[str, ...], lettered: bool) -> "_Listed":
        names = letters(len(menu)) if lettered else []
        return cls(menu, Forms.of(menu), [plain(entry) for entry in menu], names)

    def choice(self, said: str) -> set[int]:
        """What a whole answer chooses: it is an entry, frames one, has a line that is one, or speaks of one."""
        if found := self.entry(said):
            return found
        is_json, value = json_of(said)
        if is_json:
            return self.value(value)
        framed = narrowed(said, self._inside_entry)
        if framed != said:
            return self.framed(framed)
        found = set().union(*map(self.value, json_within(said))) or self.lines(said)
        if len(found) == len(self.menu) > 1:  # it says the menu back
            unlisted = [line for line in said.splitlines()[-LINES:] if not self.entry(line)]
            return self.spoken("\n".join(unlisted)) or found
        return found or self.spoken(said) or (self._leading(said) if self.loose else set())

    def begun(self, said: str) -> set[int]:
        """What the beginning of an answer chooses: it may be the beginning of a longer entry too."""
        framed = narrowed(said, self._inside_entry).lstrip()
        first, more, _ = framed.partition("\n")
        found = self.entry(first) or self._leading(framed)
        whole = bool(more) or not any(self._goes_on(first, i) for i in range(len(self.menu)) if i not in found)
        return found if whole else set()

    def _goes_on(self, said: str, i: int) -> bool:
        """Whether entry i, or its letter, begins with all of what was said."""
        name, entry = compatible(seen(said)), self.plain[i]
        begins = entry != plain(said) and entry.startswith(plain(said)) if plain(said) else False
        lettered = self.names[i] if self.names else ""
        return begins or (lettered != name and lettered.startswith(name) and len(name) > 0)

    def value(self, value: str | None) -> set[int]:
        """What a value of JSON chooses."""
        if value is None:
            return set()
        return self.entry(value) or self.value(json_of(value)[1]) or self.spoken(value)

    def framed(self, said: str) -> set[int]:
        """What a text that is framed as the answer chooses."""
        if found := self.entry(said):
            return found
        is_json, value = json_of(said)
        if is_json:
            return self.value(value)
        return self.lines(said) or self._leading(said) or self.spoken(said)

    def entry(self, said: str) -> set[int]:
        """The entries that are meant by a letter, a sentence, or a line of both: two, where these disagree."""
        if verbatim := self.forms.verbatim(said) or self.forms.verbatim(said.strip()):
            return set(verbatim)
        same, level = self.forms.finest(said)
        found = set(same)
        if number := NUMBERED.fullmatch(said):  # which may be an entry itself
            found |= self.forms.same(number[1]) if found else set()
        if found and level <= AS_IT_IS and not said.rstrip().endswith(tuple(STOPS)):
            return found
        for layer in peeled(said):
            found |= self._lettered(bare(compatible(seen(layer))))
        return found or self._line(said.strip())

    def _line(self, said: str) -> set[int]:
        """The entries that a line of a letter and words means: two, where these disagree."""
        line = LINE.fullmatch(said) or LINE.fullmatch(compatible(seen(said)))
        if not line:
            return set()
        letter, rest = (line[1], line[2]) if line[1] else (line[3], line[4])
        lettered = self._lettered(letter)
        if not lettered or not rest.strip():
            return set()
        i = next(iter(lettered))
        worded, level = self.forms.finest(rest)
        weak = WEAK.match(said)
        if weak and not lettered & (worded or self.spoken(rest)) and not (weak[1] and worded):
            return set()
        if worded:
            alike = level > AS_IT_IS and self.plain[i] == plain(rest)  # the letter tells it from others
            return lettered if alike else lettered | worded
        if "\n" in said:
            return set()
        spoken = self.spoken(rest) | (beside(rest, self.names) - lettered if self.loose else set())
        if not spoken:
            begun = plain(rest)
            return lettered if len(begun) > 3 and self.plain[i].startswith(begun) else set()
        return lettered | spoken

    def lines(self, said: str) -> set[int]:
        """The entries of lines that are one."""
        listed = [line for line in said.splitlines()[:LINES] if line.strip()]
        return set().union(*(self.entry(line) for line in listed if line != said))

    def spoken(self, said: str) -> set[int]:
        """The entries that sentences choose, by their words or their letters."""
        lines = [compatible(seen(line)) for line in said.splitlines()]
        found = chosen("\n".join(line.casefold() for line in lines), self.plain)
        if len(found) > 1 and len({self.plain[i] for i in found}) == 1:  # they differ in case or punctuation alone
            told_apart = sorted(found)
            for form in EXACT:
                exact = chosen(form(said), [form(self.menu[i]) for i in told_apart])
                if exact:
                    return {told_apart[i] for i in exact}
        found = found | named("\n".join(lines), self.names)
        return found | filled("\n".join(lines), self.names) if self.loose else found

    def _leading(self, said: str) -> set[int]:
        """The entry of a letter with which an answer begins, and beside which no other one stands."""
        text = compatible(said)
        letter = LEADING.match(text)
        found = self._lettered(letter[1]) if letter else set()
        return found if found and not beside(text[letter.end(1) :] if letter else "", self.names) - found else set()

    def _lettered(self, name: str) -> set[int]:
        index = _index(name)
        return {index} if 0 <= index < len(self.names) else set()

    def _inside_entry(self, said: str, at: int) -> bool:
        """Whether a place in a text is within an entry of the menu that stands there word by word."""
        near = said[max(0, at - 300) : at + 300].casefold()
        begin = at - max(0, at - 300)
        return any(
            entry in near and any(begin - len(entry) < i <= begin for i in _places(near, entry))
            for entry in self._casefolded
        )

    @cached_property
    def marked(self) -> bool:
        """Whether an entry holds marks that strike out or tick."""
        return any(map(marked, self.menu))

    @cached_property
    def loose(self) -> bool:
        """Whether no entry holds a letter that stands alone, so that one in a text means an entry."""
        return not any(SINGLE.search(entry) for entry in self.menu)

    @cached_property
    def _casefolded(self) -> list[str]:
        """The entries that hold what would frame an answer."""
        return [entry.casefold() for entry in self.menu if narrowed(entry, lambda said, at: False) != entry]


def _places(text: str, part: str) -> list[int]:
    found, at = [], text.find(part)
    while at >= 0:
        found.append(at)
        at = text.find(part, at + 1)
    return found


def _index(name: str) -> int:
    """The entry of a letter. -1 where the text is not such a letter. A lone small letter counts too; a small word does
    not."""
    if not (1 <= len(name) <= 4 and name.isascii() and name.isalpha() and (name.isupper() or len(name) == 1)):
        return -1
    index = -1
    for c in name.upper():
        index = (index + 1) * 26 + string.ascii_uppercase.index(c)
    return index
