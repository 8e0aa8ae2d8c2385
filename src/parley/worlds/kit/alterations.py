"""Alterations of a world: functions World -> World, each with its own argument, which any world's spec may name."""

from collections.abc import Callable
from dataclasses import replace

from parley.core.errors import BadInput
from parley.core.roles import World
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.reporter_training import reporter_of
from parley.worlds.kit.tabular.env import TabularWorld
from parley.worlds.kit.tabular.jumping import JumpingWorld
from parley.worlds.kit.tabular.reported import ReportedWorld, mixed, with_floor
from parley.worlds.kit.text_env import TextEnv
from parley.worlds.kit.workers import WorkersWorld


def grounded(world: World, low_level: bool) -> World:
    """The world on its low level, or as arithmetic on its tables."""
    if low_level and isinstance(world, TabularWorld):
        if world.low_level is None:
            raise BadInput(f"low_level=true: world {world.name!r} is tables and nothing else")
        return world.low_level()
    if not low_level and isinstance(world, PhysicalWorld):
        if world.tables is None:
            raise BadInput(f"low_level=false: world {world.name!r} has no tables to run on")
        return TabularWorld(world.tables)
    return world


def floored(world: World, floor: float) -> World:
    """The world whose tables let any sentence be said with probability `floor`, so that no sentence is impossible."""
    if world.tables is None:
        raise BadInput(f"floor={floor}: world {world.name!r} has no tables")
    tables = with_floor(world.tables, floor)
    if isinstance(world, PhysicalWorld):
        return replace(world, tables=tables, altered=world.altered or floor > 0)
    if isinstance(world, TabularWorld):
        return replace(world, tables=tables)
    raise BadInput(f"floor={floor}: world {world.name!r} makes its own environments: give its tables the floor")


def acted(world: World, actor: str) -> World:
    """The world with another Actor, of those that its low level offers."""
    offered = getattr(world, "offers", {})
    if "actor" in offered:
        made: World = offered["actor"](world, actor)
        return made
    if getattr(world, "low_level", None) is not None:
        raise BadInput(f"actor={actor!r} needs the real low level of world {world.name!r}: add low_level=true")
    raise BadInput(f"actor={actor!r}: world {world.name!r} has no other Actor than its own")


def reported(world: World, reporter: str) -> World:
    """The world heard through a Reporter that was learned (`learned:PATH|PAIRS`) or errs (`noisy:SHARE`)."""
    offered = getattr(world, "offers", {})
    if "reporter" in offered:
        made: World = offered["reporter"](world, reporter)
        return made
    if not isinstance(world, TabularWorld):
        raise BadInput(
            f"reporter={reporter!r}: world {world.name!r} runs on its low level, and reporter belongs to its tables: "
            "add low_level=false"
        )
    kind, _, rest = reporter.partition(":")
    if kind != "noisy":
        learned = reporter_of(reporter, world.tables, world.views, "tables")
        return ReportedWorld(world.tables, learned.emission(world.tables, world.views))
    try:
        share = float(rest)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise BadInput(f"reporter={reporter!r}: expected noisy:SHARE with a share between 0 and 1")
    return ReportedWorld(world.tables, mixed(world.tables.emission, share))


def jumping(world: World, jump: int) -> World:
    """The world whose latent is another one from episode `jump` on."""
    if type(world) is not TabularWorld:
        raise BadInput(f"jump={jump}: world {world.name!r} is not tables and nothing else")
    return JumpingWorld(world.tables, jump)


def capped(world: World, cap: int) -> World:
    """The same words over subgoals of at most `cap` actions, after which the planner is asked again: flat planning.

    The tables are then no model of what happens (`altered`): regret is the optimal value of the whole subgoals, less
    the return.
    """
    if cap < 1:
        raise BadInput(f"cap={cap}: expected at least 1 low-level action")
    if not isinstance(world, PhysicalWorld):
        raise BadInput(f"cap={cap}: world {world.name!r} has no low level whose subgoals could be cut short")

    def text_env(latent: int) -> TextEnv:
        env = world.text_env(latent)
        env.max_actions = cap
        return env

    return replace(world, text_env=text_env, altered=True)


def in_processes(world: World, workers: int, again: Callable[[], World]) -> World:
    """The world whose environments run in so many processes; each process makes the world by `again` (picklable)."""
    if not isinstance(world, PhysicalWorld):
        raise BadInput(f"workers={workers} needs a physical world; {world.name!r} is arithmetic here")
    return WorkersWorld(world, again, workers)


# By argument, in the order in which they are applied.
ALTERATIONS: dict[str, Callable[..., World]] = {
    "low_level": grounded,
    "floor": floored,
    "actor": acted,
    "reporter": reported,
    "jump": jumping,
    "cap": capped,
    "workers": in_processes,
}
