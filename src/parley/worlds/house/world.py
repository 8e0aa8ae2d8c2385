"""The world `house`: its low level, Actor and Reporter put together."""

from dataclasses import replace

from parley.worlds.house.actor import WaypointActor
from parley.worlds.house.cloned_actor import ClonedWalk, ClonedWalker, clone_walk
from parley.worlds.house.environment import HouseMaze
from parley.worlds.house.reporter import HouseReporter, posture
from parley.worlds.house.tables import ROOMS, Mansion, mansion_tables, postures, sentence
from parley.worlds.kit.learned import cloned_from
from parley.worlds.kit.physical import Abstraction, PhysicalWorld
from parley.worlds.kit.wrap import wrap


def house(usual: float = 0.5, locks: int = 8, draughts: int = 4, horizon: int = 8, noise: float = 0.2) -> PhysicalWorld:
    """MuJoCo (extra mujoco): rooms whose doors may be locked, and a draught."""
    mansion = Mansion(usual, locks, draughts, horizon, noise)
    tables = mansion_tables(mansion)
    room = {said: at for said, (at, _) in zip(tables.states, postures(), strict=True)}
    goals = {f"go to the {name}": i for i, name in enumerate(ROOMS)}
    abstraction = Abstraction(
        state=lambda raw: sentence(*posture(raw)),
        mechanism=lambda z, s, g: mansion.plans[z].mechanism(room[s], goals[g]),
    )

    def cloned(world: PhysicalWorld, spec: str) -> PhysicalWorld:
        """Walked by a cloned Actor, which does what the tables call impossible."""
        walk = cloned_from(spec, ClonedWalk.load, clone_walk)
        return replace(world, text_env=lambda z: world.text_env(z).acted_by(ClonedWalker(walk)), altered=True)

    return wrap(
        lambda latent: HouseMaze(mansion, mansion.plans[latent]),
        skills=WaypointActor,
        describe=HouseReporter,
        max_actions=400,
        tables=tables,
        abstraction=abstraction,
        offers={"actor": cloned},
        learns={"actor": clone_walk},
    )
