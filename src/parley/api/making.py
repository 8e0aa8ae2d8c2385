"""`parley.make` and `parley.gym`: worlds, and Gymnasium environments of them."""

from pathlib import Path
from typing import Any

from parley.assemble.environments import with_settings
from parley.core.arguments import plainly
from parley.core.roles import World
from parley.worlds.kit.single import SingleRun


def make(world: str | Path | World, **settings: Any) -> World:
    """The world of a name, a spec, the path of a world file or `"module:Name"`; `settings` as in its spec.

    `parley.make("keys", miss=0.2)` is `parley.make("keys:miss=0.2")`. Raises `BadInput` where there is no such world.
    """
    return with_settings(world, settings, trust=True)


@plainly
def gym(world: str | Path | World, latent: str | int | None = None, **settings: Any) -> SingleRun:
    """One run of a world as a Gymnasium environment of sentences: the action is a subgoal, from `info["menu"]`.

    `latent` is a name, an index, or None: then each `reset(seed=...)` draws it from the prior. `reset()` begins the
    next episode of the run.
    """
    return SingleRun(with_settings(world, settings, trust=True), latent)
