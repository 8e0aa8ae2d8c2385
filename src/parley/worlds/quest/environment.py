"""The low level of `quest` as a Gymnasium environment of typed commands, heard through the game's own text alone."""

import string
from typing import Any

import gymnasium as gym
import numpy as np

from parley.core.errors import MissingExtra
from parley.core.text import inert
from parley.worlds.quest.picture import page
from parley.worlds.quest.tables import COLOURS

LONGEST = 2000  # characters of an answer
# A game lists what lies on the table in the order of its source, and there the key that fits comes first.
LAID_ANEW = (
    *(f"take {colour} key from table" for colour in COLOURS),
    *(f"put {colour} key on table" for colour in reversed(COLOURS)),
)


class QuestGame(gym.Env[dict[str, str], str]):
    """One typed command a step.

    A raw state has three texts of the game, each on one line. `said` is its answer to the command; `seen` and `held`
    are its answers to "look" and to "inventory". None of them tells which key fits, as long as nobody tries to open the
    locked door.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 2}
    render_mode = "rgb_array"

    def __init__(self, fits: str) -> None:
        try:
            from parley.worlds.quest.games import start
        except ImportError:
            raise MissingExtra("world 'quest'", "text") from None
        self._game = start(fits)
        words = gym.spaces.Text(LONGEST, charset=string.printable)
        self.action_space = gym.spaces.Text(80, charset=string.ascii_lowercase + " ")
        self.observation_space = gym.spaces.Dict(said=words, seen=words, held=words)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Begin in the hall, the keys on the table, the door locked; nothing is drawn."""
        super().reset(seed=seed)
        self._page: list[str] = []
        self._game.reset()
        for command in LAID_ANEW:
            self._type(command)
        return self._raw(self._type("look")), {}

    def step(self, action: str) -> tuple[dict[str, str], float, bool, bool, dict[str, Any]]:
        """Type a command."""
        said = self._type(action)
        self._page += [f"> {inert(action, 80)}", said]
        return self._raw(said), 0.0, False, False, {}

    def render(self) -> np.ndarray:
        """The last lines of the game, as a picture."""
        return page(self._page)

    def close(self) -> None:
        self._game.close()

    def _type(self, command: str) -> str:
        return one_line(self._game.step(command)[0].feedback)

    def _raw(self, said: str) -> dict[str, str]:
        return {"said": said, "seen": self._type("look"), "held": self._type("inventory")}


def one_line(text: str) -> str:
    """An answer of the game without its prompt and status line.

    >>> one_line("\\n-= Hall =-\\nYou arrive in a hall.\\n\\n\\n>       -= Hall =-0/2")
    'Hall. You arrive in a hall.'
    """
    answer = text.partition("\n>")[0].replace("-= ", "").replace(" =-", ".")
    return inert(" ".join(answer.split()), LONGEST)
