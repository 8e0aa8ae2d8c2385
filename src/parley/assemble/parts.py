"""The parts of a run: named by specs, or given as Python objects."""

import hashlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from parley.assemble.explorers import EXPLORERS, explorer
from parley.assemble.planners import PLANNERS, planner
from parley.assemble.registry import Kind, Named, Registry, kind_of
from parley.assemble.scene import Scene
from parley.assemble.worlds import as_world, find_world, world
from parley.core.errors import BadInput
from parley.core.roles import World

METHODS = {
    "planner": ("start", "hear", "propose"),
    "explorer": ("start", "hear", "choose"),
}


@dataclass(frozen=True)
class Part:
    """One part: its spec as the manifest has it, its kind, and how it is made for a cohort.

    `given` is True for a Python object, which a manifest can name, but from which nobody can make it again; `single`
    where there is one for all cohorts.
    """

    spec: str
    kind: Kind
    make: Callable[[Scene], Any]
    arguments: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    given: bool = False
    single: bool = False


@dataclass(frozen=True)
class Parts:
    """World, planner and explorer of a run."""

    world: World
    planner: Part
    explorer: Part
    world_part: Part

    def roles(self) -> dict[str, Part]:
        """The parts by role."""
        return {"world": self.world_part, "planner": self.planner, "explorer": self.explorer}

    @property
    def single(self) -> bool:
        """Whether all runs must be one cohort."""
        return self.planner.single or self.explorer.single

    @property
    def code(self) -> dict[str, dict[str, str]]:
        """Where somebody else's parts are from, by role: for the manifest."""
        return {role: dict(part.code) for role, part in self.roles().items() if part.code}

    @property
    def given(self) -> list[str]:
        """The roles whose parts are Python objects."""
        return [role for role, part in self.roles().items() if part.given]


def parts_of(world: Any, planner: Any, explorer: Any, trust: bool = False) -> Parts:
    """The parts that a caller names or gives; `trust` allows `module:Name` (see `Registry.find`)."""
    made, world_part = _world(world, trust)
    return Parts(made, _planner(planner, trust), _explorer(explorer, trust), world_part)


def _planner(given: Any, trust: bool) -> Part:
    if not isinstance(given, str):
        return _given(PLANNERS, given)
    return _named(PLANNERS.find(given, trust), partial(planner, given, trust=trust))


def _explorer(given: Any, trust: bool) -> Part:
    if not isinstance(given, str):
        return _given(EXPLORERS, given)
    return _named(EXPLORERS.find(given, trust), partial(explorer, given, trust=trust))


def _named(named: Named, make: Callable[[Scene], Any]) -> Part:
    return Part(named.spec, named.kind, make, named.arguments, origin(named.code) if named.code else {})


def _world(given: Any, trust: bool) -> tuple[World, Part]:
    if isinstance(given, str):
        named = find_world(given, trust)
        return world(given, trust), _named(named, lambda scene: scene.world)
    made = given() if isinstance(given, type) or inspect.isroutine(given) else given
    found = as_world(made, "world")
    spec = reference_of(given)
    return found, Part(spec, Kind(type(given)), lambda scene: scene.world, code=origin(spec), given=True)


def _given(registry: Registry, given: Any) -> Part:
    """A part from a Python object, or from a class or function that makes one for each cohort."""
    what, spec = registry.what, reference_of(given)
    if isinstance(given, type) or inspect.isroutine(given):
        kind = kind_of(given, what, what)
        named = Named(spec, spec, kind, {}, spec)
        return Part(spec, kind, lambda scene: _made(registry, named, scene), code=origin(spec), given=True)
    require(given, what)
    kind = Kind(type(given))
    return Part(spec, kind, lambda scene: _set(scene, what, given), code=origin(spec), given=True, single=True)


def _made(registry: Registry, named: Named, scene: Scene) -> Any:
    return _set(scene, registry.what, require(registry.make(named, {"scene": scene}), registry.what))


def _set(scene: Scene, what: str, made: Any) -> Any:
    if what == "planner":
        scene.planner = made
    return made


def require(made: Any, what: str) -> Any:
    """The part, or `BadInput` naming the first method that it lacks."""
    missing = [name for name in METHODS[what] if not callable(getattr(made, name, None))]
    if missing:
        raise BadInput(
            f"{what}: a {type(made).__name__} is no {what}: it has no method {missing[0]!r} (docs/plugins.md)"
        )
    return made


def reference_of(thing: Any) -> str:
    """`module:Name` of a class or function, or of an object's class."""
    named = thing if isinstance(thing, type) or inspect.isroutine(thing) else type(thing)
    return f"{named.__module__}:{named.__qualname__}"


def origin(reference: str) -> dict[str, str]:
    """Where code is from: the distribution's version where it is installed, and the SHA-256 of the module's file."""
    module = sys.modules.get(reference.partition(":")[0])
    found = {"code": reference}
    top = reference.partition(".")[0].partition(":")[0]
    if distributions := _distributions().get(top):
        found["version"] = f"{distributions[0]} {version(distributions[0])}"
    file = getattr(module, "__file__", None)
    if file and Path(file).is_file():
        found["sha256"] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return found


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()
