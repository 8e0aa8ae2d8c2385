"""Memory `retrieval`: the earlier episodes that are most relevant to the task at hand."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from parley.core.told import Fits, Recalled, Told
from parley.memory.fitting import shortened

Relevance = Callable[[str, Sequence[str]], Sequence[float]]  # of each text to the query; the more, the higher


@dataclass(frozen=True)
class Retrieval:
    """The `size` most relevant earlier episodes, oldest first; relevance to instruction and first observation."""

    size: int
    relevance: Relevance

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        found = best(now, [spoken(told) for told in earlier], self.relevance, self.size)
        return closest(Recalled(), earlier, found, fits)


def best(now: Told, texts: Sequence[str], relevance: Relevance, size: int) -> list[int]:
    """Which texts are most relevant to instruction and first observation, these first; of equals the later."""
    if not texts or not size:
        return []
    scores = relevance(f"{now.instruction} {now.observations[0]}", texts)
    return sorted(range(len(texts)), key=lambda i: (-scores[i], -i))[:size]


def closest(recalled: Recalled, earlier: Sequence[Told], found: Sequence[int], fits: Fits) -> Recalled:
    """Add the episodes that were found, oldest first. Where not all fit, those found last are left out."""
    for count in range(len(found), 0, -1):
        shown = replace(recalled, episodes=tuple(earlier[i] for i in sorted(found[:count])))
        if fits(shown):
            return shown
    return shortened(recalled, fits)


def spoken(told: Told) -> str:
    """All words of an episode."""
    return " ".join((told.instruction, *told.observations, *(part for parts in told.subgoals for part in parts)))


@lru_cache(maxsize=1 << 14)
def words_of(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.lower()))


def bm25(query: str, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> list[float]:
    """Okapi BM25 of each text for the words of the query (Robertson and Zaragoza 2009, equation 3.15)."""
    counts = [Counter(words_of(text)) for text in texts]
    mean = sum(c.total() for c in counts) / len(counts) or 1.0
    scores = [0.0] * len(counts)
    for word in dict.fromkeys(words_of(query)):
        having = sum(word in c for c in counts)
        idf = math.log(1 + (len(counts) - having + 0.5) / (having + 0.5))
        for i, c in enumerate(counts):
            weight = c[word] + k1 * (1 - b + b * c.total() / mean)
            scores[i] += idf * c[word] * (k1 + 1) / weight if c[word] else 0.0
    return scores
