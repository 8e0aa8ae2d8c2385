"""How a model's tokenizer cuts text: prompts, the lines that may follow them, and the messages of a chat."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from parley.models.chat import ChatFormat


def plain_tokens(tokenizer: Any, text: str) -> list[int]:
    """Tokens of a text by itself; it makes no special ones, whatever it says."""
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False).input_ids)


def beginning(tokenizer: Any) -> list[int]:
    """The begin-of-text token, where the tokenizer puts one before every text."""
    bos = tokenizer.bos_token_id
    return [bos] if bos is not None and bos in tokenizer("").input_ids else []


@dataclass(frozen=True)
class TextTokens:
    """A tokenizer: `plain` cuts a text into tokens, none of them special; `begin` stands before every prompt.

    `template` is the model's chat template, empty if it has none. `special` are the special tokens as texts, and
    `names` the template's names for some of them (`bos_token`, ...). `end` are the tokens that end a text.
    """

    plain: Callable[[str], list[int]]
    begin: Sequence[int] = ()
    template: str = ""
    special: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    end: Sequence[int] = ()

    @classmethod
    def of(cls, tokenizer: Any) -> "TextTokens":
        """Those of a tokenizer of transformers."""
        named = tokenizer.chat_template
        template = named.get("default", "") if isinstance(named, dict) else named or ""
        special = {token.content: i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        names = {name: value for name, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
        end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        return cls(lambda text: plain_tokens(tokenizer, text), beginning(tokenizer), template, special, names, end)

    def encode(self, text: str) -> list[int]:
        """Tokens of a whole prompt, after a begin-of-text token where the tokenizer has one; text makes none."""
        return [*self.begin, *self.plain(text)]

    def continuation(self, before: str, line: str) -> list[int]:
        """Tokens of `line` after a text.

        They are the tokens of `before + line` less those of `before`, if the latter begin the former. If tokens merge
        across the boundary, they are the tokens of `line` by itself.
        """
        prompt, both = self.plain(before), self.plain(before + line)
        if both[: len(prompt)] == prompt and len(both) > len(prompt):
            return both[len(prompt) :]
        return self.plain(line)

    @cached_property
    def chat(self) -> ChatFormat | None:
        """The model's chat format; None where it has no chat template."""
        return ChatFormat(self.template, self.special, self.plain, self.names) if self.template else None
