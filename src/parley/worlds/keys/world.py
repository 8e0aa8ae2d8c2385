"""The world `keys`: its low level, Actor and Reporter put together."""

from functools import partial

from parley.worlds.keys.actor import GridSearchActor
from parley.worlds.keys.environment import KeysGrid
from parley.worlds.keys.reporter import KeysReporter, PartialKeysReporter, spot
from parley.worlds.keys.tables import SECRETS, Rules, mechanism, rules_tables, spots
from parley.worlds.kit.physical import Abstraction, PhysicalWorld
from parley.worlds.kit.wrap import wrap


def keys(miss: float = 0.1, slip: float = 0.1, horizon: int = 6, view: str = "full") -> PhysicalWorld:
    """MiniGrid (extra minigrid): which key opens the grey door, and where the red ball is."""
    rules = Rules(miss, slip, horizon, view)
    tables = rules_tables(rules)
    at = dict(zip(tables.states, spots(), strict=True))
    abstraction = Abstraction(
        state=lambda raw: str(spot(raw)),
        mechanism=lambda z, s, g: mechanism(SECRETS[z], at[s], g),
        unlikely={"the right key opens": KeysGrid.stuck},
    )
    return wrap(
        lambda latent: KeysGrid(rules, SECRETS[latent]),
        skills=GridSearchActor,
        describe=partial(PartialKeysReporter if rules.view == "partial" else KeysReporter, rules),
        max_actions=400,
        tables=tables,
        abstraction=abstraction,
    )
