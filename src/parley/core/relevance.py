"""How alike texts are by their words: Okapi BM25, which counts rare words for more than common ones."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=1 << 14)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, in small letters."""
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


def alike(text: str, texts: Sequence[str]) -> list[float]:
    """What each of some texts has of a text's BM25 for itself, at most 1: word order does not count.

    >>> [round(share, 2) for share in alike("the cellar is dark", ["the cellar was dark", "a garden"])]
    [0.59, 0.0]
    """
    *shared, mine = bm25(text, [*texts, text])
    return [min(score / mine, 1.0) if mine else 0.0 for score in shared]
