"""What parts must keep, ours or somebody else's: `parley check KIND NAME`, and the contract tests."""

from collections.abc import Callable
from typing import Any

from parley.assemble.conformance.planning import check_explorer, check_planner
from parley.assemble.conformance.telling import check_hook, check_memory, check_template
from parley.assemble.parts import world_of
from parley.core.arguments import plainly
from parley.core.errors import BadInput, ParleyError
from parley.core.spec import suggestion
from parley.core.text import inert
from parley.worlds.kit.conformance import check_world

CHECKS: dict[str, Callable[[Any, str], list[str]]] = {
    "world": lambda given, on: check_world(world_of(given, trust=True)[0]),
    "planner": check_planner,
    "explorer": check_explorer,
    "memory": lambda given, on: check_memory(given),
    "template": lambda given, on: check_template(given),
    "hook": check_hook,
}


@plainly
def check(kind: str, spec: Any, on: str = "shortcut") -> list[str]:
    """One sentence for everything that is wrong with a part; empty where it conforms.

    `spec` names it, or is it: an object, or a class or function that makes one. `on` is the world in which planners,
    explorers and hooks are tried. Raises `BadInput` where there is no such part.
    """
    if kind not in CHECKS:
        raise BadInput(f"kind={kind!r}: expected {', '.join(CHECKS)}{suggestion(kind, CHECKS)}")
    try:
        return CHECKS[kind](spec, on)
    except BadInput as wrong:
        if told := wrong.details.get("wrong"):
            return list(told)
        raise
    except ParleyError as wrong:
        return [inert(str(wrong), 500)]
