"""Prompt templates by name: those that ship, those of plugins, `module:Name`, and files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from parley.assemble.registry import REFERENCE, Kind, Registry
from parley.core.errors import BadInput
from parley.prompting.template import SHIPPED, PromptTemplate, shipped


def _that_gives(template: str | Path) -> Callable[[], str | Path]:
    """What gives a template; its first line, a comment, says what it is for."""

    def given() -> str | Path:
        return template

    comment = str(template).partition("\n")[0]
    given.__doc__ = comment.strip("{#} ") if comment.startswith("{#") else "A prompt template"
    return given


class Templates(Registry):
    """An entry point, or `module:Name`, is a template's text, its path, or a function that gives either."""

    def kind(self, loaded: Any, where: str) -> Kind:
        """The kind that somebody else's text, path or function is."""
        return super().kind(_that_gives(loaded) if isinstance(loaded, str | Path) else loaded, where)


TEMPLATES = Templates("template", {name: Kind(_that_gives(shipped(name))) for name in SHIPPED})


def template_of(name: str, trust: bool = False) -> PromptTemplate:
    """The template of that name. Raises `BadInput` where no template has it."""
    if name in SHIPPED or not (name in TEMPLATES.plugins or REFERENCE.fullmatch(name)):
        return PromptTemplate(name)  # one that ships, or a file
    made = TEMPLATES.make(TEMPLATES.find(name, trust))
    if not isinstance(made, str | Path):
        raise BadInput(f"template={name!r}: expected a template's text or path, found {type(made).__name__}")
    return PromptTemplate(name, made) if isinstance(made, str) else PromptTemplate(str(made))
