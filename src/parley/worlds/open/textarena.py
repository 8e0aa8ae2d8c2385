"""TextArena's games for a single player, `textarena:ID` (extra `textarena`; Guertler et al. 2025)."""

import contextlib
import re
from typing import Any

import gymnasium as gym

from parley.core.errors import BadInput, MissingExtra
from parley.core.spec import suggestion
from parley.core.text import inert
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import FREE, AnyText
from parley.worlds.kit.wrap import wrap
from parley.worlds.open.seeds import some

OFFERED = re.compile(r"(?:Available|Valid) (?:Actions|Moves):[^\n]*")  # what some games list after the board


def textarena(
    game: str,
    variations: int = 0,
    first: int = 0,
    horizon: int = 50,
    actions: str = "free",
    seeded_by: str = "variation",
) -> PhysicalWorld:
    """TextArena (extra textarena), one player: textarena:FrozenLake-v0, any words; actions=menu where it lists them.

    The game's seed is hidden and the same in all episodes of a run; seeded_by=episode draws one for each.
    """
    known = list(_library().envs.registration.ENV_REGISTRY)
    if game not in known:
        raise BadInput(f"game={game!r}: there is no such game{suggestion(game, known)}")
    if actions not in ("menu", FREE):
        raise BadInput(f"actions={actions!r}: expected 'menu' or 'free'")
    return wrap(
        lambda *seed: Arena(game),
        variations=some(first, variations),
        seeded_by=seeded_by,
        menu=FREE if actions == FREE else _listed,
        horizon=horizon,
        max_score=1.0,
        instruction="play the game by its rules, and win",
        name=f"textarena:{game}",
    )


def _library() -> Any:
    try:
        import textarena as library
        import textarena.envs.registration  # noqa: F401
    except ImportError:
        raise MissingExtra("world 'textarena'", "textarena") from None
    return library


class Arena(gym.Env[str, str]):
    """A game as player 0: the observation is what the game said since the last action, the reward that of the end."""

    def __init__(self, game: str) -> None:
        self.action_space, self.observation_space = AnyText(), AnyText()
        self._id = game

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """A game from its beginning."""
        super().reset(seed=seed)
        self._game = _library().make(self._id)
        self._game.reset(num_players=1, seed=seed)
        self._heard = ""
        return self._news(), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Say something; a move that the rules do not allow is told in `info["event"]`."""
        over, told = self._game.step(action=action)
        paid, said = 0.0, ""
        if over:
            rewards, reasons = self._game.close()
            paid = float((rewards or {}).get(0, 0.0))
            said = str((reasons or {}).get(0, {}).get("reason", ""))
        news = said if over else self._news(action)
        wrong = "invalid move" in news.lower()
        return news or "The game is over.", paid, bool(over), False, {"event": "invalid move"} if wrong else {}

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._game.close()

    def _news(self, action: str = "") -> str:
        """The new part of the game's text, without the action, which games repeat as the line of some speaker."""
        _, said = self._game.get_observation()
        text = said if isinstance(said, str) else "\n".join(str(part[1]) for part in said)
        shared = 0
        while shared < min(len(text), len(self._heard)) and text[shared] == self._heard[shared]:
            shared += 1
        self._heard = text
        new = text[shared:].strip()
        return re.sub(rf"^\[[^\]\n]*\] {re.escape(action.strip())}(\n|$)", "", new, count=1) or text.strip()


def _listed(state: Any, info: Any) -> list[str]:
    found = OFFERED.findall(str(state))
    listed = re.findall(r"\[[^\]]*\]", found[-1]) if found else []
    if not listed:
        raise BadInput(f"actions='menu': this game lists none in {inert(str(state), 80)!r}: say actions=free")
    return listed
