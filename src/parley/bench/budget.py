"""What a card may take: minutes, tokens or a cost, counted over all its runs, those of earlier sittings too."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

from parley.core.calls import RunPaused
from parley.core.errors import BadInput, ParleyError
from parley.core.said import EpisodeRecord
from parley.report.summary import readable_manifest
from parley.runs.ledger import Limits, Prices

UNITS = {"m": ("minutes", 1.0), "h": ("minutes", 60.0), "t": ("tokens", 1.0), "kt": ("tokens", 1e3)}
UNITS |= {"mt": ("tokens", 1e6), "usd": ("cost", 1.0)}
Progress = Callable[[EpisodeRecord, int], None]
COUNTED = ("calls", "prompt_tokens", "completion_tokens")


@dataclass(frozen=True)
class Spent:
    """What the runs of a card took so far."""

    minutes: float = 0.0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class Budget:
    """The most that may be spent; 0 is no limit. A cost needs `prices`."""

    minutes: float = 0.0
    tokens: float = 0.0
    cost: float = 0.0
    prices: Prices = field(default_factory=Prices)

    @classmethod
    def read(cls, text: str, prices: Prices | None = None) -> "Budget":
        """The budget of a text: `20m`, `2h`, `500kt`, `2mt`, `2.5usd`; empty is no limit.

        >>> Budget.read("500kt").tokens
        500000.0
        """
        if not text:
            return cls(prices=prices or Prices())
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(m|h|t|kt|mt|usd)", text.strip().lower())
        if found is None or float(found[1]) == 0:
            raise BadInput(
                f"budget={text!r}: expected minutes (20m), hours (2h), tokens (500kt, 2mt) or a cost (2.5usd)"
            )
        name, unit = UNITS[found[2]]
        if name == "cost" and not (prices and prices.of):
            raise BadInput(f"budget={text!r} needs a table of prices: name one with --prices FILE")
        return cls(**{name: float(found[1]) * unit}, prices=prices or Prices())

    def gone(self, spent: Spent) -> str:
        """Which limit was reached, in words; empty where none was."""
        for name in ("minutes", "tokens", "cost"):
            most, now = getattr(self, name), getattr(spent, name)
            if most and now >= most:
                return f"the budget of {most:g} {name} is spent"
        return ""

    def watched(self, spent: Spent, progress: Progress | None) -> Progress | None:
        """Who is told of each episode of the next run; the run pauses, to be resumed, when the minutes are over."""
        if not self.minutes:
            return progress
        until = time.monotonic() + 60 * (self.minutes - spent.minutes)

        def told(record: EpisodeRecord, runs: int) -> None:
            if progress:
                progress(record, runs)
            if time.monotonic() > until:
                raise RunPaused(f"the budget of {self.minutes:g} minutes is spent")

        return told

    def limits(self, spent: Spent) -> Limits:
        """The rest, for the next run."""
        tokens = max(1, int(self.tokens - spent.tokens)) if self.tokens else 0
        return Limits(tokens, max(self.cost - spent.cost, 1e-9) if self.cost else 0.0, self.prices)


class Spending:
    """What the runs below a card's directory took, by their manifests; each is read when its run has changed."""

    def __init__(self, out: Path) -> None:
        self._of: dict[Path, Spent] = {}
        for path in sorted((out / "runs").glob("*/*/manifest.json")):
            self.look(path.parent)

    def look(self, folder: Path) -> None:
        """Read a run's manifest again."""
        try:
            totals = readable_manifest(folder).get("totals") or {}
        except ParleyError:
            return  # a run that was killed in its first moment: it is begun again
        calls = totals.get("calls", {})
        counts = {name: int(calls.get(name, 0)) for name in COUNTED}
        self._of[folder] = Spent(float(totals.get("wall_s", 0.0)) / 60, cost=float(calls.get("cost", 0.0)), **counts)

    @property
    def total(self) -> Spent:
        """All of them."""
        each = [vars(one) for one in self._of.values()]
        return Spent(**{f.name: sum(one[f.name] for one in each) for f in fields(Spent)})
