"""Memory: which of the earlier episodes a prompt shows, and how, since T episodes outgrow any context.

Each kind answers `recall(earlier, now, fits)`: what to show of the episodes before `now`, such that `fits` says yes.
What is left out is left out by rule: the oldest first, half of them at a time, so that prompts mostly grow at the end.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from parley.core.errors import BadInput
from parley.prompting.history import Told
from parley.prompting.transcript import one_line


@dataclass(frozen=True)
class Recalled:
    """What a prompt shows of earlier episodes: notes, and episodes as they were."""

    notes: str = ""
    episodes: tuple[Told, ...] = ()


Fits = Callable[[Recalled], bool]


class Memory(Protocol):
    """The memory of one run. Its state is a function of what was heard."""

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        """What to show of the episodes before `now`; raises `BadInput` where even nothing does not fit."""


def shortened(recalled: Recalled, fits: Fits) -> Recalled:
    """Drop the older half of the episodes until it fits, then the later half of the notes' lines."""
    while not fits(recalled):
        lines = recalled.notes.splitlines(keepends=True)
        if recalled.episodes:
            recalled = Recalled(recalled.notes, recalled.episodes[(len(recalled.episodes) + 1) // 2 :])
        elif lines:
            recalled = Recalled("".join(lines[: len(lines) // 2]))
        else:
            raise BadInput("one episode does not fit the token budget: give the planner a larger one (budget=...)")
    return recalled


@dataclass
class Full:
    """All episodes. When they no longer fit, the older half goes for good: prompts grow at their end in between."""

    first: int = 0

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        while not fits(kept := Recalled(episodes=tuple(earlier[self.first :]))):
            if not kept.episodes:
                shortened(kept, fits)
            self.first += (len(kept.episodes) + 1) // 2
        return kept


@dataclass(frozen=True)
class Window:
    """The last `size` episodes; 0 is a planner without memory."""

    size: int

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        return shortened(Recalled(episodes=tuple(earlier[max(0, len(earlier) - self.size) :])), fits)


@dataclass(frozen=True)
class Summary:
    """Counts and outcomes by instruction and subgoal, made by the program, and the last few episodes."""

    recent: int = 0

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        recent = tuple(earlier[max(0, len(earlier) - self.recent) :])
        return shortened(Recalled(summary(earlier[: len(earlier) - len(recent)], now.instruction), recent), fits)


def summary(episodes: Sequence[Told], first: str = "") -> str:
    """What became of each subgoal under each instruction: the instruction `first`, then the most frequent.

    One line an instruction (episodes, mean return), one a subgoal with what was heard after it, most frequent first.
    """
    returns: dict[str, list[float]] = {}
    heard: dict[str, dict[str, Counter[str]]] = {}
    for told in episodes:
        returns.setdefault(told.instruction, []).append(sum(told.rewards))
        of = heard.setdefault(told.instruction, {})
        for parts, observation in zip(told.subgoals, told.observations[1:], strict=True):
            of.setdefault(" + ".join(map(one_line, parts)), Counter())[one_line(observation)] += 1
    lines = []
    for instruction in sorted(returns, key=lambda w: (w != first, -len(returns[w]), w)):
        got = returns[instruction]
        lines.append(f"{one_line(instruction)}: {len(got)} episodes, mean return {sum(got) / len(got):.2f}\n")
        for subgoal, after in sorted(heard[instruction].items(), key=lambda item: (-item[1].total(), item[0])):
            what = "; ".join(f"{count} x {said}" for said, count in sorted(after.items(), key=lambda i: (-i[1], i[0])))
            lines.append(f"- {subgoal}: {what}\n")
    return "".join(lines)


@dataclass
class Note:
    """A note that the model keeps for itself: after each episode it writes the old one anew.

    `write(note, number)` is the model's, after episode `number`; notes are asked for once, in order.
    """

    write: Callable[[str, int], str]
    _notes: list[str] = field(default_factory=lambda: [""])

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        for number in range(len(self._notes) - 1, len(earlier)):
            self._notes.append(self.write(self._notes[-1], number))
        note = self._notes[len(earlier)]
        return shortened(Recalled(note and note.rstrip("\n") + "\n"), fits)


Relevance = Callable[[str, Sequence[str]], Sequence[float]]  # of each text to the query; the more, the higher


@dataclass(frozen=True)
class Retrieval:
    """The `size` most relevant earlier episodes, oldest first; relevance to instruction and first observation."""

    size: int
    relevance: Relevance

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        if not earlier or not self.size:
            return shortened(Recalled(), fits)
        scores = self.relevance(f"{now.instruction} {now.observations[0]}", [spoken(told) for told in earlier])
        best = sorted(range(len(earlier)), key=lambda i: (-scores[i], -i))[: self.size]
        while best and not fits(Recalled(episodes=tuple(earlier[i] for i in sorted(best)))):
            best.pop()  # the least relevant
        return shortened(Recalled(episodes=tuple(earlier[i] for i in sorted(best))), fits)


def spoken(told: Told) -> str:
    """All words of an episode."""
    return " ".join((told.instruction, *told.observations, *(part for parts in told.subgoals for part in parts)))


@lru_cache(maxsize=1 << 14)
def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.lower()))


def bm25(query: str, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> list[float]:
    """Okapi BM25 of each text for the words of the query (Robertson and Zaragoza 2009, equation 3.15)."""
    counts = [Counter(_words(text)) for text in texts]
    mean = sum(c.total() for c in counts) / len(counts) or 1.0
    scores = [0.0] * len(counts)
    for word in dict.fromkeys(_words(query)):
        having = sum(word in c for c in counts)
        idf = math.log(1 + (len(counts) - having + 0.5) / (having + 0.5))
        for i, c in enumerate(counts):
            weight = c[word] + k1 * (1 - b + b * c.total() / mean)
            scores[i] += idf * c[word] * (k1 + 1) / weight if c[word] else 0.0
    return scores


MEMORIES = ("full", "window", "summary", "retrieval")  # those that need no model


def memory_of(kind: str, size: int, relevance: Relevance = bm25) -> Callable[[], Memory]:
    """Makes memories of a kind, one for each run."""
    if size < 0:
        raise BadInput(f"size={size}: expected a number of episodes")
    kinds: dict[str, Callable[[], Memory]] = {
        "full": Full,
        "window": lambda: Window(size),
        "summary": Summary,
        "retrieval": lambda: Retrieval(size, relevance),
    }
    if kind not in kinds:
        raise BadInput(f"memory={kind!r}: expected {', '.join(MEMORIES)}, or for endpoint planners note")
    return kinds[kind]
