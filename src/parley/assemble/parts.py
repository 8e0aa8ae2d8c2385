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
from parley.assemble.foreign import foreign_explorer, foreign_planner, require
from parley.assemble.memories import MEMORIES, maker
from parley.assemble.planners import PLANNERS, planner
from parley.assemble.registry import Kind, Named, Registry, kind_of, parameters
from parley.assemble.scene import Scene
from parley.assemble.worlds import as_world, find_world, world
from parley.core.errors import BadInput
from parley.core.roles import World


@dataclass(frozen=True)
class Part:
    """One part: its spec as the manifest has it, its kind, and how it is made for a cohort.

    `given` is True for a Python object: a manifest can name it, but nobody can make it again from the name. `single` is
    True where all cohorts share one.
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
    """World, planner, explorer and, where it is not the planner's own, memory of a run."""

    world: World
    planner: Part
    explorer: Part
    world_part: Part
    memory: Part | None = None

    def roles(self) -> dict[str, Part]:
        """The parts by role."""
        found = {"world": self.world_part, "planner": self.planner, "explorer": self.explorer}
        return found | ({"memory": self.memory} if self.memory else {})

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


def parts_of(world: Any, planner: Any, explorer: Any, memory: Any = None, trust: bool = False) -> Parts:
    """The parts that a caller names or gives; `trust` allows `module:Name` (see `Registry.find`)."""
    made, world_part = _world(world, trust)
    plans = _planner(planner, trust)
    remembers = None if memory is None else _memory(memory, plans, trust)
    return Parts(made, plans, _explorer(explorer, trust), world_part, remembers)


def _planner(given: Any, trust: bool) -> Part:
    if not isinstance(given, str):
        return _given(PLANNERS, given)
    return _named(PLANNERS.find(given, trust), partial(planner, given, trust=trust))


def _explorer(given: Any, trust: bool) -> Part:
    if not isinstance(given, str):
        return _given(EXPLORERS, given)
    return _named(EXPLORERS.find(given, trust), partial(explorer, given, trust=trust))


def _memory(given: Any, planner: Part, trust: bool) -> Part:
    """The part whose `make` gives what makes a memory for each run."""
    takes = {"memory", "scene"} if planner.code else {"memory"}  # somebody else's finds it in its scene
    if not takes & set(parameters(planner.kind.factory)):
        raise BadInput(f"memory={given!r}: planner {planner.spec!r} remembers in its own way, it reads no prompt")
    if isinstance(given, str):
        named = MEMORIES.find(given, trust)
        make = maker(named)
        return _named(named, lambda scene: make)
    if not (isinstance(given, type) or inspect.isroutine(given)):
        raise BadInput(f"memory: expected a class or function that makes a memory for each run, found {given!r:.80}")
    spec = reference_of(given)
    kind = kind_of(given, "memory", "memory")
    make = maker(Named(spec, spec, kind, {}, spec))
    return Part(spec, kind, lambda scene: make, code=origin(spec), given=True)


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
        if what == "planner" and inspect.isfunction(given) and len(_needs(given)) > 1:
            raise BadInput(
                f"planner: {spec} is a function of ({', '.join(_needs(given))}): FunctionPlanner makes one of it"
            )
        kind = kind_of(given, what, what)
        named = Named(spec, spec, kind, {}, spec)
        return Part(spec, kind, lambda scene: _made(registry, named, scene), code=origin(spec), given=True)
    require(given, what)
    kind = Kind(type(given))
    return Part(
        spec, kind, lambda scene: _guarded(scene, what, given, spec), code=origin(spec), given=True, single=True
    )


def _needs(function: Callable[..., Any]) -> list[str]:
    told = inspect.signature(function).parameters.values()
    return [p.name for p in told if p.default is p.empty and p.kind is not p.VAR_KEYWORD and p.name != "scene"]


def _made(registry: Registry, named: Named, scene: Scene) -> Any:
    return _guarded(scene, registry.what, registry.make(named, {"scene": scene}), named.spec)


def _guarded(scene: Scene, what: str, made: Any, spec: str) -> Any:
    """The part as the loop takes it: what it gives is checked."""
    if what == "explorer":
        return foreign_explorer(made, f"explorer {spec!r}")
    scene.planner = foreign_planner(made, f"planner {spec!r}")
    return scene.planner


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
