"""What can be said in a world with a low level, and what it pays; and Gymnasium's space of such sentences."""

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables, forbids
from parley.core.text import shown


class SentenceSpace(gym.spaces.Text):
    """A `Text` space of finitely many sentences: `sample` draws one of them, `contains` knows no others."""

    def __init__(self, sentences: Sequence[str], seed: int | np.random.Generator | None = None) -> None:
        self.sentences = tuple(sentences)
        longest, letters = max(map(len, self.sentences)), frozenset("".join(self.sentences))
        super().__init__(max(longest, 1), min_length=min(map(len, self.sentences)), charset=letters, seed=seed)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """One of the sentences, all equally likely; `mask` and `probability` of `Text` mean nothing here."""
        return self.sentences[int(self.np_random.integers(len(self.sentences)))]

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and x in self.sentences

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SentenceSpace) and self.sentences == other.sentences

    def __repr__(self) -> str:
        return f"SentenceSpace({len(self.sentences)} sentences)"


class AnyText(gym.spaces.Text):
    """A `Text` space of all texts."""

    def __init__(self) -> None:
        super().__init__(10**6, charset=string.printable)

    def contains(self, x: Any) -> bool:
        return isinstance(x, str)


Info = Mapping[str, Any]
FREE = "free"  # instead of a menu: any words may be said, the environment makes sense of them


@dataclass(frozen=True)
class Own:
    """What an environment says of itself, from its raw state and its `info`.

    `menu` gives the entries of a step's menu (None: the script's subgoals; `FREE`: anything). `instruction` gives an
    episode's task (None: one of the script's), and `max_score` its highest return, if that is known. With `says_reward`
    a reward that is not 0, and the last one, is told after the report.
    """

    menu: Callable[[Any, Info], Sequence[str]] | str | None = None
    instruction: Callable[[Any, Info], str] | None = None
    max_score: Callable[[Info], float | None] = lambda info: None
    says_reward: bool = False


@dataclass(frozen=True)
class Script:
    """What can be said in a world, and what it pays: `reward(observation, instruction)`, None: what the low level pays.

    Without `observations` the Reporter may say anything. Without `subgoals` and `instructions` they are the
    environment's `own`. With several Actors `subgoals` are joint ones, their parts joined by " / ", and `parts` lists
    each Actor's. `forbidden` holds pairs of sentences that may not be told to two Actors in one step.
    """

    subgoals: tuple[str, ...]
    observations: tuple[str, ...]
    instructions: tuple[str, ...]
    horizon: int
    reward: Callable[[str, str], float] | None
    parts: tuple[tuple[str, ...], ...] = ()
    forbidden: tuple[tuple[str, str], ...] = ()
    own: Own = Own()

    def __post_init__(self) -> None:
        for what, texts in (("subgoals", self.subgoals), *((f"parts of {k}", own) for k, own in enumerate(self.parts))):
            if wrong := [one for one in texts if not isinstance(one, str) or not one.strip()]:
                raise BadInput(f"{what}: {shown(wrong[0])} is not one: expected texts of something to do")
            if len(set(texts)) < len(texts):
                twice = next(one for i, one in enumerate(texts) if one in texts[:i])
                raise BadInput(f"{what}: {shown(twice)} stands there twice: expected different texts")
            if self.parts and texts is not self.subgoals and (both := [one for one in texts if " / " in one]):
                raise BadInput(f"{what}: {shown(both[0])} holds ' / ', which joins what several Actors are told")

    @property
    def menus(self) -> tuple[tuple[str, ...], ...]:
        """What each Actor can be told, where that is fixed; empty where it is not."""
        return () if self.own.menu is not None else self.parts or (self.subgoals,)

    @property
    def num_actors(self) -> int:
        return len(self.parts) or 1

    @classmethod
    def of(cls, tables: Tables) -> "Script":
        """The script of a world that also has tables."""
        pay = {
            (o, w): float(tables.reward[i, j])
            for i, o in enumerate(tables.observations)
            for j, w in enumerate(tables.instructions)
        }
        words = (tables.subgoals, tables.observations, tables.instructions, tables.horizon)
        return cls(*words, lambda o, w: pay[o, w], tables.menus, tables.forbidden)

    def allows(self, subgoal: str) -> bool:
        """Whether no two parts of a joint subgoal are forbidden together."""
        parts = tuple(subgoal.split(" / ")) if self.forbidden else ()
        return not any(forbids(self.forbidden, parts[:k], part) for k, part in enumerate(parts))
