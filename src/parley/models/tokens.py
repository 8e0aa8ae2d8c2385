"""An upper bound of the tokens of a text: counted by a tokenizer, or by its bytes without a tokenizer."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from parley.core.errors import BadInput, MissingExtra
from parley.models.pretrained import is_path

AROUND = 8  # tokens that a server's chat template may put around a message


def token_counter(tokenizer: str = "", around: int = AROUND) -> Callable[[str], int]:
    """An upper bound of the tokens of a text, with the tokens put `around` it.

    With a tokenizer (a directory, a `tokenizer.json`, or a hub id): its count. Without: the bytes of the text, which no
    byte-level tokenizer exceeds.
    """
    if not tokenizer:
        return lambda text: len(text.encode(errors="replace")) + around
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise MissingExtra("counting tokens with a tokenizer", "torch") from None
    path = Path(tokenizer)
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file() and is_path(tokenizer):
        raise BadInput(f"tokenizer={tokenizer!r} cannot be loaded: there is no such file or directory")
    try:
        loaded = Tokenizer.from_file(str(file)) if file.is_file() else Tokenizer.from_pretrained(tokenizer)
    except Exception as wrong:  # the library raises bare Exceptions
        raise BadInput(f"tokenizer={tokenizer!r} cannot be loaded: {wrong}") from None

    @lru_cache(maxsize=1 << 14)
    def count(text: str) -> int:
        return len(loaded.encode(text).ids) + around

    return count
