"""The world `sorter-floor`: its low level, Actor and Reporter put together."""

from parley.worlds.kit.physical import Abstraction, PhysicalWorld
from parley.worlds.kit.script import Script
from parley.worlds.kit.text_env import TextEnv
from parley.worlds.sorter.floor.actor import PushActor
from parley.worlds.sorter.floor.environment import FloorArm, stored
from parley.worlds.sorter.floor.reporter import FloorReporter
from parley.worlds.sorter.floor.tables import STATES, Rules, floor_tables, mechanism, sentence


def sorter_floor(rough: float = 0.7, grip: float = 0.6, horizon: int = 4, noise: float = 0.05) -> PhysicalWorld:
    """MuJoCo (extra mujoco): the arm again; pushing works unless the table is icy."""
    rules = Rules(rough, grip, horizon, noise)
    tables = floor_tables(rules)
    script, at = Script.of(tables), dict(zip(tables.states, STATES, strict=True))

    def text_env(latent: int) -> TextEnv:
        return TextEnv(FloorArm(rules, latent), PushActor(), FloorReporter(), script, max_actions=400)

    abstraction = Abstraction(state=lambda raw: sentence(stored(raw)), mechanism=lambda z, s, g: mechanism(z, at[s], g))
    return PhysicalWorld.of(tables, text_env, abstraction)
