"""The ledger of a run's calls: tables `calls` and `texts`, limits on tokens and cost, answers shared on disk."""

import math
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parley.core.calls import ANSWERED, CACHED, NARROWED, Call, Place, RunPaused, Usage
from parley.core.errors import BadInput
from parley.core.paths import read_json
from parley.runs.cells import NUMBER
from parley.runs.hooks import Hooks
from parley.runs.store import RunStore, Statement
from parley.runs.texts import TEXT, Texts, hashed
from parley.runs.untouched import connect

COLUMNS = (
    "run, episode, step, model, purpose, prompt_tokens, cached_tokens, completion_tokens, latency_s, attempts, outcome"
)
COLUMNS += ", prompt, answer, key, cost, counted"
CALL = f"INSERT INTO calls({COLUMNS}) VALUES ({', '.join('?' * 16)})"
KINDS = ("prompt", "cached", "completion")
PER = 1_000_000  # prices are for so many tokens


@dataclass(frozen=True)
class Prices:
    """What tokens cost, by model, in the currency of the file: {"model": {"prompt", "cached", "completion"}} a million.

    A model is named as in the planner's spec, without its provider. `cached` defaults to `prompt`.
    """

    of: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Prices":
        """Read a price table; raises `BadInput` naming the entry that is wrong."""
        try:
            table = read_json(path)
        except (OSError, ValueError) as wrong:
            raise BadInput(f"prices={str(path)!r} cannot be read: {wrong}") from None
        if not isinstance(table, dict):
            raise BadInput(f"prices={str(path)!r}: expected an object with an entry for each model")
        for model, entry in table.items():
            if not isinstance(entry, dict) or not {"prompt", "completion"} <= set(entry) <= set(KINDS):
                raise BadInput(f"prices={str(path)!r}: {model!r} needs prompt and completion (and may have cached)")
            for kind, price in entry.items():
                if not NUMBER.holds((price,)) or price < 0:
                    raise BadInput(f"prices={str(path)!r}: {model!r}: {kind}={price!r}: expected a price, 0 or more")
        return cls(table)

    def cost(self, model: str, usage: Usage) -> float | None:
        """What a call cost; None where the model has no price."""
        price = self.of.get(model)
        if price is None:
            return None
        cached = usage.cached or 0
        fresh = max(0, (usage.prompt or 0) - cached)
        read = fresh * price["prompt"] + cached * price.get("cached", price["prompt"])
        return (read + (usage.completion or 0) * price["completion"]) / PER


@dataclass(frozen=True)
class Limits:
    """Where a run stops, to be resumed: tokens read and written, and cost, over all its calls so far; 0 is no limit."""

    tokens: int = 0
    cost: float = 0.0
    prices: Prices = field(default_factory=Prices)

    def __post_init__(self) -> None:
        if self.tokens < 0:
            raise BadInput(f"token_limit={self.tokens}: expected a number of tokens, or 0 for no limit")
        if not 0 <= self.cost < math.inf:
            raise BadInput(f"cost_limit={self.cost}: expected a cost, or 0 for no limit")
        if self.cost and not self.prices.of:
            raise BadInput(f"cost_limit={self.cost} needs a table of prices: name one with --prices FILE")


