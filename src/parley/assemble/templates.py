"""Prompt templates by name: those that ship, those of plugins, `module:Name`, and files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from parley.assemble.registry import REFERENCE, Kind, Registry
from parley.core.errors import BadInput
from parley.prompting.template import SHIPPED, PromptTemplate, shipped


def _that_ships(name: str) -> Callable[[], str]:
    """What gives a template that ships; its first line, a comment, says what it is for."""

    def given() -> str:
        return shipped(name)

    given.__doc__ = shipped(name).partition("\n")[0].strip("{#} ")
    return given


# What an entry point of this group names is the text of a template, its path, or a function that gives either.
TEMPLATES = Registry("template", {name: Kind(_that_ships(name)) for name in SHIPPED})


def template_of(name: str, trust: bool = False) -> PromptTemplate:
    """The template of that name. Raises `BadInput` where no template has it."""
    if name in SHIPPED or not (name in TEMPLATES.plugins or REFERENCE.fullmatch(name)):
        return PromptTemplate(name)  # one that ships, or a file
    made: Any = TEMPLATES.value(name, trust)
    made = made() if callable(made) else made
    if not isinstance(made, str | Path):
        raise BadInput(f"template={name!r}: expected a template's text or path, found {type(made).__name__}")
    return PromptTemplate(name, made) if isinstance(made, str) else PromptTemplate(str(made))
