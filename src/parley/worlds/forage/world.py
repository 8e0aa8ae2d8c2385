"""The world `forage`: its low level, Actors and Reporter put together."""

from parley.worlds.forage.actor import Foragers
from parley.worlds.forage.environment import ForageGrid
from parley.worlds.forage.reporter import ForageReporter, basket
from parley.worlds.forage.tables import BASKETS, TAKES, forage_tables, mechanism, sentence
from parley.worlds.kit.physical import Abstraction, PhysicalWorld
from parley.worlds.kit.wrap import wrap


def forage() -> PhysicalWorld:
    """Three foragers on a grid (extra forage): how many it takes for each kind of fruit is hidden."""
    tables = forage_tables()
    at = dict(zip(tables.states, BASKETS, strict=True))
    abstraction = Abstraction(
        state=lambda raw: sentence(basket(raw)),
        mechanism=lambda z, s, g: mechanism(TAKES[z], at[s], tuple(g.split(" / "))),
    )
    return wrap(
        lambda latent: ForageGrid(TAKES[latent]),
        skills=Foragers,
        describe=ForageReporter,
        max_actions=200,
        tables=tables,
        abstraction=abstraction,
    )
