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
from parley.assemble.registry import Kind, Named, Registry, makes, parameters, reference_of
from parley.assemble.scene import Scene
from parley.assemble.worlds import WORLDS, as_world, find_world, world
from parley.core.errors import BadInput
from parley.core.roles import World
from parley.core.text import shown


@dataclass(frozen=True)
class Part:
    """One part: its spec as the manifest has it, its kind, and how it is made for a cohort.

    `given` is True for a Python object: a manifest can name it, but nobody can make it again from the name. `single` is
    True where all cohorts share one.
    """

    spec: str
    kind: Kind
    make: Callable[[Any], Any]  # of a Scene; a memory needs none
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
    made, world_part = world_of(world, trust)
    plans = planner_part(planner, trust)
    remembers = None if memory is None else _memory(memory, plans, trust)
    return Parts(made, plans, explorer_part(explorer, trust), world_part, remembers)


def planner_part(given: Any, trust: bool) -> Part:
    """The planner that a caller names or gives."""
    if not isinstance(given, str):
        return _given(PLANNERS, given)
    return _named(PLANNERS.find(given, trust), partial(planner, given, trust=trust))


def explorer_part(given: Any, trust: bool) -> Part:
    """The explorer that a caller names or gives."""
    if not isinstance(given, str):
        return _given(EXPLORERS, given)
    return _named(EXPLORERS.find(given, trust), partial(explorer, given, trust=trust))


def _memory(given: Any, planner: Part, trust: bool) -> Part:
    """The part whose `make` gives what makes a memory for each run; raises `BadInput` where the planner reads none."""
    takes = {"memory", "scene"} if planner.code else {"memory"}  # somebody else's finds it in its scene
    if not takes & set(parameters(planner.kind.factory)):
        raise BadInput(f"memory={given!r}: planner {planner.spec!r} remembers in its own way, it reads no prompt")
    return memory_part(given, trust)


def memory_part(given: Any, trust: bool) -> Part:
    """The same of any planner."""
    if isinstance(given, str):
        named = MEMORIES.find(given, trust)
        make = maker(named)
        return _named(named, lambda scene: make)
    if not makes(given):
        raise BadInput(f"memory: expected a class or function that makes a memory for each run, found {shown(given)}")
    named = MEMORIES.of(given)
    make = maker(named)
    return Part(named.spec, named.kind, lambda scene: make, code=origin(named.spec), given=True)


def _named(named: Named, make: Callable[[Scene], Any]) -> Part:
    return Part(named.spec, named.kind, make, named.arguments, origin(named.code) if named.code else {})


def world_of(given: Any, trust: bool) -> tuple[World, Part]:
    """The world that a caller names or gives, and its part."""
    if isinstance(given, str | Path):
        spec = str(given)
        return world(spec, trust), _named(find_world(spec, trust), lambda scene: scene.world)
    spec = reference_of(given)
    made = WORLDS.make(WORLDS.of(given)) if makes(given) else given
    found = as_world(made, "world")
    return found, Part(spec, Kind(type(given)), lambda scene: scene.world, code=origin(spec), given=True)


def _given(registry: Registry, given: Any) -> Part:
    """A part from a Python object, or from a class or function that makes one for each cohort."""
    what, spec = registry.what, reference_of(given)
    if what == "planner" and inspect.isfunction(given) and len(_needs(given)) > 1:
        raise BadInput(
            f"planner: {spec} is a function of ({', '.join(_needs(given))}): FunctionPlanner makes one of it"
        )
    if makes(given):
        named = registry.of(given)
        return Part(spec, named.kind, lambda scene: _made(registry, named, scene), code=origin(spec), given=True)
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
