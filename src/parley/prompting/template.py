"""Prompt templates: Jinja files of blocks, in a sandbox, in which what was said is data and never template.

A template has the blocks `system`, `memory`, `opening`, `subgoal`, `observation`, `ask`, `again` and `note`; a file of
one's own may begin with `{% extends "chat" %}` and say only what differs. `| line` keeps a sentence on its line,
`| block` indents the lines of a text that has several, as a map.
"""

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, Template, TemplateError, TemplateNotFound
from jinja2.meta import find_referenced_templates
from jinja2.sandbox import ImmutableSandboxedEnvironment

from parley.core.errors import BadInput
from parley.core.text import block, one_line

BLOCKS = ("system", "memory", "opening", "subgoal", "observation", "ask", "again", "note")
SHIPPED = ("chat", "foresee", "stated", "transcript")


@dataclass(frozen=True)
class Turn:
    """One message: who says it (`system`, `user`, `assistant`), and the text, with its line break."""

    role: str
    text: str


def as_text(turns: list[Turn]) -> str:
    """The prompt of a completion."""
    return "".join(turn.text for turn in turns)


def as_messages(turns: list[Turn]) -> list[dict[str, str]]:
    """The messages of a chat; turns of the same role are one message, empty ones none."""
    joined: list[Turn] = []
    for turn in turns:
        if turn.text and joined and joined[-1].role == turn.role:
            joined[-1] = Turn(turn.role, joined[-1].text + turn.text)
        elif turn.text:
            joined.append(turn)
    return [{"role": turn.role, "content": turn.text.removesuffix("\n")} for turn in joined]


class _Loader(BaseLoader):
    """The shipped templates, which a file may extend; nothing else can be included."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        if template not in SHIPPED:
            raise TemplateNotFound(template)
        return _shipped(template), template, None


def _shipped(name: str) -> str:
    """The text of a shipped template; empty where there is none of that name."""
    return files("parley.prompting").joinpath(f"templates/{name}.jinja").read_text("utf-8") if name in SHIPPED else ""


@dataclass(frozen=True)
class PromptTemplate:
    """A shipped template by name, or a file; where `source` is given, its text, under any name."""

    name: str
    source: str = ""

    @cached_property
    def _layers(self) -> list[Template]:
        """The template, and those that it extends."""
        environment = ImmutableSandboxedEnvironment(
            loader=_Loader(), undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, autoescape=False
        )
        environment.filters["line"] = one_line
        environment.filters["block"] = block
        try:
            source, layers = self.source or _shipped(self.name) or Path(self.name).read_text(encoding="utf-8"), []
            while source:
                layers.append(environment.from_string(source))
                extended = [name or "" for name in find_referenced_templates(environment.parse(source))]
                source = _Loader().get_source(environment, extended[0])[0] if extended else ""
        except TemplateNotFound as wrong:
            known = ", ".join(SHIPPED)
            raise BadInput(f"template={self.name!r} extends {wrong.name!r}: only {known} can be extended") from None
        except (OSError, UnicodeDecodeError) as wrong:
            raise BadInput(f"template={self.name!r}: expected {', '.join(SHIPPED)} or a file: {wrong}") from None
        except TemplateError as wrong:
            raise BadInput(f"template={self.name!r} is no template: {wrong}") from None
        missing = [name for name in BLOCKS if not any(name in layer.blocks for layer in layers)]
        if missing:
            raise BadInput(f"template={self.name!r} has no block {missing[0]!r}: a template needs {', '.join(BLOCKS)}")
        return layers

    def render(self, block: str, **said: Any) -> str:
        """The text of a block; raises `BadInput` where the template asks for what there is not, or breaks out."""
        own, *extended = self._layers
        context = own.new_context(said)
        for layer in extended:
            for name, function in layer.blocks.items():
                context.blocks.setdefault(name, []).append(function)
        try:
            return "".join(context.blocks[block][0](context))
        except (TemplateError, TypeError, ValueError, ArithmeticError) as wrong:
            raise BadInput(f"template={self.name!r}, block {block!r}: {wrong}") from None
