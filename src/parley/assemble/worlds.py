"""The worlds by name: ours, world files, those of plugins, and `module:Class`."""

from collections.abc import Callable
from functools import lru_cache, partial

from parley.assemble.plugins import is_reference, load_reference, plugin_world, plugin_worlds
from parley.assemble.scene import Kind
from parley.core.errors import BadInput
from parley.core.roles import World
from parley.core.spec import bind, parse_spec, suggestion
from parley.core.tables import Tables
from parley.worlds.capped import capped
from parley.worlds.forage import forage
from parley.worlds.generated.generate import generated
from parley.worlds.house import house
from parley.worlds.household import House, household
from parley.worlds.keys import keys
from parley.worlds.physical import PhysicalWorld
from parley.worlds.quest import quest
from parley.worlds.sorter import sorter
from parley.worlds.sorter_floor import sorter_floor
from parley.worlds.tabular.env import TabularWorld
from parley.worlds.tabular.jumping import JumpingWorld
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.reported import with_floor
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.team import team
from parley.worlds.tabular.traps import traps
from parley.worlds.tabular.treasure import treasure
from parley.worlds.tabular.weather import weather
from parley.worlds.tabular.world_file import load_world
from parley.worlds.workers import WorkersWorld

WORLDS: dict[str, Kind] = {
    "treasure": Kind(treasure, "n chests, one of which may hold gold: imitation alone has linear regret"),
    "shortcut": Kind(shortcut, "a safe corridor, and a back door that is usually locked"),
    "household": Kind(
        household, "fetch things kept in places that depend on the house; seen through a fallible Reporter"
    ),
    "house": Kind(house, "MuJoCo (extra mujoco): rooms whose doors may be locked, and a draught"),
    "keys": Kind(keys, "MiniGrid (extra minigrid): which key opens the grey door, and where the red ball is"),
    "sorter": Kind(sorter, "MuJoCo (extra mujoco): a robot arm, and which mat keeps which block"),
    "quest": Kind(quest, "TextWorld (extra text): which of three keys fits the iron door, in the game's own words"),
    "sorter-floor": Kind(sorter_floor, "MuJoCo (extra mujoco): the arm again; pushing works unless the table is icy"),
    "forage": Kind(forage, "three foragers (extra forage): how many it takes for each kind of fruit is hidden"),
    "generated": Kind(generated, "a family of a kind, words and rules of its own, by seed: generated:seed=1,kind=find"),
    "random": Kind(random_family, "a random family of given sizes and seed"),
    "team": Kind(team, "K Actors (actors=2) before two doors: who can do what, and what takes two at once, is hidden"),
    "weather": Kind(weather, "mail over a ridge: a hidden path, and weather that turns within an episode"),
    "traps": Kind(traps, "random families with a planted trap, or their twins without"),
}

ALTERATIONS = ("floor", "reporter", "actor")  # arguments of every world: what its tables do not say
LOW_LEVEL = {
    "household": False,
    "house": True,
    "keys": True,
    "sorter": True,
    "quest": True,
    "sorter-floor": True,
    "forage": True,
}  # worlds that have one, and whether they run on it unless told


@lru_cache(maxsize=32)
def world(spec: str) -> World:
    """The world of a spec, or of a world file (`path/to/world.json`)."""
    if spec.endswith(".json"):
        return TabularWorld(load_world(spec))
    if "workers=" in spec:
        return _in_processes(spec)
    if "cap=" in spec:
        return _capped(spec)
    if "jump=" in spec:
        return _jumping(spec)
    if is_reference(spec) and spec.partition(":")[0] not in (*WORLDS, *plugin_worlds()):
        return load_reference(spec)
    kind, arguments = parse_spec(spec, "world")
    if kind not in WORLDS and not kind.endswith(".json"):
        if kind in plugin_worlds():
            return plugin_world(kind, arguments)
        known = [*WORLDS, *plugin_worlds()]
        raise BadInput(f"unknown world {kind!r}{suggestion(kind, known)} (or the path of a .json world file)")
    altered: dict[str, str] = {key: arguments.pop(key) for key in ALTERATIONS if key in arguments}
    if kind.endswith(".json"):
        return _altered(kind, load_world(kind), None, altered)
    low_level = _low_level(kind, arguments)
    factory = WORLDS[kind].factory
    bound = bind(factory, arguments, f"world {kind!r}")
    if low_level and kind != "household":
        if kind in ("sorter", "house") and "actor" in altered:
            bound["actor"] = altered.pop("actor")
        if kind == "house" and "floor" in altered:
            bound["floor"] = _probability(kind, altered.pop("floor"))
        if altered:
            raise BadInput(f"world {spec!r}: {next(iter(altered))} belongs to its tables: add low_level=false")
        return _physical()[kind](**bound)
    return _altered(kind, factory(**bound), House(**bound) if low_level else None, altered)


