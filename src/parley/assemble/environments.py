"""A run of a world as somebody else's kind of environment: Gymnasium's, or PettingZoo's."""

from typing import TYPE_CHECKING, Any

from parley.assemble.worlds import world as world_of
from parley.core.errors import MissingExtra
from parley.core.roles import World
from parley.core.spec import parse_spec, spell
from parley.worlds.kit.single import SingleRun

if TYPE_CHECKING:
    from parley.worlds.kit.parallel_run import ParallelRun


def environment(world: str | World, latent: str | int | None = None, **settings: Any) -> SingleRun:
    """One run of a world as a Gymnasium environment of sentences; `settings` are the world's, as in its spec.

    `latent` is a name, an index, or None: then it is drawn from the prior.
    """
    if isinstance(world, str):
        name, arguments = parse_spec(world, "world")
        world = world_of(f"{name}:{spell(arguments | {key: str(value) for key, value in settings.items()})}")
    return SingleRun(world, latent)


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
