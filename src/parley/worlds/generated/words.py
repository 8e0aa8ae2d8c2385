"""Everyday words by category, drawn without repetition, and the forms in which a family says them."""

from functools import lru_cache
from importlib.resources import files

import numpy as np


@lru_cache(maxsize=1)
def lexicon() -> dict[str, tuple[str, ...]]:
    """Words by category: place, thing, quality, person; and the small ones that sentences are made with."""
    text = files("parley.worlds.generated").joinpath("lexicon.txt").read_text("utf-8")
    found = {}
    for line in text.splitlines():
        category, _, words = line.partition(": ")
        found[category] = tuple(words.split())
    return found


class Words:
    """What one family calls things: no word twice."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng, self._said = rng, set[str]()

    def some(self, category: str, count: int) -> list[str]:
        """Words of a category that this family has not said yet."""
        fresh = [word for word in lexicon()[category] if word not in self._said]
        found = [fresh[i] for i in self._rng.choice(len(fresh), count, replace=False)]
        self._said.update(found)
        return found

    def one(self, category: str) -> str:
        return self.some(category, 1)[0]

    def named(self, category: str, count: int) -> list[str]:
        """Names of a kind: plain ("mill"), with qualities ("old mill"), or told apart by those ("red door")."""
        how = self._rng.integers(6)  # short ones mostly: a context holds more of what happened
        if how > 1:
            return self.some(category, count)
        qualities = self.some("quality", count)
        nouns = self.some(category, count) if how else [self.one(category)] * count
        return [f"{quality} {noun}" for quality, noun in zip(qualities, nouns, strict=True)]

    def form(self, *forms: str) -> str:
        """One of several ways of saying the same."""
        return forms[self._rng.integers(len(forms))]
