"""Memory `retrieval`: the earlier episodes that are most relevant to the task at hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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
