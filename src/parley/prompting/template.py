"""Prompt templates: Jinja files of blocks, in a sandbox, in which what was said is data and never template.

A template has the blocks `system`, `memory`, `opening`, `subgoal`, `observation`, `ask`, `again` and `note`. Your own
file may begin with `{% extends "chat" %}` and say only what differs. `| line` keeps a sentence on its line, `| block`
indents the lines of a text that has several, as a map.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, Template, TemplateError, TemplateNotFound
from jinja2.meta import find_referenced_templates
from jinja2.sandbox import ImmutableSandboxedEnvironment

from parley.core.errors import BadInput
from parley.core.paths import content
from parley.core.text import block as indented
from parley.core.text import one_line
from parley.prompting import bounded

BLOCKS = ("system", "memory", "opening", "subgoal", "observation", "ask", "again", "note")
BLANK = "(nothing)"  # a message that shows nothing
SHIPPED = ("chat", "foresee", "stated", "transcript")


@dataclass(frozen=True)
class Turn:
    """One message: who says it (`system`, `user`, `assistant`), and the text, with its line break."""

    role: str
    text: str


def as_text(turns: list[Turn]) -> str:
    """The prompt of a completion."""
    return "".join(turn.text for turn in turns)


def as_messages(turns: list[Turn], system: bool = True) -> list[dict[str, str]]:
    """The messages of a chat; turns of the same role are one message, empty ones none.

    Without a `system` role what it would say stands at the beginning of the first message of the user. No message is
    blank, which many servers refuse.
    """
    joined: list[Turn] = []
    for turn in turns:
        role = turn.role if system or turn.role != "system" else "user"
        if turn.text and joined and joined[-1].role == role:
            joined[-1] = Turn(role, joined[-1].text + turn.text)
        elif turn.text:
            joined.append(Turn(role, turn.text))
    return [
        {"role": turn.role, "content": (turn.text if turn.text.strip() else BLANK).removesuffix("\n")}
        for turn in joined
    ]


class _Loader(BaseLoader):
    """The shipped templates, which a file may extend; nothing else can be included."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        if template not in SHIPPED:
            raise TemplateNotFound(template)
        return shipped(template), template, None


def shipped(name: str) -> str:
    """The text of a shipped template. Empty where no shipped template has that name."""
    return files("parley.prompting").joinpath(f"templates/{name}.jinja").read_text("utf-8") if name in SHIPPED else ""


@dataclass(frozen=True)
class PromptTemplate:
    """A shipped template by name, or a file; where `source` is given, its text, under any name.

    A template that is not shipped is rendered within bounds (`prompting.bounded`).
    """

    name: str
    source: str | None = None

    @cached_property
    def _source(self) -> str:
        try:
            if self.source is not None:
                return self.source
            return shipped(self.name) or content(Path(self.name)).decode("utf-8")
        except (OSError, ValueError) as wrong:
            raise BadInput(f"template={self.name!r}: expected {', '.join(SHIPPED)} or a file: {wrong}") from None

    def render(self, block: str, **said: Any) -> str:
        """The text of a block; raises `BadInput` where the template asks for what there is not, or breaks out."""
        if self.name in SHIPPED and self.source is None:
            return rendered(self.name, self._source, block, said)
        return bounded.render(self.name, self._source, block, said)


def rendered(name: str, source: str, block: str, said: dict[str, Any]) -> str:
    """The text of a block of a template, or of all of it where `block` is empty, here and now."""
    if not block:
        return _whole(name, source, said)
    own, *extended = _layers(name, source)
    context = own.new_context(said)
    for layer in extended:
        for of, function in layer.blocks.items():
            context.blocks.setdefault(of, []).append(function)
    try:
        return "".join(context.blocks[block][0](context))
    except (TemplateError, TypeError, ValueError, ArithmeticError) as wrong:
        raise BadInput(f"template={name!r}, block {block!r}: {wrong}") from None


def _environment(**more: Any) -> Environment:
    return ImmutableSandboxedEnvironment(trim_blocks=True, autoescape=False, **more)


@lru_cache(maxsize=64)
def _layers(name: str, source: str) -> list[Template]:
    """A template, and those that it extends."""
    environment, layers = _environment(loader=_Loader(), undefined=StrictUndefined, keep_trailing_newline=True), []
    environment.filters["line"], environment.filters["block"] = one_line, indented
    try:
        while source:
            layers.append(environment.from_string(source))
            extended = [of or "" for of in find_referenced_templates(environment.parse(source))]
            source = _Loader().get_source(environment, extended[0])[0] if extended else ""
    except TemplateNotFound as wrong:
        known = ", ".join(SHIPPED)
        raise BadInput(f"template={name!r} extends {wrong.name!r}: only {known} can be extended") from None
    except TemplateError as wrong:
        raise BadInput(f"template={name!r} is no template: {wrong}") from None
    missing = [of for of in BLOCKS if not any(of in layer.blocks for layer in layers)]
    if missing:
        raise BadInput(f"template={name!r} has no block {missing[0]!r}: a template needs {', '.join(BLOCKS)}")
    return layers


def _whole(name: str, source: str, said: dict[str, Any]) -> str:
    """All of a template, as checkpoints have them for chats."""
    environment = _environment(lstrip_blocks=True)
    environment.globals["raise_exception"] = _refuse  # by which they refuse roles that a model does not know
    try:
        return environment.from_string(source).render(said)
    except (TemplateError, TypeError, ValueError, ArithmeticError) as wrong:
        raise BadInput(f"template={name!r} refuses what it is given: {wrong}") from None


def _refuse(message: str) -> None:
    raise TemplateError(message)
