"""Worlds in which a subgoal is at most so many low-level actions; with one, planning is flat."""

from dataclasses import replace

from parley.core.errors import BadInput
from parley.core.roles import World
from parley.worlds.composed import ComposedWorld, TextEnv
from parley.worlds.physical import PhysicalWorld


def capped(world: World, most: int) -> World:
    """The same words over subgoals of at most `most` actions, after which the planner is asked again.

    The tables are then no model of what happens (`altered`): regret is the optimal value of the whole subgoals, less
    the return.
    """
    if most < 1:
        raise BadInput(f"cap={most}: expected at least 1 low-level action")
    if not isinstance(world, PhysicalWorld | ComposedWorld):
        raise BadInput(f"cap={most}: world {world.name!r} has no low level whose subgoals could be cut short")

    def text_env(latent: int) -> TextEnv:
        env = world.text_env(latent)
        env.max_actions = most
        return env

    return replace(world, text_env=text_env, altered=True)