class CallLedger:
    """Keeps the calls of a run (`core.calls.Ledger`). Before there is a run directory they wait in memory."""

    def __init__(self, limits: Limits | None = None, hooks: Hooks | None = None) -> None:
        self.limits, self._hooks = limits or Limits(), hooks or Hooks({})
        self.halted = threading.Event()
        self._why = ""
        self._store: RunStore | None = None
        self._waiting: list[Statement] = []
        self._answers: dict[str, str] = {}
        self._said: dict[Place, str] = {}
        self._budgets: dict[Place, list[int]] = {}
        self._texts = Texts()
        self._lock, self._unpriced = threading.Lock(), 0
        self.totals: dict[str, Any] = {"calls": 0, "prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0}

    def open(self, out: Path) -> None:
        """Know the calls of an earlier part of the run in `out`, before planners are made for its resumption."""
        db = connect(out / "run.sqlite")
        query = (
            "SELECT run, episode, step, model, purpose, calls.key, text, outcome, prompt_tokens, cached_tokens, "
            "completion_tokens, counted, cost FROM calls LEFT JOIN texts ON hash = answer ORDER BY calls.rowid"
        )
        for run, episode, step, model, purpose, key, answer, outcome, *counts, cost in db.execute(query):
            if outcome in ANSWERED:
                self._answers[key] = answer
            self._remember(Place(run, episode, step), purpose, outcome, answer)
            if purpose != NARROWED:
                usage = Usage(counts[0], counts[1], counts[2], bool(counts[3]))
                # What was not priced then is now, where it can be.
                self._add(usage, self.limits.prices.cost(model, usage) if cost is None else cost)
        db.close()

    def attach(self, store: RunStore) -> None:
        """Write what waits, and everything from now on, to the run directory."""
        with self._lock:
            self._store = store
            store.put(self._waiting)
            self._waiting = []

    def _keep(self, statements: list[Statement]) -> None:
        """Hand over without waiting, in order; where there is no run directory yet, wait for it. Under the lock."""
        if self._store is None:
            self._waiting += statements
        else:
            self._store.put(statements)

    def known(self, key: str) -> str | None:
        return self._answers.get(key)

    def said(self, place: Place) -> str | None:
        return self._said.get(place)

    def record(self, call: Call) -> None:
        cost = self.limits.prices.cost(call.model, call.usage)
        if cost is None and self.limits.cost:
            raise BadInput(f"cost_limit={self.limits.cost}: the table of prices has no entry for model {call.model!r}")
        answer = hashed(call.answer)
        place, usage = call.place, call.usage
        with self._lock:
            prompt, kept = self._texts.kept(place.run, call.prompt)
            self._keep([(sql, [one]) for sql, one in [*kept, (TEXT, (answer, call.answer))]])
        row: tuple[Any, ...] = (place.run, place.episode, place.step, call.model, call.purpose, usage.prompt)
        row += (usage.cached, usage.completion, call.latency_s, call.attempt, call.outcome, prompt, answer)
        row += (call.key, cost, int(usage.counted))
        with self._lock:
            store = self._store
            if store is None:
                self._keep([(CALL, [row])])
        if store is not None:
            store.put([(CALL, [row])], wait=True)
        with self._lock:
            if call.outcome in ANSWERED:
                self._answers[call.key] = call.answer
            self._remember(place, call.purpose, call.outcome, call.answer)
            if call.purpose != NARROWED:
                self._add(usage, cost)
        self._hooks.tell("call", call)

    @property
    def spent(self) -> dict[str, Any]:
        """Totals for the manifest: nothing where no call was made."""
        unpriced = {"unpriced": self._unpriced} if "cost" in self.totals and self._unpriced else {}
        return {"calls": {**self.totals, **unpriced}} if self.totals["calls"] else {}

    def _remember(self, place: Place, purpose: str, outcome: str, answer: str) -> None:
        if purpose.startswith("propose") and outcome in (*ANSWERED, CACHED):
            self._said[place] = answer
        elif purpose == NARROWED:
            self._budgets.setdefault(place, []).append(int(outcome) if outcome.isdecimal() else 0)

    def budgets(self, place: Place) -> list[int]:
        return self._budgets.get(place, [])

    def _add(self, usage: Usage, cost: float | None) -> None:
        self.totals["calls"] += 1
        for name in KINDS:
            self.totals[f"{name}_tokens"] += getattr(usage, name) or 0
        if usage.counted:
            self.totals["counted"] = self.totals.get("counted", 0) + 1
        if cost is not None:
            self.totals["cost"] = self.totals.get("cost", 0.0) + cost
        elif usage.prompt or usage.completion:
            self._unpriced += 1

    def halt(self, why: str) -> None:
        with self._lock:
            if not self.halted.is_set():
                self._why = why
                self.halted.set()

    def allow(self) -> None:
        tokens, cost = self.totals["prompt_tokens"] + self.totals["completion_tokens"], self.totals.get("cost", 0.0)
        if 0 < self.limits.tokens <= tokens:
            self.halt(f"token_limit={self.limits.tokens} is reached: {tokens} tokens were read and written")
        if 0 < self.limits.cost <= cost:
            self.halt(f"cost_limit={self.limits.cost} is reached: the calls cost {cost:.4f}")
        if self.halted.is_set():
            raise RunPaused(self._why)


class SharedAnswers:
    """A ledger over another one that also keeps answers in an SQLite file, for later runs that ask the same."""

    def __init__(self, ledger: Any, path: Path) -> None:
        self._ledger, self.halted = ledger, ledger.halted
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=60)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS answers(key TEXT PRIMARY KEY, answer TEXT)")
        except (sqlite3.Error, OSError) as wrong:
            raise BadInput(f"cache={str(path)!r} cannot be used as a file of answers: {wrong}") from None
        self._lock = threading.Lock()

    def known(self, key: str) -> str | None:
        found = self._ledger.known(key)
        if found is None:
            with self._lock:
                row = self._db.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
            found = row[0] if row else None
        return found

    def record(self, call: Call) -> None:
        self._ledger.record(call)
        if call.outcome in ANSWERED:
            with self._lock:
                self._db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (call.key, call.answer))

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._db.close()

    def budgets(self, place: Place) -> list[int]:
        found: list[int] = self._ledger.budgets(place)
        return found

    def halt(self, why: str) -> None:
        self._ledger.halt(why)

    def allow(self) -> None:
        self._ledger.allow()

    def said(self, place: Place) -> str | None:
        found: str | None = self._ledger.said(place)
        return found
