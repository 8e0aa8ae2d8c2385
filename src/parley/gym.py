"""Concrete worlds put together from their parts, and the Gymnasium environments made of them."""

from typing import Any

from parley.actors.grid import GridActor
from parley.core.tables import Tables
from parley.reporters.template import HouseholdReporter
from parley.worlds.composed import ComposedWorld, Script, TextEnv
from parley.worlds.household import House, household
from parley.worlds.household_env import HouseholdGrid
from parley.worlds.single import SingleRun
from parley.worlds.tabular.env import TabularWorld
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.treasure import treasure


def household_low_level(tables: Tables, **settings: Any) -> ComposedWorld:
    """The household run on its real low level; `tables` are those of the same settings."""
    house = House(**settings)
    script = Script.of(tables)

    def text_env(latent: int) -> TextEnv:
        return TextEnv(HouseholdGrid(house, latent), GridActor(house), HouseholdReporter(house), script)

    return ComposedWorld(tables, text_env)


def household_world(low_level: bool = True, **settings: Any) -> TabularWorld:
    """The household, run on its real low level or on its tables; `settings` are those of `House`."""
    tables = household(**settings)
    return household_low_level(tables, **settings) if low_level else TabularWorld(tables)


def make_household(latent: str | int | None = None, **settings: Any) -> SingleRun:
    """`parley/Household-v0`."""
    return SingleRun(household_world(**settings), latent)


def make_shortcut(latent: str | int | None = None, **settings: Any) -> SingleRun:
    """`parley/Shortcut-v0`."""
    return SingleRun(TabularWorld(shortcut(**settings)), latent)


def make_treasure(latent: str | int | None = None, **settings: Any) -> SingleRun:
    """`parley/Treasure-v0`."""
    return SingleRun(TabularWorld(treasure(**settings)), latent)