def _in_processes(spec: str) -> World:
    """A physical world with `workers=N`: its environments run in N processes."""
    inner, workers = _without(spec, "workers")
    made = world(inner)
    if not workers.isdigit():
        raise BadInput(f"world {spec!r}: workers={workers!r}: expected a number of processes")
    if not isinstance(made, PhysicalWorld):
        raise BadInput(f"world {spec!r}: workers={workers} needs a physical world; {inner!r} is arithmetic here")
    return WorkersWorld(made, partial(world, inner), int(workers))


def _capped(spec: str) -> World:
    """A world with `cap=N`: its subgoals end after N low-level actions at the latest."""
    inner, most = _without(spec, "cap")
    if not most.isdigit():
        raise BadInput(f"world {spec!r}: cap={most!r}: expected a number of low-level actions")
    return capped(world(inner), int(most))


def _jumping(spec: str) -> World:
    """A world with `jump=T`: from episode T on its latent is another one."""
    inner, jump = _without(spec, "jump")
    made = world(inner)
    if not jump.isdigit():
        raise BadInput(f"world {spec!r}: jump={jump!r}: expected an episode, counted from 0")
    if type(made) is not TabularWorld:
        raise BadInput(f"world {spec!r}: jump={jump} needs a world that is tables and nothing else")
    return JumpingWorld(made.tables, int(jump))


def _without(spec: str, name: str) -> tuple[str, str]:
    """A world's spec without one of its arguments, and that argument."""
    kind, arguments = parse_spec(spec, "world")
    value = arguments.pop(name, "")
    rest = ",".join(f"{key}={value}" for key, value in arguments.items())
    return f"{kind}:{rest}" if rest else kind, value


def _low_level(kind: str, arguments: dict[str, str]) -> bool:
    if kind not in LOW_LEVEL:
        return False
    said = arguments.pop("low_level", str(LOW_LEVEL[kind])).lower()
    if said not in ("true", "1", "yes", "false", "0", "no"):
        raise BadInput(f"world {kind!r}: low_level={said!r}: expected true or false")
    return said in ("true", "1", "yes")


def _physical() -> dict[str, Callable[..., World]]:
    from parley import gym

    made = {"house": gym.house_world, "keys": gym.keys_world, "quest": gym.quest_world, "forage": gym.forage_world}
    return {**made, "sorter": gym.sorter_world, "sorter-floor": gym.sorter_floor_world}


def _probability(kind: str, floor: str) -> float:
    try:
        return float(floor)
    except ValueError:
        raise BadInput(f"world {kind!r}: floor={floor!r}: expected a probability") from None


def _altered(kind: str, tables: Tables, house: House | None, settings: dict[str, str]) -> World:
    """The world, with a floor under what can be said, and an Actor or a Reporter that has an error."""
    from parley.gym import actor_of, household_low_level, reported_world, reporter_of

    floor = _probability(kind, settings.get("floor", "0"))
    tables = with_floor(tables, floor) if "floor" in settings else tables
    reporter, actor = settings.get("reporter"), settings.get("actor")
    if actor and house is None:
        raise BadInput(f"world {kind!r}: actor={actor!r} needs the real low level: household:low_level=true")
    if house is None:
        return reported_world(tables, kind, reporter) if reporter else TabularWorld(tables)
    learned = reporter_of(reporter, tables, kind, "grid") if reporter else None
    return household_low_level(tables, house, actor_of(actor, house) if actor else None, learned, altered=floor > 0)
