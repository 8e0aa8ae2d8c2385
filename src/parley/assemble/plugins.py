"""Worlds that are not ours: those of installed packages (entry points `parley.worlds`), and `module:Class`."""

import re
import sys
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from parley.core.errors import BadInput
from parley.core.roles import World
from parley.core.spec import bind
from parley.core.tables import Tables
from parley.core.text import inert
from parley.worlds.tabular.env import TabularWorld

GROUP = "parley.worlds"
PARTS = ("name", "latents", "prior", "instructions", "horizon", "num_actors", "tables", "make")


@lru_cache(maxsize=1)
def plugin_worlds() -> dict[str, EntryPoint]:
    """The worlds that installed packages offer, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def plugin_world(name: str, arguments: dict[str, str]) -> World:
    """The world of a plugin, made with the arguments of a spec."""
    point = plugin_worlds()[name]
    return _made(_quietly(point.load, f"plugin world {name!r} ({point.value})"), arguments, f"world {name!r}")


def is_reference(spec: str) -> bool:
    """Whether a spec is `module:Class`.

    >>> is_reference("my_package.worlds:Maze"), is_reference("treasure:n=4"), is_reference("treasure")
    (True, False, False)
    """
    return re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", spec) is not None


def load_reference(spec: str) -> World:
    """The world that `module:Class` makes without arguments; modules of the working directory are found too."""
    module_name, _, attribute = spec.partition(":")
    if "" not in sys.path and "." not in sys.path:
        sys.path.append(".")
    module = _quietly(lambda: import_module(module_name), f"world {spec!r}")
    if not hasattr(module, attribute):
        raise BadInput(f"world {spec!r}: the module {module_name!r} has no {attribute!r}")
    return _made(getattr(module, attribute), {}, f"world {spec!r}")


def _made(factory: Any, arguments: dict[str, str], where: str) -> World:
    """What a class or function makes; tables become a tabular world."""
    if not callable(factory):
        raise BadInput(f"{where}: expected a class or function that makes a world, found {type(factory).__name__}")
    bound = bind(factory, arguments, where)
    made = _quietly(lambda: factory(**bound), where)
    if isinstance(made, Tables):
        return TabularWorld(made)
    missing = [part for part in PARTS if not hasattr(made, part)]
    if missing:
        raise BadInput(f"{where}: a {type(made).__name__} is no world: it has no {missing[0]!r} (see docs/worlds.md)")
    world: World = made
    return world


def _quietly(does: Any, where: str) -> Any:
    """The answer, or one sentence on what somebody else's code raised."""
    try:
        return does()
    except BadInput:
        raise
    except Exception as wrong:
        raise BadInput(f"{where} cannot be loaded: {type(wrong).__name__}: {inert(str(wrong), 300)}") from wrong
