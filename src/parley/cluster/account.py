"""One account of the calls of a run over all machines: tokens, cost and calls in flight keep one limit together."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from parley.core.calls import Call, RunPaused
from parley.runs.hooks import Hooks
from parley.runs.ledger import CallLedger, Limits

SPENT = ("prompt_tokens", "completion_tokens")


class Account:
    """A token bucket that is never filled again: who calls takes a place, and gives it back with what the call took.

    A unit that begins says what its log holds. What was taken of a unit that died is given back by that.
    """

    def __init__(
        self, tokens: int = 0, cost: float = 0.0, in_flight: int = 0, spent: tuple[int, float] = (0, 0.0)
    ) -> None:
        self.limits = (tokens, cost, in_flight, spent)
        self._tokens: dict[str, int] = {}
        self._cost: dict[str, float] = {}
        self._taken: dict[str, int] = {}
        self._begun: dict[str, int] = {}
        self._changed = asyncio.Condition()
        self.most = 0  # calls that were in flight at once

    async def begin(self, unit: str, tokens: int, cost: float) -> int:
        """A unit begins, or is taken up, whose log holds so much; returns the number of its attempt."""
        async with self._changed:
            self._tokens[unit], self._cost[unit], self._taken[unit] = tokens, cost, 0
            self._begun[unit] = self._begun.get(unit, 0) + 1
            self._changed.notify_all()
            return self._begun[unit]

    async def take(self, unit: str, attempt: int) -> str:
        """Wait for a place for one more call; where a limit is reached, returns the sentence that says so."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.reached() or self._free() or self._begun.get(unit) != attempt)
            if said := self.reached():
                return said
            if self._begun.get(unit) == attempt:
                self._taken[unit] += 1
                self.most = max(self.most, sum(self._taken.values()))
            return ""

    async def give(self, unit: str, attempt: int, tokens: int, cost: float) -> None:
        """A call has ended, and took so much."""
        async with self._changed:
            if self._begun.get(unit) == attempt:
                self._taken[unit] = max(0, self._taken[unit] - 1)
                self._tokens[unit] += tokens
                self._cost[unit] += cost
                self._changed.notify_all()

    def reached(self) -> str:
        """The limit that is reached, as a sentence; empty where none is."""
        before = self.limits[3]
        tokens, cost = before[0] + sum(self._tokens.values()), before[1] + sum(self._cost.values())
        if 0 < self.limits[0] <= tokens:
            return f"token_limit={self.limits[0]} is reached: {tokens} tokens were read and written"
        if 0 < self.limits[1] <= cost:
            return f"cost_limit={self.limits[1]} is reached: the calls cost {cost:.4f}"
        return ""

    async def state(self) -> dict[str, float]:
        """What was spent, and how many calls were in flight at most."""
        return {"tokens": sum(self._tokens.values()), "cost": sum(self._cost.values()), "most_in_flight": self.most}

    def _free(self) -> bool:
        return not self.limits[2] or sum(self._taken.values()) < self.limits[2]


class Banked(Protocol):
    """An `Account` wherever it is, seen from a thread."""

    def begin(self, unit: str, tokens: int, cost: float) -> int: ...

    def take(self, unit: str, attempt: int) -> str: ...

    def give(self, unit: str, attempt: int, tokens: int, cost: float) -> None: ...


class SharedLedger(CallLedger):
    """The ledger of a unit, whose calls count towards limits on the whole run."""

    def __init__(self, limits: Limits, hooks: Hooks, account: Banked, unit: str) -> None:
        super().__init__(limits, hooks)
        self._account, self._unit = account, unit
        self._attempt = account.begin(unit, 0, 0.0)

    def open(self, out: Path) -> None:
        super().open(out)
        self._attempt = self._account.begin(self._unit, *_spent(self.totals))

    def allow(self) -> None:
        super().allow()
        if said := self._account.take(self._unit, self._attempt):
            self.halt(said)
            raise RunPaused(said)

    def record(self, call: Call) -> None:
        super().record(call)
        if call.attempt > 0:  # else it was no call: an answer that was known
            tokens = sum(getattr(call.usage, name) or 0 for name in ("prompt", "completion"))
            cost = self.limits.prices.cost(call.model, call.usage) or 0.0
            self._account.give(self._unit, self._attempt, tokens, cost)


def _spent(totals: Mapping[str, float]) -> tuple[int, float]:
    return int(sum(totals[name] for name in SPENT)), totals.get("cost", 0.0)
