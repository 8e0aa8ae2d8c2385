"""Prompt templates by name: those that ship, those of plugins, `module:Name`, and files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from parley.assemble.registry import REFERENCE, Kind, Registry, makes, reference_of
from parley.core.errors import BadInput
from parley.core.text import shown
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


def template_of(given: Any, trust: bool = False) -> PromptTemplate:
    """The template of that name or path, or that a function gives. Raises `BadInput` where there is nothing to read."""
    if not isinstance(given, str | Path) and not makes(given):
        raise BadInput(f"template={shown(given)}: expected a name, a path, or a function that gives a text or its path")
    name = str(given) if isinstance(given, str | Path) else reference_of(given)
    if isinstance(given, Path) or name in SHIPPED:
        return PromptTemplate(name)
    if isinstance(given, str) and not (name in TEMPLATES.plugins or REFERENCE.fullmatch(name)):
        return PromptTemplate(name)  # a file
    made = TEMPLATES.make(TEMPLATES.find(name, trust) if isinstance(given, str) else TEMPLATES.of(given))
    if not isinstance(made, str | Path):
        raise BadInput(f"template={name!r}: expected a template's text or path, found {type(made).__name__}")
    return PromptTemplate(name, made) if isinstance(made, str) else PromptTemplate(str(made))
