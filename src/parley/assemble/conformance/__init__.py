"""What parts must keep, ours or somebody else's: `parley check KIND NAME`, and the contract tests."""

from collections.abc import Callable

from parley.assemble.conformance.planning import check_explorer, check_planner
from parley.assemble.conformance.telling import check_hook, check_memory, check_template
from parley.assemble.worlds import world
from parley.core.errors import BadInput, ParleyError
from parley.core.spec import suggestion
from parley.core.text import inert
from parley.worlds.kit.conformance import check_world

CHECKS: dict[str, Callable[[str, str], list[str]]] = {
    "world": lambda spec, on: check_world(world(spec, trust=True)),
    "planner": check_planner,
    "explorer": check_explorer,
    "memory": lambda spec, on: check_memory(spec),
    "template": lambda spec, on: check_template(spec),
    "hook": check_hook,
}


def check(kind: str, spec: str, on: str = "shortcut") -> list[str]:
    """One sentence for everything that is wrong with a part; empty where it conforms.

    `on` is the world in which planners, explorers and hooks are tried. Raises `BadInput` where there is no such part.
    """
    if kind not in CHECKS:
        raise BadInput(f"kind={kind!r}: expected {', '.join(CHECKS)}{suggestion(kind, CHECKS)}")
    if not isinstance(spec, str):
        raise BadInput(
            f"spec={spec!r:.80}: expected a name or spec: objects are checked by what makes them, module:Name"
        )
    try:
        return CHECKS[kind](spec, on)
    except BadInput:
        raise
    except ParleyError as wrong:
        return [inert(str(wrong), 500)]
