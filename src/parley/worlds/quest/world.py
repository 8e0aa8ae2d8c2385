"""The world `quest`: its game, Actor and Reporter put together."""

from parley.worlds.kit.physical import Abstraction, PhysicalWorld
from parley.worlds.kit.script import Script
from parley.worlds.kit.text_env import TextEnv
from parley.worlds.quest.actor import TypistActor
from parley.worlds.quest.environment import QuestGame
from parley.worlds.quest.reporter import QuestReporter, turn
from parley.worlds.quest.tables import COLOURS, mechanism, quest_tables, turns


def quest(usual: float = 0.6, horizon: int = 5) -> PhysicalWorld:
    """TextWorld (extra text): which of three keys fits the iron door, in the game's own words."""
    tables = quest_tables(usual, horizon)
    script, at = Script.of(tables), dict(zip(tables.states, turns(), strict=True))

    def text_env(latent: int) -> TextEnv:
        return TextEnv(QuestGame(COLOURS[latent]), TypistActor(), QuestReporter(), script, max_actions=10)

    abstraction = Abstraction(
        state=lambda raw: str(turn(raw)), mechanism=lambda z, s, g: mechanism(COLOURS[z], at[s], g)
    )
    return PhysicalWorld.of(tables, text_env, abstraction)
