"""A run of a world as somebody else's kind of environment: Gymnasium's, or PettingZoo's."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parley.assemble.worlds import find_world
from parley.assemble.worlds import world as world_of
from parley.core.errors import MissingExtra
from parley.core.roles import World
from parley.core.spec import spell
from parley.worlds.kit.single import SingleRun

if TYPE_CHECKING:
    from parley.worlds.kit.parallel_run import ParallelRun


def environment(world: str | World, latent: str | int | None = None, **settings: Any) -> SingleRun:
    """One run of a world as a Gymnasium environment of sentences; `settings` are the world's, as in its spec.

    `latent` is a name, an index, or None: then it is drawn from the prior.
    """
    return SingleRun(world_of(named(world, settings)) if isinstance(world, str) else world, latent)


def named(world: str | Path, settings: Mapping[str, Any]) -> str:
    """The spec of a world with these settings besides its own."""
    if not settings:
        return str(world)
    found = find_world(str(world), trust=True)
    return f"{found.name}:{spell({**found.arguments, **{key: str(value) for key, value in settings.items()}})}"


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
