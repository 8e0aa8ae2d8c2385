"""When two texts are the same entry of a menu: character by character, or under a normalisation, the finest first."""

import re
import string
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from parley.core.errors import BadInput
from parley.core.text import one_line

QUOTES = "\"'`“”‘’«»„‚‹›「」『』【】《》〈〉"
AROUND = string.whitespace + QUOTES + "*_~.,:;!?¿¡>()[]{}<=#$|" + "。、，：；！？．…·•–—‐-"
PAIRS = ("**", "__", "*", "_", "~~", "```", "`", "$$", "$", '"', "'")
BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">", "“": "”", "‘": "’", "«": "»", "„": "“", "「": "」", "『": "』"}
BRACKETS |= {"【": "】", "《": "》", "〈": "〉", r"\(": r"\)", r"\[": r"\]"}
COMMAND = re.compile(r"\\(?:boxed|fbox|text\w{0,3}|math\w{0,3}|operatorname|mbox)\s*\{(.*)\}", re.DOTALL)
MARKER = re.compile(r"(?:[>\-*•–—+]|\d{1,2}[.)])\s+(\S.*)", re.DOTALL)  # of a quotation, or an item of a list
TAG = re.compile(r"<(\w{1,20})(?:\s[^<>]{0,100})?>(.*)</\1\s*>", re.DOTALL)
STOPS = " .,;:。，；："
LAYERS = 8  # of quotes, brackets and markup around a text
ALIKE = str.maketrans("“”„‘’‚‐‑−", "\"\"\"'''---")  # marks that keyboards and typesetters write differently
SELECTORS = dict.fromkeys(range(0xFE00, 0xFE10))  # ways to draw the character before


def seen(text: str) -> str:
    """`text` without characters that show nothing (zero width, direction, soft hyphens), its spaces made alike."""
    if text.isascii():
        return " ".join(text.split())
    shown = "".join(c for c in text.translate(SELECTORS) if unicodedata.category(c) != "Cf")
    return " ".join(shown.split())


def compatible(text: str) -> str:
    """NFKC, with ASCII digits, quotes and hyphens: full width, circled and mathematical letters are letters."""
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c
        for c in unicodedata.normalize("NFKC", text).translate(ALIKE)
    )


def bare(text: str) -> str:
    """`text` without punctuation, quotes and markup around it."""
    return text.strip(AROUND)


def plain(text: str) -> str:
    """The coarsest form: visible characters only, compatible, bare, without case."""
    return " ".join(bare(compatible(seen(text))).casefold().split())


# Each goes on from the one before.
LEVELS: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    lambda text: text.strip(),
    lambda text: unicodedata.normalize("NFC", text),
    seen,
    compatible,
    lambda text: text.rstrip(STOPS) or text,
    bare,
    lambda text: unicodedata.normalize("NFKC", text.casefold()),
)


@lru_cache(maxsize=256)
def forms(text: str) -> list[str]:
    """`text` at each level."""
    found: list[str] = []
    for level in LEVELS:
        text = level(text)
        found.append(text)
    return found


@lru_cache(maxsize=256)
def peeled(text: str) -> list[str]:
    """`text`, and its inner parts as layers of quotes, brackets and markup around it are taken off.

    >>> peeled('"**B**"')
    ['"**B**"', '**B**', 'B']
    """
    found = [text]
    while len(found) <= LAYERS and (inner := _inner(found[-1].strip())) is not None:
        found.append(inner)
    return found


def _inner(text: str) -> str | None:
    """`text` without its outermost layer, None where it has none."""
    if not text or (text[0].isalpha() or text[-1].isalnum()) and not MARKER.match(text):
        return None
    if found := COMMAND.fullmatch(text) or TAG.fullmatch(text) or MARKER.fullmatch(text):
        return found[found.lastindex or 1]
    for pair in PAIRS:
        if len(text) > 2 * len(pair) and text.startswith(pair) and text.endswith(pair):
            return text[len(pair) : -len(pair)]
    for begin, end in BRACKETS.items():
        if len(text) > len(begin) + len(end) and text.startswith(begin) and text.endswith(end):
            return text[len(begin) : -len(end)]
    return None


@dataclass(frozen=True)
class Forms:
    """A menu made ready to be looked up: which entries have a form, at each level."""

    at: list[dict[str, frozenset[int]]]

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, menu: tuple[str, ...]) -> "Forms":
        """Those of a menu."""
        at: list[dict[str, frozenset[int]]] = [{} for _ in LEVELS]
        for i, entry in enumerate(menu):
            for level, form in zip(at, forms(entry), strict=True):
                if form:
                    level[form] = level.get(form, frozenset()) | {i}
        return cls(at)

    def verbatim(self, text: str) -> frozenset[int]:
        """The entries that a text is, character by character; two, where the menu has equal ones."""
        return self.at[0].get(text, frozenset())

    def same(self, text: str) -> frozenset[int]:
        """The entries that are the same as a text at the finest level at which any is."""
        return self.finest(text)[0]

    def finest(self, text: str) -> tuple[frozenset[int], int]:
        """The same, and that level. A stop at the end of a text does not make it another entry than a finer level."""
        found = peeled(text)
        layers = [forms(layer) for layer in [*found, *(layer.rstrip(STOPS) for layer in found)]]
        for level, known in enumerate(self.at):
            for layer in layers:
                if same := known.get(layer[level]):
                    return same, level
        return frozenset(), len(self.at)


def require_distinct(menu: Sequence[str]) -> None:
    """Raise `BadInput` where an entry stands in a menu twice, as prompts show it."""
    known: set[str] = set()
    for entry in map(one_line, menu):
        if entry in known:
            raise BadInput(f"menu: {entry!r} stands in it twice: nobody can tell which of the two is chosen")
        known.add(entry)
