"""What can be said in a world with a low level, and what it pays; and Gymnasium's space of such sentences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from parley.core.tables import Tables, forbids


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


@dataclass(frozen=True)
class Script:
    """What can be said in a world, and what it pays: `reward(observation, instruction)`.

    With several Actors `subgoals` are joint ones, their parts joined by " / ", and `parts` what each can be told;
    `forbidden` holds pairs of sentences that may not be told to two Actors in one step.
    """

    subgoals: tuple[str, ...]
    observations: tuple[str, ...]
    instructions: tuple[str, ...]
    horizon: int
    reward: Callable[[str, str], float]
    parts: tuple[tuple[str, ...], ...] = ()
    forbidden: tuple[tuple[str, str], ...] = ()

    @property
    def menus(self) -> tuple[tuple[str, ...], ...]:
        """What each Actor can be told."""
        return self.parts or (self.subgoals,)

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
