"""Turns of a prompt as tokens, and the lines that may answer them: one renderer for all models that score tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from parley.models.chat import ChatFormat
from parley.models.text import TextTokens
from parley.prompting.template import Turn, as_messages, as_text


@dataclass(frozen=True)
class Rendered:
    """The tokens of a prompt, and the text at its end with which a line that follows may merge into one token."""

    tokens: list[int]
    tail: str


@dataclass(frozen=True)
class Renderer:
    """Through the model's chat template where `chat` is given, else as plain text."""

    text: TextTokens
    chat: ChatFormat | None = None

    def prompt(self, turns: list[Turn]) -> Rendered:
        """The prompt after which the answer comes."""
        if self.chat:
            return Rendered(*self.chat.tokens(as_messages(turns)))
        said = as_text(turns)
        return Rendered(self.text.encode(said), said[said.rfind("\n", 0, len(said) - 1) + 1 :])

    def answers(self, prompt: Rendered, lines: Sequence[str]) -> list[list[int]]:
        """Tokens of each line as the answer, to its end: in a chat, with what closes it."""
        if not self.chat:
            return [self.text.continuation(prompt.tail, line) for line in lines]
        stop = self.chat.stop
        return [self.text.continuation(prompt.tail, line.removesuffix("\n")) + stop for line in lines]

    def letters(self, prompt: Rendered, names: Sequence[str]) -> list[list[int]]:
        """Tokens of letters as the beginning of an answer."""
        return [self.text.continuation(prompt.tail, name) for name in names]
