"""The games below `quest` (needs the extra `text`): made once by TextWorld and kept in the user's cache directory."""

import hashlib
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import textworld
from textworld import GameMaker, GameOptions
from textworld.generator import compile_game

from parley.worlds.quest.tables import COLOURS

SEED = 1  # of the game's wording: the same for every latent


def start(fits: str) -> Any:
    """A game, played from the .z8 file alone: beside a .json file TextWorld would offer what tells the key."""
    path = game_file(fits)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the interpreter keeps no score of games that it does not know
        return textworld.start(str(path))


def game_file(fits: str) -> Path:
    """Where the game of a latent lies; made if it is not there (some seconds)."""
    maker = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]  # another maker, another game
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley"
    path = kept / f"quest-{fits}-{textworld.__version__}-{maker}.z8"
    if not path.exists():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept) as own:
            os.replace(compiled(fits, Path(own)), path)  # whole or not at all, even if another process makes it too
    return path


def compiled(fits: str, directory: Path) -> Path:
    """Make the game: a hall with a table and three keys, an iron door, a vault with a gold coin."""
    options = GameOptions()
    options.seeds, options.path = SEED, str(directory / "game.z8")
    maker = GameMaker(options)
    hall, vault = maker.new_room("hall"), maker.new_room("vault")
    door = maker.new_door(maker.connect(hall.east, vault.west), "iron door")
    door.add_property("locked")
    maker.set_player(hall)
    table = maker.new("s", name="table")
    hall.add(table)
    keys = {colour: maker.new("k", name=f"{colour} key") for colour in COLOURS}
    for key in keys.values():
        table.add(key)
    maker.add_fact("match", keys[fits], door)
    vault.add(maker.new("o", name="gold coin"))
    return Path(compile_game(maker.build(), options))
