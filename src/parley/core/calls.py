"""Calls of models behind a server: the record kept of each, and the ledger that keeps it."""

import threading
from dataclasses import dataclass
from typing import Protocol

from parley.core.errors import ParleyError

# Outcomes; every other one is a kind of failure.
OK, OUTSIDE, CUT, SILENT, DECLINED, CACHED = "ok", "outside the menu", "cut off", "no words", "declined", "cached"
ANSWERED = (OK, OUTSIDE, CUT, SILENT, DECLINED)  # with these the model has spoken: the same is not asked again
NARROWED = "smaller budget"  # the purpose of an entry that is no call: from here on prompts are shorter


@dataclass(frozen=True)
class Place:
    """The decision that a call serves; episode and step are -1 for what belongs to none (a probe)."""

    run: int = -1
    episode: int = -1
    step: int = -1


@dataclass(frozen=True)
class Usage:
    """Tokens that a server says it has read, of these found in its cache, and written; None where it does not say.

    `counted`: where it does not say, they are counted by us, at most so many.
    """

    prompt: int | None = None
    cached: int | None = None
    completion: int | None = None
    counted: bool = False


@dataclass(frozen=True)
class Call:
    """One attempt at a call. `key` stands for all that its answer depends on; `answer` is what was read of it."""

    place: Place
    model: str
    purpose: str
    key: str
    outcome: str
    attempt: int
    latency_s: float
    usage: Usage
    prompt: str
    answer: str


class Ledger(Protocol):
    """Keeps calls. When `record` returns, the call outlives a kill of the process.

    `halted` is set where no more calls should be made: who waits for another attempt waits no longer.
    """

    halted: threading.Event

    def known(self, key: str) -> str | None:
        """The answer of an earlier call with this key, so that it is not asked again."""

    def record(self, call: Call) -> None: ...

    def halt(self, why: str) -> None:
        """No more calls are made, by any thread; the first reason is the one that is given."""

    def allow(self) -> None:
        """Raise `RunPaused` where no more calls should be made: a limit is reached, or the run is being stopped."""

    def said(self, place: Place) -> str | None:
        """The answer of the call by which the decision at `place` was made; None where there was none."""

    def budgets(self, place: Place) -> list[int]:
        """The token budgets to which a run came down before its decision at `place`, in order."""


class RunPaused(ParleyError):
    """A run that cannot go on for now: all that was finished is saved, and `parley resume` goes on from there."""


class Forgetful:
    """A ledger that keeps answers in memory only: for planners outside of a run."""

    def __init__(self) -> None:
        self.halted = threading.Event()
        self.calls: list[Call] = []
        self._answers: dict[str, str] = {}

    def known(self, key: str) -> str | None:
        return self._answers.get(key)

    def record(self, call: Call) -> None:
        self.calls.append(call)
        if call.outcome in ANSWERED:
            self._answers[call.key] = call.answer

    def halt(self, why: str) -> None:
        if not self.halted.is_set():
            self._why = why
            self.halted.set()

    def allow(self) -> None:
        if self.halted.is_set():
            raise RunPaused(self._why)

    def said(self, place: Place) -> str | None:
        answered = (*ANSWERED, CACHED)
        return next((c.answer for c in reversed(self.calls) if c.place == place and c.outcome in answered), None)

    def budgets(self, place: Place) -> list[int]:
        return [int(call.outcome) for call in self.calls if call.purpose == NARROWED and call.place == place]
