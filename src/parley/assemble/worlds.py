"""The worlds by name."""

from functools import lru_cache

from parley.assemble.scene import Kind
from parley.core.errors import BadInput
from parley.core.roles import World
from parley.core.spec import bind, parse_spec, suggestion
from parley.core.tables import Tables
from parley.worlds.household import House, household
from parley.worlds.tabular.env import TabularWorld
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.reported import with_floor
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.traps import traps
from parley.worlds.tabular.treasure import treasure
from parley.worlds.tabular.world_file import load_world

WORLDS: dict[str, Kind] = {
    "treasure": Kind(treasure, "n chests, one of which may hold gold: imitation alone has linear regret"),
    "shortcut": Kind(shortcut, "a safe corridor, and a back door that is usually locked"),
    "household": Kind(
        household, "fetch things kept in places that depend on the house; seen through a fallible Reporter"
    ),
    "random": Kind(random_family, "a random family of given sizes and seed"),
    "traps": Kind(traps, "random families with a planted trap, or their twins without"),
}

ALTERATIONS = ("floor", "reporter", "actor")  # arguments of every world: what its tables do not say


@lru_cache(maxsize=32)
def world(spec: str) -> World:
    """The world of a spec, or of a world file (`path/to/world.json`)."""
    if spec.endswith(".json"):
        return TabularWorld(load_world(spec))
    kind, arguments = parse_spec(spec, "world")
    if kind not in WORLDS and not kind.endswith(".json"):
        raise BadInput(f"unknown world {kind!r}{suggestion(kind, WORLDS)} (or the path of a .json world file)")
    altered: dict[str, str] = {key: arguments.pop(key) for key in ALTERATIONS if key in arguments}
    if kind.endswith(".json"):
        return _altered(kind, load_world(kind), None, altered)
    low_level = arguments.pop("low_level", "false").lower() in ("true", "1", "yes") if kind == "household" else False
    factory = WORLDS[kind].factory
    bound = bind(factory, arguments, f"world {kind!r}")
    return _altered(kind, factory(**bound), House(**bound) if low_level else None, altered)


def _altered(kind: str, tables: Tables, house: House | None, settings: dict[str, str]) -> World:
    """The world, with a floor under what can be said, and an Actor or a Reporter that has an error."""
    from parley.gym import actor_of, household_low_level, reported_world, reporter_of

    try:
        floor = float(settings.get("floor", 0))
    except ValueError:
        raise BadInput(f"world {kind!r}: floor={settings['floor']!r}: expected a probability") from None
    tables = with_floor(tables, floor) if "floor" in settings else tables
    reporter, actor = settings.get("reporter"), settings.get("actor")
    if actor and house is None:
        raise BadInput(f"world {kind!r}: actor={actor!r} needs the real low level: household:low_level=true")
    if house is None:
        return reported_world(tables, kind, reporter) if reporter else TabularWorld(tables)
    learned = reporter_of(reporter, tables, kind, "grid") if reporter else None
    return household_low_level(tables, house, actor_of(actor, house) if actor else None, learned, altered=floor > 0)
