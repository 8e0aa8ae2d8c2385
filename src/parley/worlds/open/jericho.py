"""Interactive fiction for the Z-machine, `jericho:PATH` (extra `text`; Hausknecht et al. 2020)."""

import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym

from parley.core.errors import BadInput, MissingExtra
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import AnyText
from parley.worlds.kit.wrap import wrap
from parley.worlds.open.seeds import menu_of
from parley.worlds.open.textworld import answer, require_story

ENDS = ("*** the end ***", "*** you have won ***", "*** you have died ***", "*** you lost ***")


def jericho(path: str, horizon: int = 100, actions: str = "free", variations: int = 0) -> PhysicalWorld:
    """A game for the Z-machine (extra text): jericho:PATH, any words; actions=menu for those that Jericho knows.

    The interpreter's random numbers are hidden where there are `variations` of them.
    """
    file = Path(path)
    if not file.is_file():
        raise BadInput(f"path={path!r}: there is no such file")
    require_story(file)
    library = _library()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = bool(library.FrotzEnv(str(file)).is_fully_supported)
    if actions == "menu" and not known:
        raise BadInput(f"actions='menu': Jericho does not know what can be done in {path!r}: say actions=free")
    return wrap(
        lambda *seed: Fiction(file, actions == "menu"),
        variations=range(variations) if variations else None,
        seeded_by="variation" if variations else "episode",
        menu=menu_of(actions),
        horizon=horizon,
        instruction="play the game, and score as much as you can",
        deterministic=True,
        name=f"jericho:{file.name}",
    )


def _library() -> Any:
    try:
        import jericho as library
    except ImportError:
        raise MissingExtra("world 'jericho'", "text") from None
    return library


class Fiction(gym.Env[str, str]):
    """One game: the observation is its text, the action a typed command."""

    def __init__(self, file: Path, listed: bool) -> None:
        self.action_space, self.observation_space = AnyText(), AnyText()
        self._listed = listed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says of every game that it does not know that it does not know it
            self._game = _library().FrotzEnv(str(file))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin anew, with the interpreter's random numbers from `seed`."""
        super().reset(seed=seed)
        if seed is not None:
            self._game.seed(seed)
        said, _ = self._game.reset()
        self._score = 0.0
        highest = float(self._game.get_max_score() or 0) if self._game.is_fully_supported else 0.0
        return answer(said), {**self._info(), **({"max_score": highest} if highest > 0 else {})}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Type a line; over when the game says so."""
        said, paid, done, _ = self._game.step(action)
        over = bool(done) or any(end in said.lower() for end in ENDS)
        return answer(said), float(paid), over, False, {} if over else self._info()

    def close(self) -> None:
        self._game.close()

    def _info(self) -> dict[str, Any]:
        return {"admissible_commands": sorted(set(self._game.get_valid_actions()))} if self._listed else {}
