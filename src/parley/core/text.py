"""Text from worlds and models is data: shown, it must not be able to act on a terminal."""

import re
import unicodedata
from typing import Any

from parley.core.errors import FAULTS, ParleyError

SURROGATES = re.compile("[\ud800-\udfff]")


def inert(text: str, longest: int = 500) -> str:
    """`text` with control and formatting characters spelt out (an escape becomes \\x1b) and cut at `longest`.

    >>> inert("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    shown = "".join(
        c
        if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        else c.encode("unicode_escape").decode()
        for c in text[: longest + 1]
    )
    return shown if len(text) <= longest else f"{shown[:longest]}..."


def shown(value: Any, longest: int = 80) -> str:
    """A value as errors name it: on one line, cut, and whatever it is.

    >>> shown([["two", "lines\\n"]]), shown("x" * 9, 4)
    ("[['two', 'lines\\\\n']]", "'xxx...")
    """
    try:
        return inert(repr(value), longest)
    except FAULTS as wrong:
        return f"<a {type(value).__name__} that raises {type(wrong).__name__}>"


def raised(wrong: BaseException, longest: int = 300) -> str:
    """The kind of an error and what it says, on one line. Saying it may be code of somebody else that raises in turn.

    >>> raised(KeyError("k"))
    "KeyError: 'k'"
    """
    try:
        said = str(wrong)
    except FAULTS as again:
        said = f"(its text raised {type(again).__name__})"
    return inert(f"{type(wrong).__name__}: {said}", longest)


def fault(wrong: BaseException) -> str:
    """What somebody else's code raised, in one sentence; our own errors speak for themselves."""
    return str(wrong) if isinstance(wrong, ParleyError) else f"it raised {raised(wrong)}"


def inert_lines(text: str) -> str:
    """The same, with line breaks left as they are, and nothing cut off."""
    return "\n".join(inert(line, len(line)) for line in text.splitlines())


def block(text: str) -> str:
    """Several lines, as a map has them, each indented: no line of a text can pretend to be what others said.

    >>> block("one line"), block("###\\n#@#")
    ('one line', '  ###\\n  #@#')
    """
    lines = text.splitlines()
    return "\n".join(f"  {line}" for line in lines) if len(lines) > 1 else text.rstrip("\r\n")


def whole(text: str) -> str:
    """`text` without halves of characters, which no file can hold: each becomes the replacement character.

    >>> whole("half \\ud83d of it")
    'half \ufffd of it'
    """
    plain = str.__str__(text)  # of NumPy's texts and of enumerations too
    return plain if plain.isascii() else SURROGATES.sub("\ufffd", plain)


def one_line(sentence: str) -> str:
    """A line break inside a sentence would let it pretend to be another line."""
    return " ".join(sentence.splitlines()) if len(sentence.splitlines()) > 1 else sentence.rstrip("\r\n")
