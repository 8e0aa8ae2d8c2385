"""Messages of a chat as tokens, through a model's own chat template; what was said in them makes no special token.

The template is rendered with marks in place of the messages. The result is cut into tokens between its special tokens,
and then the messages are put back. So only the template itself can produce special tokens. The same code serves
transformers and llama.cpp.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from parley.core.errors import BadInput

MARK = re.compile("\ue000([0-9]+)\ue001")
Messages = Sequence[Mapping[str, str]]


class ChatFormat:
    """A chat template, the special tokens that it may say, and how plain text is cut into tokens.

    A template that refuses a system message is given its text before that of the first user's.
    """

    def __init__(
        self,
        template: str,
        special: Mapping[str, int],
        plain: Callable[[str], Sequence[int]],
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._names, self._special = dict(names or {}), dict(special)
        self._template = _compiled(template)
        known = sorted(self._special, key=len, reverse=True)
        self._cut = re.compile("|".join(map(re.escape, known))) if known else re.compile("(?!)")
        self._plain: Callable[[str], tuple[int, ...]] = lru_cache(maxsize=1 << 14)(lambda text: tuple(plain(text)))

    def tokens(self, messages: Messages) -> tuple[list[int], str]:
        """Tokens of a prompt whose answer comes next, and the text at its end, after the last special token."""
        found, text = list[int](), ""
        for piece in self._pieces(messages):
            if isinstance(piece, int):
                found += [*self._plain(text), piece] if text else [piece]
                text = ""
            else:
                text += piece
        return found + list(self._plain(text)), text

    @cached_property
    def stop(self) -> list[int]:
        """The special tokens by which the template closes an answer; empty where it has none."""
        told = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        text, _ = self._rendered(told, asks=False)
        after = text[text.rindex(_mark(len(told) - 1)) + len(_mark(1)) :]
        found = self._cut.match(after.lstrip())
        return [self._special[found[0]]] if found else []

    @cached_property
    def has_system(self) -> bool:
        """Whether it takes a system message."""
        try:
            self._render([{"role": "system", "content": "a"}, {"role": "user", "content": "b"}], asks=True)
        except TemplateError:
            return False
        return True

    def _pieces(self, messages: Messages) -> list[str | int]:
        """What the template makes of the messages: text, and special tokens."""
        text, said = self._rendered(messages, asks=True)
        found: list[str | int] = []
        at = 0
        for mark in [*MARK.finditer(text), None]:
            between, begin = text[at : mark.start() if mark else None], 0
            for special in self._cut.finditer(between):
                found += [between[begin : special.start()], self._special[special[0]]]
                begin = special.end()
            found.append(between[begin:])
            if mark:
                found.append(said[int(mark[1])])
                at = mark.end()
        return found

    def _rendered(self, messages: Messages, asks: bool) -> tuple[str, list[str]]:
        if messages and messages[0]["role"] == "system" and not self.has_system:
            messages = _without_system(messages)
        marked = [{**message, "content": _mark(i)} for i, message in enumerate(messages)]
        try:
            return self._render(marked, asks), [message["content"] for message in messages]
        except (TemplateError, TypeError, ValueError, KeyError) as wrong:
            raise BadInput(f"the model's chat template refuses the messages: {wrong}; choose chat=false") from None

    def _render(self, messages: Messages, asks: bool) -> str:
        return self._template.render(messages=messages, add_generation_prompt=asks, **self._names)


def _mark(i: int) -> str:
    return f"\ue000{i}\ue001"


def _without_system(messages: Messages) -> list[dict[str, str]]:
    first, *others = messages
    if others and others[0]["role"] == "user":
        joined = {"role": "user", "content": f"{first['content']}\n{others[0]['content']}"}
        return [joined, *map(dict, others[1:])]
    return [{"role": "user", "content": first["content"]}, *map(dict, others)]


def _compiled(template: str) -> Template:
    """As transformers compiles them: a sandbox, blocks trimmed, and a way to refuse."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )

    def refuse(why: Any) -> NoReturn:
        raise TemplateError(str(why))

    environment.globals["raise_exception"] = refuse
    try:
        return environment.from_string(template)
    except TemplateError as wrong:
        raise BadInput(f"the model's chat template is no template: {wrong}; choose chat=false") from None
