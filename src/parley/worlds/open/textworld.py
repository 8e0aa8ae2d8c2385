"""TextWorld's games (extra `text`): its challenges, made once and kept, and any .z8 (Côté et al. 2018)."""

import hashlib
import os
import re
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym

from parley.core.errors import BadInput, MissingExtra
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import AnyText
from parley.worlds.kit.wrap import wrap
from parley.worlds.open.seeds import menu_of, variations

HEADER = 64  # bytes of a story file
CHALLENGES = ("coin-collector", "treasure-hunter", "cooking", "simple")


def textworld(
    challenge: str,
    level: int = 5,
    variations: int = 100,
    first: int = 0,
    horizon: int = 50,
    actions: str = "menu",
    recipe: int = 1,
    take: int = 1,
    go: int = 6,
    cook: bool = False,
    cut: bool = False,
    open: bool = False,
) -> PhysicalWorld:
    """TextWorld (extra text): coin-collector, treasure-hunter, cooking, simple, or PATH.z8; hidden: the game."""
    menu = menu_of(actions)
    name = f"textworld:{challenge}"
    if challenge.endswith((".z8", ".ulx")):
        path = Path(challenge)
        if not path.is_file():
            raise BadInput(f"challenge={challenge!r}: there is no such file")
        if path.suffix == ".z8":
            require_story(path)
        known = path.with_suffix(".json").is_file()  # what can be done is known of TextWorld's own games only
        return wrap(
            lambda: Game(path), menu=menu if known else "free", horizon=horizon, name=name, says_reward=not known
        )
    if challenge not in CHALLENGES:
        raise BadInput(f"challenge={challenge!r}: expected {', '.join(CHALLENGES)}, or the path of a .z8")
    cooking = {"recipe": recipe, "take": take, "go": go, "cook": cook, "cut": cut, "open": open, "drop": False}
    settings = {"coin-collector": {"level": level}, "treasure-hunter": {"level": level}, "cooking": cooking}
    chosen = settings.get(challenge, {"rewards": "dense", "goal": "brief", "test": False})
    return wrap(
        lambda seed: Game(game_file(challenge, chosen, seed)),
        variations=_seeds(first, variations),
        menu=menu,
        horizon=horizon,
        says_reward=False,  # the game says that its score has gone up
        deterministic=True,
        name=name,
    )


_seeds = variations


class Game(gym.Env[str, str]):
    """A game of TextWorld: the observation is its answer, the action a command."""

    def __init__(self, path: Path) -> None:
        core = _library()
        told = core.EnvInfos(admissible_commands=True, objective=True, max_score=True, description=True, won=True)
        self.action_space, self.observation_space = AnyText(), AnyText()
        self._known = path.with_suffix(".json").is_file()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the interpreter keeps no score of games that it does not know
            self._game = core.start(str(path), told if self._known else None)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin the game anew; nothing is drawn."""
        super().reset(seed=seed)
        state = self._game.reset()
        self._score = 0.0
        begun = state["description"] if self._known else state["feedback"]
        return answer(begun), self._info(state)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Type a command; the reward is the rise of the score."""
        state, score, done = self._game.step(action)
        paid, self._score = float(score or 0) - self._score, float(score or 0)
        return answer(state["feedback"]), paid, bool(done), False, self._info(state)

    def close(self) -> None:
        self._game.close()

    def _info(self, state: Mapping[str, Any]) -> dict[str, Any]:
        if not self._known:
            return {}
        told = {"admissible_commands": state["admissible_commands"], "max_score": state["max_score"]}
        return {**told, "goal": " ".join(state["objective"].split()), "success": bool(state["won"])}


def require_story(file: Path) -> None:
    """Raise `BadInput` where a file is no whole story: by another one the interpreter ends this very process.

    A story begins with its version. Its tables, and the length that it states, lie within the file (The Z-Machine
    Standards Document 1.1, section 11).
    """
    story = file.read_bytes()
    version = story[0] if len(story) >= HEADER else 0
    tables = [int.from_bytes(story[at : at + 2]) for at in (0x04, 0x08, 0x0A, 0x0C, 0x0E)]
    stated = int.from_bytes(story[0x1A:0x1C]) * (2 if version <= 3 else 4 if version <= 5 else 8)
    if not 1 <= version <= 8 or not all(HEADER <= at <= len(story) for at in tables) or stated > len(story):
        raise BadInput(f"{str(file)!r} is no whole story file of the Z-machine (.z3, .z5, .z8)")


def answer(text: str) -> str:
    """An answer of a game without its prompt, status line and blank lines.

    >>> answer("\\n-= Hall =-\\nYou arrive.\\n\\nThere is\\na door.\\n>    -= Hall =-0/2")
    '-= Hall =-\\nYou arrive.\\nThere is a door.'
    """
    said = text.partition("\n>")[0].partition("Would you like to RESTART")[0].removeprefix(">").strip()
    paragraphs = re.split(r"\n\s*\n|\n(?=-=)|(?<==-)\n", said)
    return "\n".join(line for line in (" ".join(one.split()) for one in paragraphs) if line)


def game_file(challenge: str, settings: Mapping[str, Any], seed: int) -> Path:
    """Where the game of a challenge, its settings and a seed lies; made if it is not there (seconds)."""
    core = _library()
    text = f"{challenge} {sorted(settings.items())} {seed} {core.__version__}".encode()
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "textworld"
    path = kept / f"{challenge}-{hashlib.sha256(text).hexdigest()[:16]}.z8"
    if not path.exists():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept) as own:
            made = _made(challenge, settings, seed, Path(own) / path.name)
            os.replace(made.with_suffix(".json"), path.with_suffix(".json"))
            os.replace(made, path)  # last: who finds it finds all
    return path


def _made(challenge: str, settings: Mapping[str, Any], seed: int, path: Path) -> Path:
    core = _library()
    from textworld.challenges import CHALLENGES as MAKERS
    from textworld.generator import compile_game

    options = core.GameOptions()
    options.seeds, options.path = seed, str(path)
    options.grammar.only_last_action = True  # or the task would tell the way
    given = dict(settings)
    if challenge == "cooking":
        given |= {"recipe_seed": seed, "split": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the interpreter keeps no score of games that it does not know
        game = MAKERS[f"tw-{challenge.replace('-', '_')}"][1](given, options)
        return Path(compile_game(game, options))


def _library() -> Any:
    try:
        import textworld as core
    except ImportError:
        raise MissingExtra("world 'textworld'", "text") from None
    return core
