"""Hooks by name: ours for trackers, those of installed packages, `module:Name`, and Python objects."""

from collections.abc import Iterable

from parley.assemble.parts import reference_of
from parley.assemble.registry import Kind, Registry
from parley.core.errors import BadInput
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
    """The hooks that a caller names or gives; a class is made into one."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise BadInput(f"hooks={given!r:.80}: expected a list of names and hooks")
    found: dict[str, Hook] = {}
    for one in given:
        name = one if isinstance(one, str) else reference_of(one)
        made = HOOKS.make(HOOKS.find(one, trust)) if isinstance(one, str) else one() if isinstance(one, type) else one
        missing = [event for event in EVENTS if not callable(getattr(made, event, None))]
        if missing:
            raise BadInput(f"hook {name!r} has no method {missing[0]!r}: derive it from parley.Hook (docs/plugins.md)")
        if isinstance(one, str) and one in found or any(made is other for other in found.values()):
            raise BadInput(f"hook {name!r} is given twice")
        found[name if name not in found else f"{name} ({len(found)})"] = made
    return Hooks(found)
