"""The world `household`: arithmetic on its exact tables unless told to run on its low level."""

from dataclasses import replace
from functools import partial

from parley.worlds.household.actor import GridActor
from parley.worlds.household.cloned_actor import ClonedActor, ClonedPolicy, clone
from parley.worlds.household.composed import composed_kernel
from parley.worlds.household.environment import HouseholdGrid
from parley.worlds.household.learned_reporter import VIEWS, LowLevelReporter
from parley.worlds.household.reporter import HouseholdReporter
from parley.worlds.household.tables import House, house_tables
from parley.worlds.kit.learned import cloned_from
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.reporter_training import reporter_of
from parley.worlds.kit.tabular.env import TabularWorld
from parley.worlds.kit.wrap import wrap


def household(
    miss: float = 0.2, slip: float = 0.1, grip: float = 0.2, horizon: int = 4, max_actions: int = 15
) -> TabularWorld:
    """Fetch things kept in places that depend on the house; seen through a fallible Reporter."""
    house = House(miss, slip, grip, int(horizon), int(max_actions))
    return TabularWorld(house_tables(house), low_level=partial(_low_level, house), views=VIEWS)


def _low_level(house: House) -> PhysicalWorld:
    """The same in a grid of cells, with an Actor and a Reporter that may have an error."""

    def cloned(world: PhysicalWorld, spec: str) -> PhysicalWorld:
        policy = cloned_from(spec, ClonedPolicy.load, partial(clone, house))
        return replace(world, text_env=lambda z: world.text_env(z).acted_by(ClonedActor(house, policy)), altered=True)

    def reported(world: PhysicalWorld, spec: str) -> PhysicalWorld:
        assert world.tables is not None
        voice = LowLevelReporter(reporter_of(spec, world.tables, VIEWS, "grid"), house)
        return replace(world, text_env=lambda latent: world.text_env(latent).heard_through(voice), altered=True)

    return wrap(
        partial(HouseholdGrid, house),
        skills=lambda: GridActor(house),
        describe=lambda: HouseholdReporter(house),
        tables=house_tables(house),
        offers={"actor": cloned, "reporter": reported},
        learns={"actor": partial(clone, house)},
        kernel=partial(composed_kernel, house),
    )
