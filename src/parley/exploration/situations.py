"""Situations that are the same in other words: what counts of them counts for all.

A situation of open text is hardly met twice word by word. Earlier ones of the same run, step, instruction and menu are
compared with a new one by BM25 (Robertson and Zaragoza 2009). The new one counts as the one that is most alike, if the
planner's proposal there was nearly the same. It stays so.
"""

import json

import numpy as np
from jaxtyping import Float, Int

from parley.core.codes import Codes
from parley.core.relevance import alike
from parley.core.roles import State

Key = tuple[int, ...]  # step, Actor, run, menu, instruction, observation before, subgoal, observation, parts before
SAID = slice(5, 8)  # of a key: the part that is compared by its words
SAME = 0.1  # total variation of two proposals that are nearly the same
LATEST = 256  # situations that a new one is compared with, at most


class Situations:
    """Numbers of decisions; with `alike` below 1 a new decision may get the number of an earlier one.

    `alike` is the least share of a situation's BM25 for itself that the earlier one must have.
    """

    def __init__(self, decisions: Codes, words: Codes, alike: float) -> None:
        self.decisions, self.words, self.alike = decisions, words, alike
        self._index()

    def of(
        self, keys: list[Key], probs: Float[np.ndarray, "B M"], place: Int[np.ndarray, "B M"], odds: np.ndarray
    ) -> Int[np.ndarray, " B"]:
        """The number of each run's decision; `odds` (D, M) are those of the proposals last seen at each."""
        if self.alike >= 1:
            return self.decisions.of(keys)
        return np.array([self._number(key, probs[i], place[i], odds) for i, key in enumerate(keys)], dtype=np.intp)

    def _number(self, key: Key, probs: np.ndarray, place: np.ndarray, odds: np.ndarray) -> int:
        if key in self._same:
            return self._same[key]
        if key in self.decisions:
            return self.decisions[key]
        met = self._groups.setdefault(_group(key), [])
        text = self._text(key)
        shares = alike(text, [said for said, _ in met[-LATEST:]]) if met else []
        for share, (_, number) in sorted(zip(shares, met[-LATEST:], strict=True), key=lambda one: -one[0]):
            if share < self.alike:
                break
            there = 1 / (1 + np.exp(-odds[number, place]))
            if np.abs(there - probs).sum() / 2 <= SAME:  # not where it was not visited (NaN)
                self._same[key] = number
                return number
        number = self.decisions[key]
        met.append((text, number))
        return number

    def _index(self) -> None:
        self._same: dict[Key, int] = {}
        self._groups: dict[Key, list[tuple[str, int]]] = {}
        self._texts: list[str] = []
        if self.alike < 1:
            for key, number in self.decisions.items():
                self._groups.setdefault(_group(key), []).append((self._text(key), number))

    def _text(self, key: Key) -> str:
        if len(self._texts) < len(self.words):
            self._texts.extend(list(self.words)[len(self._texts) :])
        return " ".join(self._texts[code] for code in key[SAID] if code >= 0)

    def snapshot(self) -> State:
        if self.alike >= 1:
            return {}
        return {"same": np.array([json.dumps([*key, number]) for key, number in self._same.items()], dtype=np.str_)}

    def restore(self, state: State) -> None:
        self._index()
        if self.alike < 1:
            for text in state["same"].tolist():
                *key, number = json.loads(text)
                self._same[tuple(key)] = number


def _group(key: Key) -> Key:
    """What two situations must have in common whatever their words."""
    return (*key[: SAID.start], *key[SAID.stop :])
