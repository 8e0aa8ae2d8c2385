"""The world `quest`: its game, Actor and Reporter put together."""

from parley.worlds.kit.physical import Abstraction, PhysicalWorld
from parley.worlds.kit.wrap import wrap
from parley.worlds.quest.actor import TypistActor
from parley.worlds.quest.environment import QuestGame
from parley.worlds.quest.reporter import QuestReporter, turn
from parley.worlds.quest.tables import COLOURS, mechanism, quest_tables, turns


def quest(usual: float = 0.6, horizon: int = 5) -> PhysicalWorld:
    """TextWorld (extra text): which of three keys fits the iron door, in the game's own words."""
    tables = quest_tables(usual, horizon)
    at = dict(zip(tables.states, turns(), strict=True))
    abstraction = Abstraction(
        state=lambda raw: str(turn(raw)), mechanism=lambda z, s, g: mechanism(COLOURS[z], at[s], g)
    )
    return wrap(
        lambda latent: QuestGame(COLOURS[latent]),
        skills=TypistActor,
        describe=QuestReporter,
        max_actions=10,
        tables=tables,
        abstraction=abstraction,
    )
