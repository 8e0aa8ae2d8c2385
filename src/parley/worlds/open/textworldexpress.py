"""TextWorldExpress (extra `textworldexpress`, and Java): fast text games (Jansen and Côté 2023)."""

import json
import os
from functools import cache
from typing import Any

import gymnasium as gym

from parley.core.errors import BadInput, MissingExtra
from parley.core.spec import suggestion
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import AnyText
from parley.worlds.kit.wrap import wrap
from parley.worlds.open.java import found, machine
from parley.worlds.open.seeds import menu_of, variations

WHAT = "world 'textworldexpress'"
_seeds = variations


def textworldexpress(
    game: str,
    variations: int = 100,
    first: int = 0,
    horizon: int = 50,
    settings: str = "",
    actions: str = "menu",
    java: str = "",
) -> PhysicalWorld:
    """TextWorldExpress (its extra, and Java): textworldexpress:coin; hidden: the game's seed.

    `settings` are the simulator's own: "numLocations=5;includeDoors=0".
    """
    path = found(java, WHAT)
    games = list(_server(path).getGameNames())
    if game not in games:
        raise BadInput(f"game={game!r}: there is no such game{suggestion(game, games)}")
    chosen = settings.replace(";", ",")
    if wrong := str(_server(path).load(game, chosen) or ""):
        raise BadInput(f"settings={settings!r}: the simulator says: {wrong}")
    return wrap(
        lambda seed: Express(path, game, chosen, seed),
        variations=_seeds(first, variations),
        menu=menu_of(actions),
        max_score=1.0,
        horizon=horizon,
        deterministic=True,
        name=f"textworldexpress:{game}",
    )


@cache
def _names() -> tuple[str, str]:
    try:
        from textworld_express.constants import BASEPATH, JAR_PATH
    except ImportError:
        raise MissingExtra(WHAT, "textworldexpress") from None
    return str(BASEPATH), str(JAR_PATH)


def _server(java: str) -> Any:
    folder, jar = _names()
    return machine(java, jar, folder, os.getpid()).jvm.textworldexpress.runtime.PythonInterface()


class Express(gym.Env[str, str]):
    """A game of a seed. A reward is the score gained, 1 in all."""

    def __init__(self, java: str, game: str, settings: str, seed: int) -> None:
        self.action_space, self.observation_space = AnyText(), AnyText()
        self._server, self._seed = _server(java), seed
        self._server.load(game, settings)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """The game of its seed, anew."""
        super().reset(seed=seed)
        told = json.loads(self._server.generateNewGameJSON(self._seed, "train", False))
        self._score = 0.0
        task = " ".join(str(self._server.getTaskDescription()).split())
        return str(told["observation"]).strip(), {**_info(told), "goal": task}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Say what to do."""
        told = json.loads(self._server.stepJSON(action))
        score = float(told["score"])
        paid, self._score = score - self._score, score
        over = bool(told["tasksuccess"] or told["taskfailure"]) or score >= 1
        return str(told["observation"]).strip(), paid, over, False, _info(told)


def _info(told: dict[str, Any]) -> dict[str, Any]:
    return {"admissible_commands": sorted(set(told["validActions"]))}
