"""The world `sorter-floor`: its low level, Actor and Reporter put together."""

from parley.worlds.kit.physical import Abstraction, PhysicalWorld
from parley.worlds.kit.wrap import wrap
from parley.worlds.sorter.floor.actor import PushActor
from parley.worlds.sorter.floor.environment import FloorArm, stored
from parley.worlds.sorter.floor.reporter import FloorReporter
from parley.worlds.sorter.floor.tables import STATES, Rules, floor_tables, mechanism, sentence


def sorter_floor(rough: float = 0.7, grip: float = 0.6, horizon: int = 4, noise: float = 0.05) -> PhysicalWorld:
    """MuJoCo (extra mujoco): the arm again; pushing works unless the table is icy."""
    rules = Rules(rough, grip, horizon, noise)
    tables = floor_tables(rules)
    at = dict(zip(tables.states, STATES, strict=True))
    abstraction = Abstraction(state=lambda raw: sentence(stored(raw)), mechanism=lambda z, s, g: mechanism(z, at[s], g))
    return wrap(
        lambda latent: FloorArm(rules, latent),
        skills=PushActor,
        describe=FloorReporter,
        max_actions=400,
        tables=tables,
        abstraction=abstraction,
    )
