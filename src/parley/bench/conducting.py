"""A card's runs: batches for each entry in turn, until all are decided, or the budget is spent.

A batch is an ordinary run directory below the card's. It is never run twice, so a card that was killed goes on.
The intervals hold wherever one stops (`bench.sequences`).
"""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from parley.assemble.trust import deeds
from parley.bench.arms import Arm, Sizes, config_of, folder_of, tables_of
from parley.bench.batches import Batch, run_batch, spread
from parley.bench.budget import Budget, Spending
from parley.bench.entries import Entry, Measured, predicted
from parley.bench.logs import Log
from parley.bench.sequences import interval
from parley.bench.suites import entries_of
from parley.cluster.engines import Engine
from parley.cluster.units import FAILED, PAUSED, STOPPED, WRONG
from parley.core.calls import RunPaused
from parley.core.errors import BadInput, ParleyError, RunDamaged
from parley.core.paths import read_json
from parley.execute import RunConfig
from parley.runs.directory import read_manifest, write_whole
from parley.runs.ledger import CallLedger
from parley.runs.ownership import mine, signature

FORMAT = "parley-bench/1"


@dataclass(frozen=True)
class Plan:
    """What a card is of: the planner, the suites, the worlds instead of the usual ones, and the sizes."""

    planner: str
    suites: tuple[str, ...]
    worlds: tuple[str, ...] = ()
    sizes: Sizes = Sizes()

    def keep(self, out: Path) -> None:
        """Write the plan; one that is there must be the same, but for the number of batches."""
        path = out / "plan.json"
        if path.is_file():
            there = Plan.read(out)
            if replace(there, sizes=replace(there.sizes, batches=self.sizes.batches)) != self:
                raise BadInput(f"{out} holds a card of another plan: name a new --out, or give the options of then")
        out.mkdir(parents=True, exist_ok=True)
        kept = {"format": FORMAT, **asdict(self), "signature": signature(self._signed)}
        write_whole(path, (json.dumps(kept, indent=1) + "\n").encode())

    @property
    def _signed(self) -> dict[str, Any]:
        """The plan as a manifest is signed."""
        return {"format": FORMAT, "config": json.loads(json.dumps(asdict(self)))}

    @classmethod
    def trusted(cls, out: Path, trust: bool) -> "Plan":
        """The plan in a directory; raises `BadInput` where it is somebody else's, and names files, servers or code."""
        plan = cls.read(out)
        signed = read_json(out / "plan.json").get("signature")
        if not trust and not mine({**plan._signed, "signature": signed}):
            worlds = plan.worlds or ("shortcut",)
            would = dict.fromkeys(deed for world in worlds for deed in deeds(RunConfig(world, plan.planner)))
            if would:
                raise BadInput(f"{str(out)!r} was not begun by you here, and it would {'; '.join(would)}: say --trust")
        return plan

    @classmethod
    def read(cls, out: Path) -> "Plan":
        """The plan in a card's directory."""
        try:
            found = read_json(out / "plan.json")
            if found.pop("format") != FORMAT:
                raise ValueError("another format")
            sizes = Sizes(**found.pop("sizes"))
            return cls(str(found["planner"]), tuple(found["suites"]), tuple(found["worlds"]), sizes)
        except OSError as wrong:
            raise BadInput(f"{out} is no card's directory: it has no readable plan.json ({wrong.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            raise RunDamaged(f"{str(out / 'plan.json')!r} is damaged: {wrong}") from wrong


class Bench:
    """The entries of a plan, and what the runs below `out` say of them."""

    def __init__(self, plan: Plan, out: Path) -> None:
        self.plan, self.out = plan, out
        self.entries, self.left = entries_of(plan.planner, plan.suites, plan.worlds)
        self._values: dict[tuple[str, int, str], np.ndarray] = {}
        self._log = lru_cache(maxsize=32)(self._open)

    @property
    def num_arms(self) -> int:
        """Arms of all entries."""
        return len({arm for entry in self.entries for arm in _all(entry)})

    @cached_property
    def spending(self) -> Spending:
        """What was spent so far."""
        return Spending(self.out)

    @cached_property
    def refused(self) -> dict[str, str]:
        """Arms that cannot be run, by name, each with the sentence that says why."""
        path = self.out / "refused.json"
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}

    def refusal(self, entry: Entry) -> str:
        """Why an entry cannot be measured; empty where it can."""
        return next((self.refused[arm.name] for arm in _all(entry) if arm.name in self.refused), "")

    def finished(self, arm: Arm, batch: int) -> bool:
        """Whether the run of a batch is there, whole."""
        folder = folder_of(arm, self.plan.sizes, batch, self.out)
        return (folder / "manifest.json").is_file() and read_manifest(folder)["status"] == "finished"

    def batches(self, entry: Entry) -> int:
        """How many batches are there, for all arms and references."""
        number = 0
        while number < self.plan.sizes.batches and all(self._there(arm, number) for arm in _all(entry)):
            number += 1
        return number

    def _there(self, arm: Arm, batch: int) -> bool:
        if (arm, batch) not in self._seen and self.finished(arm, batch):
            self._seen.add((arm, batch))
        return (arm, batch) in self._seen

    @cached_property
    def _seen(self) -> set[tuple[Arm, int]]:
        return set()

    def _open(self, arm: Arm, batch: int) -> Log:
        folder = folder_of(arm, self.plan.sizes, batch, self.out)
        due, there = config_of(arm, self.plan.sizes, batch, self.out), read_manifest(folder)["config"]
        same = ("planner", "explore", "memory", "episodes", "runs", "seed", *(() if arm.altered else ("world",)))
        for name in same:
            if there.get(name) != getattr(due, name):
                raise RunDamaged(f"{folder}: it is another run than the card's: {name} is {there.get(name)!r:.80}")
        return Log(folder, tables_of(arm.world, arm.rotation, arm.redraw))

    def _of(self, entry: Entry, arms: Sequence[Arm], batch: int, side: str) -> np.ndarray:
        key = (entry.name, batch, side)
        if key not in self._values:
            self._values[key] = entry.value([self._log(arm, batch) for arm in arms])
        return self._values[key]

    def measure(self, entry: Entry) -> Measured:
        """What the batches that are there say of an entry."""
        number = self.batches(entry)
        if not number:
            return Measured(interval(np.empty(0), entry.low, entry.high))
        values = np.concatenate([self._of(entry, entry.arms, b, "value") for b in range(number)])
        values = predicted(values) if entry.places else values
        found = interval(values[np.isfinite(values)], entry.low, entry.high)
        floor, ceiling = (self._side(entry, side, number) for side in ("floor", "ceiling"))
        return Measured(found, floor, ceiling, self._details(entry, number))

    def _side(self, entry: Entry, side: str, number: int) -> float | None:
        given = getattr(entry, side)
        if not isinstance(given, tuple):
            return None if given is None else float(given)
        values = np.concatenate([self._of(entry, given, b, side) for b in range(number)])
        values = values[np.isfinite(values)]
        return float(values.mean()) if len(values) else None

    def _details(self, entry: Entry, number: int) -> dict[str, float]:
        """Seconds a decision of the entry's last arm, and where calls are counted, tokens and what they save."""
        totals = [self._log(entry.arms[-1], b).totals for b in range(number)]
        steps = number * self.plan.sizes.runs * self.plan.sizes.episodes * tables_of(entry.world, 0, False).horizon
        found = {"seconds_a_decision": sum(float(t.get("wall_s", 0)) for t in totals) / steps}
        prompt = sum(int(t.get("calls", {}).get("prompt_tokens", 0)) for t in totals)
        if prompt:
            found["prompt_tokens_a_decision"] = prompt / steps
            if len(entry.arms) == 2:
                saved = np.concatenate([self._of(entry, entry.arms, b, "value") for b in range(number)]).sum()
                found["saved_per_1000_prompt_tokens"] = float(saved) * self.plan.sizes.episodes / (prompt / 1000)
        return found

    def conduct(
        self, budget: Budget, said: Callable[[str], None], progress: Any = None, engine: Engine | None = None
    ) -> str:
        """Run batches until everything is decided, here or on `engine`; returns why it ended.

        Entries that are open get their next batch in turn. Which batches these are is known before the first begins,
        so the order in which they end changes nothing.
        """
        self.begin()
        while True:
            open_entries = [entry for entry in self.entries if self.open(entry)]
            if not open_entries:
                return "every entry is decided, or has all its batches"
            due = [(entry, self.batches(entry)) for entry in open_entries]
            if engine:
                if why := self._spread(engine, due, budget, said):
                    return why
                continue
            for entry, batch in due:
                if why := self.advance(entry, budget, said, progress, batch):
                    return why

    def begin(self) -> None:
        """Keep the plan, and forget what was refused: what was missing then may be there now."""
        self.plan.keep(self.out)
        self.refused.clear()
        (self.out / "refused.json").unlink(missing_ok=True)

    def open(self, entry: Entry) -> bool:
        """Whether an entry can have more batches, and needs them."""
        return not self.refusal(entry) and not self.closed(entry)

    def closed(self, entry: Entry) -> bool:
        """Whether an entry needs no more batches, or may have none."""
        return self.batches(entry) >= self.plan.sizes.batches or bool(entry.decided(self.measure(entry)))

    def advance(
        self,
        entry: Entry,
        budget: Budget,
        said: Callable[[str], None] = lambda said: None,
        progress: Any = None,
        batch: int | None = None,
    ) -> str:
        """Run one more batch of an entry, or the one that is named; returns which limit was reached, or nothing."""
        batch = self.batches(entry) if batch is None else batch
        for arm in _all(entry):
            if self._there(arm, batch):
                continue
            if why := budget.gone(self.spending.total):
                return why
            said(f"{entry.name}, batch {batch + 1}")
            try:
                self._run(arm, batch, budget, progress)
            except RunPaused as paused:
                return budget.gone(self.spending.total) or str(paused)
            except BadInput as wrong:
                self._refuse(arm, str(wrong))
                return ""
        return ""

    def _spread(
        self, engine: Engine, due: Sequence[tuple[Entry, int]], budget: Budget, said: Callable[[str], None]
    ) -> str:
        """Have what the batches of entries lack run on `engine`; returns which limit was reached, or nothing."""
        if why := budget.gone(self.spending.total):
            return why
        lacking = {(arm, n): entry.name for entry, n in due for arm in _all(entry) if not self._there(arm, n)}
        batches = [Batch(arm, n, name) for (arm, n), name in lacking.items()]
        with closing(spread(engine, batches, self.plan.sizes, self.out, budget, self.spending.total)) as ended:  # type: ignore[type-var]
            for batch, how, why in ended:
                said(f"{batch.entry}, batch {batch.number + 1}")
                self.spending.look(folder_of(batch.arm, self.plan.sizes, batch.number, self.out))
                if how == WRONG:
                    self._refuse(batch.arm, why)
                elif how == STOPPED:
                    raise KeyboardInterrupt
                elif how == FAILED:
                    raise ParleyError(f"{batch.entry}, batch {batch.number + 1}: {why}")
                elif (gone := budget.gone(self.spending.total)) or how == PAUSED:
                    return gone or why
        return ""

    def _refuse(self, arm: Arm, why: str) -> None:
        self.refused[arm.name] = why
        write_whole(self.out / "refused.json", (json.dumps(self.refused, indent=1) + "\n").encode())

    def _run(self, arm: Arm, batch: int, budget: Budget, progress: Any) -> None:
        calls = CallLedger(budget.limits(self.spending.total))
        progress = budget.watched(self.spending.total, progress)
        try:
            run_batch((arm, batch), self.plan.sizes, self.out, calls, progress)
        finally:
            self.spending.look(folder_of(arm, self.plan.sizes, batch, self.out))


def _all(entry: Entry) -> tuple[Arm, ...]:
    return tuple(dict.fromkeys((*entry.arms, *entry.references)))
