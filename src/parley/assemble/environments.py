"""A run of a world as somebody else's kind of environment: Gymnasium's, or PettingZoo's."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parley.assemble.parts import world_of
from parley.assemble.worlds import find_world
from parley.core.errors import BadInput, MissingExtra
from parley.core.roles import World
from parley.core.spec import spell
from parley.worlds.kit.single import SingleRun

if TYPE_CHECKING:
    from parley.worlds.kit.parallel_run import ParallelRun


def environment(world: str | World, latent: str | int | None = None, **settings: Any) -> SingleRun:
    """One run of a world as a Gymnasium environment of sentences; `settings` are the world's, as in its spec.

    `latent` is a name, an index, or None: then it is drawn from the prior.
    """
    return SingleRun(with_settings(world, settings), latent)


def with_settings(given: Any, settings: Mapping[str, Any], trust: bool = False) -> World:
    """The world that a caller names or gives, with these settings besides those of its spec."""
    if not settings:
        return world_of(given, trust)[0]
    if not isinstance(given, str | Path):
        raise BadInput(f"{next(iter(settings))}=...: the world is an object already: give its name, or a spec")
    named = find_world(str(given), trust)
    arguments = {**named.arguments, **{key: str(value) for key, value in settings.items()}}
    return world_of(f"{named.name}:{spell(arguments)}", trust)[0]


def parallel_environment(world: World, latent: str | int | None = None) -> "ParallelRun":
    """One run of a world with tables as a PettingZoo `ParallelEnv`, an agent for each Actor (extra `pettingzoo`).

    `latent` is a name, an index, or None, as in `environment`.
    """
    try:
        from parley.worlds.kit.parallel_run import ParallelRun
    except ImportError:
        raise MissingExtra("a PettingZoo environment", "pettingzoo") from None
    run = SingleRun(world, latent)
    assert world.tables is not None  # or else SingleRun had raised
    return ParallelRun(run, world.tables)
