"""`parley.make` and `parley.gym`: worlds, and Gymnasium environments of them."""

from pathlib import Path
from typing import Any

from parley import assemble
from parley.assemble.environments import environment, named
from parley.core.errors import BadInput
from parley.core.roles import World
from parley.worlds.kit.single import SingleRun


def make(world: str | Path | World, **settings: Any) -> World:
    """The world of a name, a spec, the path of a world file or `"module:Name"`; `settings` as in its spec.

    `parley.make("keys", miss=0.2)` is `parley.make("keys:miss=0.2")`. Raises `BadInput` where there is no such world.
    """
    if isinstance(world, str | Path):
        return assemble.world(named(world, settings), trust=True)
    if settings:
        raise BadInput(f"{next(iter(settings))}=...: the world is an object already: give its name, or a spec")
    return world


def gym(world: str | Path | World, latent: str | int | None = None, **settings: Any) -> SingleRun:
    """One run of a world as a Gymnasium environment of sentences: the action is a subgoal, from `info["menu"]`.

    `latent` is a name, an index, or None: then each `reset(seed=...)` draws it from the prior. `reset()` begins the
    next episode of the run.
    """
    return environment(make(world, **settings), latent)
