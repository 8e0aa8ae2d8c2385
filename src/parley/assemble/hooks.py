"""Hooks by name: ours for trackers, those of installed packages, `module:Name`, and Python objects."""

from collections.abc import Iterable
from typing import Any

from parley.assemble.foreign import raised_by
from parley.assemble.registry import Kind, Registry, makes, reference_of
from parley.core.errors import BadInput
from parley.core.text import shown
from parley.runs.hooks import Hook, Hooks
from parley.runs.spans import Spans
from parley.runs.trackers import Mlflow, Trackio, Wandb

HOOKS = Registry(
    "hook",
    {
        "wandb": Kind(Wandb, first="project"),
        "trackio": Kind(Trackio, first="project"),
        "mlflow": Kind(Mlflow, first="uri"),
        "otel": Kind(Spans, first="file"),
    },
)
EVENTS = ("begin", "step", "episode", "call", "end")


def hooks_of(given: Iterable[str | Hook], trust: bool = False) -> Hooks:
    """The hooks that a caller names or gives; a class or function is made into one."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise BadInput(f"hooks={shown(given)}: expected a list of names and hooks")
    found: dict[str, Hook] = {}
    for one in given:
        named = HOOKS.find(one, trust) if isinstance(one, str) else HOOKS.of(one) if makes(one) else None
        name = named.spec if named else reference_of(one)
        made: Any = HOOKS.make(named) if named else one
        with raised_by(f"hook {name!r}", "getattr"):
            missing = [event for event in EVENTS if not callable(getattr(made, event, None))]
        if missing:
            raise BadInput(f"hook {name!r} has no method {missing[0]!r}: derive it from parley.Hook (docs/plugins.md)")
        if isinstance(one, str) and one in found or any(made is other for other in found.values()):
            raise BadInput(f"hook {name!r} is given twice")
        found[name if name not in found else f"{name} ({len(found)})"] = made
    return Hooks(found)
