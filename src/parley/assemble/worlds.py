"""The worlds by name: ours, world files, those of plugins, and `module:Name`."""

from collections.abc import Mapping
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from parley.assemble.registry import Kind, Named, Registry, parameters
from parley.core.answered import quietly
from parley.core.errors import FAULTS, BadInput
from parley.core.roles import World
from parley.core.spec import bind, parse_spec, spell
from parley.core.tables import Tables
from parley.worlds.kit.alterations import ALTERATIONS
from parley.worlds.kit.conformance import misstated
from parley.worlds.kit.tabular.env import TabularWorld
from parley.worlds.kit.tabular.world_file import load_world

ROOMS = "parley.worlds"
OPEN = f"{ROOMS}.open."  # where adapters of other people's environments are: what they take must be named
GENERALIST = "generated"  # its checkpoint is for no world alone
WORLDS = Registry(
    "world",
    {
        "treasure": Kind(f"{ROOMS}.tabular.treasure:treasure"),
        "shortcut": Kind(f"{ROOMS}.tabular.shortcut:shortcut"),
        "household": Kind(f"{ROOMS}.household.world:household"),
        "house": Kind(f"{ROOMS}.house.world:house"),
        "keys": Kind(f"{ROOMS}.keys.world:keys"),
        "sorter": Kind(f"{ROOMS}.sorter.world:sorter"),
        "quest": Kind(f"{ROOMS}.quest.world:quest"),
        "sorter-floor": Kind(f"{ROOMS}.sorter.floor.world:sorter_floor"),
        "forage": Kind(f"{ROOMS}.forage.world:forage"),
        "generated": Kind(f"{ROOMS}.generated.world:generated"),
        "random": Kind(f"{ROOMS}.tabular.random_family:random_family"),
        "team": Kind(f"{ROOMS}.tabular.team:team"),
        "weather": Kind(f"{ROOMS}.tabular.weather:weather"),
        "traps": Kind(f"{ROOMS}.tabular.traps:traps"),
        "signs": Kind(f"{ROOMS}.tabular.signs:signs"),
        "clues": Kind(f"{ROOMS}.tabular.clues:clues"),
        "bandit": Kind(f"{ROOMS}.tabular.bandit:bandit"),
        "gaussian-bandit": Kind(f"{ROOMS}.tabular.gaussian_bandit:gaussian_bandit"),
        "riverswim": Kind(f"{ROOMS}.tabular.riverswim:riverswim"),
        "lock": Kind(f"{ROOMS}.tabular.lock:lock"),
        "darkroom": Kind(f"{ROOMS}.tabular.darkroom:darkroom"),
        "textworld": Kind(f"{ROOMS}.open.textworld:textworld", first="challenge"),
        "scienceworld": Kind(f"{ROOMS}.open.scienceworld:scienceworld", first="task"),
        "babyai": Kind(f"{ROOMS}.open.babyai:babyai", first="level"),
        "gym": Kind(f"{ROOMS}.open.gym:gym", first="id"),
        "textworldexpress": Kind(f"{ROOMS}.open.textworldexpress:textworldexpress", first="game"),
        "jericho": Kind(f"{ROOMS}.open.jericho:jericho", first="path"),
        "textarena": Kind(f"{ROOMS}.open.textarena:textarena", first="game"),
        "openenv": Kind(f"{ROOMS}.open.openenv:openenv", first="url"),
        "verifiers": Kind(f"{ROOMS}.open.verifiers:verifiers", first="name", imports=True),
    },
)
PARTS = ("name", "latents", "prior", "instructions", "horizon", "num_actors", "tables", "make")


def world(spec: str, trust: bool = False) -> World:
    """The world of a spec, or of a world file (`path/to/world.json`); any of them may be altered (`ALTERATIONS`).

    `trust` allows `module:Name` (see `Registry.find`). The same spec gives the same object.
    """
    return _world(spec, trust)


@lru_cache(maxsize=32)
def _world(spec: str, trust: bool) -> World:
    named = find_world(spec, trust)
    own, arguments = parameters(named.kind.factory), dict(named.arguments)
    altered = [key for key in ALTERATIONS if key in arguments and key not in own]
    where = f"world {named.name!r}"
    if not altered:
        return as_world(WORLDS.make(named), where)
    last = altered[-1]  # the outermost; within it is the world without it
    text, inner = arguments.pop(last), _spec(named.name, arguments)
    alter, again = ALTERATIONS[last], partial(world, inner, trust)
    bound = bind(alter, {last: text}, where, skip=["world", "again"])
    return alter(again(), **bound, **({"again": again} if "again" in parameters(alter) else {}))


def find_world(spec: str, trust: bool = False) -> Named:
    """What a spec names: a world file, or one of `WORLDS`."""
    path, _, _ = spec.partition(":")
    if path.endswith(".json"):
        _, arguments = parse_spec(spec, "world")
        return Named(spec, path, Kind(partial(load_world, path)), arguments)
    return WORLDS.find(spec, trust)


def _spec(name: str, arguments: Mapping[str, str]) -> str:
    """The spec of the same world with these arguments."""
    return f"{name}:{spell(arguments)}" if arguments else name


def as_world(made: Any, where: str) -> World:
    """What a factory makes; tables become a tabular world."""
    if isinstance(made, Tables):
        return TabularWorld(made)
    lacks, wrong = quietly(
        lambda: (lacks := _lacks(made), [] if lacks else misstated(made)),
        lambda said: BadInput(f"{where}: a {type(made).__name__} raised {said}"),
    )
    if lacks:
        raise BadInput(f"{where}: {lacks}")
    if wrong:
        raise BadInput(f"{where}: {wrong[0]}", {"wrong": wrong})
    found: World = made
    return found


def _lacks(made: Any) -> str:
    """Why this is no world at all; empty where it has all that one must have."""
    missing = [part for part in PARTS if not hasattr(made, part)]
    if missing and hasattr(made, "reset") and hasattr(made, "step"):
        return f"a {type(made).__name__} is an environment: make a world of it, parley.wrap(...)"
    if missing:
        more = ", or make one of this environment by parley.wrap" if hasattr(made, "reset") else ""
        return f"a {type(made).__name__} is no world: it has no {missing[0]!r} (docs/worlds.md){more}"
    return ""


def checkpoint_of(name: str) -> Path | None:
    """The checkpoint that comes with a world, `checkpoints/NAME/` beside its module. None where the world has no
    checkpoint."""
    ours, theirs = WORLDS.ours.get(name), WORLDS.plugins.get(name)
    source = ours.source if ours else theirs.value if theirs else None
    try:
        found = find_spec(source.partition(":")[0]) if isinstance(source, str) else None
    except FAULTS:  # a package that is gone, or does not import
        return None
    if not found or not found.origin:
        return None
    path = Path(found.origin).parent / "checkpoints" / name
    return path if path.is_dir() else None


def shipped_names() -> list[str]:
    """The worlds for which a checkpoint comes with the package; that of generated worlds is asked by `hf`."""
    return [name for name in WORLDS if name != GENERALIST and checkpoint_of(name)]


def checkpoint(name: str) -> Path:
    """A checkpoint: a directory, or the one that comes with world `name`; raises `BadInput` where there is neither."""
    return Path(name) if Path(name).is_dir() else shipped(name)


def shipped(name: str) -> Path:
    """The checkpoint that comes with world `name`; raises `BadInput` where none does."""
    path = checkpoint_of(name)
    if path is None:
        known = ", ".join((*shipped_names(), GENERALIST))
        raise BadInput(f"checkpoint={name!r}: there is no such directory, and what ships is {known}")
    return path
