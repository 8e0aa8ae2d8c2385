"""Margins of `adaptive-exploration`: how far a line stays below its limit on a world, by each criterion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, at_least
from parley.experiments.claims.adaptive_lines import (
    ADAPTIVE,
    DECAY,
    DESIGNED,
    GREEDY,
    LIMIT,
    PROPOSALS,
    SAMPLED,
    SAMPLING,
    UNIFORM,
    Key,
    apart,
    floor,
    trapped,
)
from parley.theory.curves import student

LEARNING, PAYING = (GREEDY, SAMPLED, SAMPLING), (DECAY, UNIFORM, DESIGNED)  # whose regret can stop growing, and others
REFERENCES = LEARNING + PAYING
SLACKS = {"bayes": 0.25, "optimum": 0.1, "proposals": 1.0, "worst": 1.0}  # added to the limits
LADDER = (100, 1_000, 10_000, 100_000)  # episodes for which a reference is run, ever longer


@dataclass(frozen=True, eq=False)  # known by identity
class Pick:
    """Of each seed, runs drawn with replacement."""

    runs: dict[int, Int[np.ndarray, " R"]]


class Lines:
    """What the lines of one world cost: by line and number of episodes, and by seed, totals of (class, run)."""

    def __init__(self, world: str) -> None:
        self.world, self.prior = world, apart(world)[1]
        self.totals: dict[tuple[Key, int], dict[int, Float[np.ndarray, "C R"]]] = {}
        self._known: dict[tuple[Key, int, Pick | None], Float[np.ndarray, " C"]] = {}

    def add(self, config: RunConfig, totals: Float[np.ndarray, "R 1"]) -> None:
        key = (config.planner, config.explore), config.episodes
        self._known.clear()
        self.totals.setdefault(key, {})[config.seed] = totals[:, 0].reshape(-1, 1 if len(totals) == 1 else self.num).T

    @property
    def num(self) -> int:
        return len(self.prior)

    def pick(self, rng: np.random.Generator) -> Pick:
        """Runs drawn with replacement, alike for all lines."""
        sizes = {seed: totals.shape[1] for of in self.totals.values() for seed, totals in of.items() if totals.size > 1}
        return Pick({seed: rng.integers(0, size, size) for seed, size in sizes.items()})

    def reached(self, key: Key, episodes: int) -> int:
        """The most episodes, up to `episodes`, for which a line was run; 0 where it was not."""
        if key in (UNIFORM, DESIGNED):  # another line at every T
            return episodes if (key, episodes) in self.totals else 0
        return max((t for line, t in self.totals if line == key and t <= episodes), default=0)

    def runs(self, key: Key, episodes: int) -> int:
        """Of each class."""
        return sum(block.shape[1] for block in self.totals[key, episodes].values())

    def score(self, key: Key, episodes: int, worst: bool, pick: Pick | None = None) -> float:
        """Bayes regret or its worst case over z in so many episodes, or a lower bound; inf where there is no line."""
        reached = self.reached(key, episodes)
        if reached:
            means = self._means(key, reached, pick)
        else:
            least = floor(self.world, key, episodes) if key in PAYING else None
            if least is None:
                return np.inf
            means = least
        return float(means[self.prior > 0].max() if worst else self.prior @ means)

    def _means(self, key: Key, reached: int, pick: Pick | None) -> Float[np.ndarray, " C"]:
        """Asked for by many criteria: worked out once."""
        found = self._known.get((key, reached, pick))
        if found is None:
            blocks = self.totals[key, reached]
            kept = [block if pick is None else block[:, pick.runs[seed]] for seed, block in blocks.items()]
            found = self._known[key, reached, pick] = np.concatenate(kept, axis=1).mean(axis=1)
        return found

    def best(self, keys: Sequence[Key], episodes: int, worst: bool, pick: Pick | None = None) -> tuple[float, Key]:
        """The least of several lines, and which it is."""
        return min((self.score(key, episodes, worst, pick), key) for key in keys)

    def limit(self, episodes: int) -> float:
        """Bayes regret of the optimum; NaN where it was out of reach."""
        return float(self.totals[LIMIT, episodes][0][0, 0])


@dataclass(frozen=True)
class Judged:
    """One criterion on one world: limit less regret, `margin`, with its interval."""

    lines_of: Lines
    criterion: str
    episodes: int
    worst: bool
    mine: Key
    bound: Callable[[Pick | None], float]
    against: tuple[Key, ...] = ()  # references among which the best counts
    half: float = field(default=np.nan)

    @property
    def world(self) -> str:
        return self.lines_of.world

    def regret(self, pick: Pick | None = None) -> float:
        return self.lines_of.score(self.mine, self.episodes, self.worst, pick)

    def with_interval(self, alpha: float, picks: Sequence[Pick]) -> "Judged":
        """The interval left with probability `alpha`: Student's, of the fewest runs of a line that it is made of."""
        runs = min(self.lines_of.runs(*line) for line in self.lines)
        spread = np.std([self.bound(pick) - self.regret(pick) for pick in picks]) * np.sqrt(runs / (runs - 1))
        return replace(self, half=student(1 - alpha, runs - 1) * float(spread))

    @property
    def margin(self) -> float:
        return self.bound(None) - self.regret()

    @property
    def low(self) -> float:
        return self.margin - self.half

    @property
    def high(self) -> float:
        return self.margin + self.half

    @property
    def verdict(self) -> str:
        """Nothing is refuted by a reference that is only bounded from below."""
        found = at_least(self.low, self.high, 0.0)
        return UNDECIDED if found == NOT_SUPPORTED and self.longer is not None else found

    @property
    def longer(self) -> tuple[Key, int] | None:
        """The reference that decides, and for how long to run it next, where so far it is only bounded from below."""
        if not self.against:
            return None
        _, key = self.lines_of.best(self.against, self.episodes, self.worst)
        reached = self.lines_of.reached(key, self.episodes)
        if reached == self.episodes:
            return None
        return key, self.episodes if key in PAYING[1:] else min(t for t in LADDER if t > max(reached, 1_000 - 1))

    @property
    def lines(self) -> list[tuple[Key, int]]:
        """The lines that the margin is made of, each with its number of episodes: its own, and what may be the best."""
        found = [(self.mine, self.episodes)]
        if self.criterion == "proposals":
            found.append((ADAPTIVE, self.episodes))
        if self.against:
            best = self.lines_of.best(self.against, self.episodes, self.worst)[0]
            near = [k for k in self.against if self.lines_of.score(k, self.episodes, self.worst) <= 1.5 * best + 1]
            found += [(key, reached) for key in near if (reached := self.lines_of.reached(key, self.episodes))]
        return found

    def as_row(self) -> dict[str, Any]:
        best, key = self.lines_of.best(self.against, self.episodes, self.worst) if self.against else (None, ("", ""))
        bounded = bool(self.against) and self.lines_of.reached(key, self.episodes) < self.episodes
        return {
            "world": self.world,
            "criterion": self.criterion,
            "T": self.episodes,
            "regret": self.regret(),
            "limit": self.bound(None),
            "margin": self.margin,
            "interval": [self.low, self.high],
            "verdict": self.verdict,
            "best": best,
            "best_line": "+".join(key) if best is not None else "",
            "best_is": "" if best is None else "at least" if bounded else "measured",
            "runs_a_class": self.lines_of.runs(self.mine, self.episodes),
        }


def judged(lines: Lines) -> list[Judged]:
    """All criteria that apply to a world."""
    spans = sorted({t for key, t in lines.totals if key == ADAPTIVE})
    found = []
    for t in spans:

        def optimum(pick: Pick | None, t: int = t) -> float:
            return 1.5 * lines.limit(t) + SLACKS["optimum"]

        def twice(pick: Pick | None, t: int = t) -> float:
            return 2 * lines.score(ADAPTIVE, t, False, pick) + SLACKS["proposals"]

        found.append(_below(lines, "bayes", t, False, 1.1, SLACKS["bayes"], REFERENCES))
        found.append(Judged(lines, "proposals", t, False, PROPOSALS, twice))
        if np.isfinite(lines.limit(t)):
            found.append(Judged(lines, "optimum", t, False, ADAPTIVE, optimum))
    found.append(_below(lines, "worst", spans[0], True, 1.1, SLACKS["worst"], REFERENCES))
    undesigned = tuple(key for key in REFERENCES if key != DESIGNED)
    if lines.world == "treasure:n=64":
        found.append(_below(lines, "tenth", spans[0], True, 0.1, 0.0, undesigned))
    elif trapped(lines.world):
        found.append(_below(lines, "half", spans[0], True, 0.5, 0.0, undesigned))
    return found


def _below(
    lines: Lines, name: str, t: int, worst: bool, factor: float, plus: float, references: tuple[Key, ...]
) -> Judged:
    def bound(pick: Pick | None) -> float:
        return factor * lines.best(references, t, worst, pick)[0] + plus

    return Judged(lines, name, t, worst, ADAPTIVE, bound, references)


def without_slack(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many criteria hold where nothing is added to their limits, and the largest excess over such a limit."""
    found = []
    for criterion, t in dict.fromkeys((row["criterion"], row["T"]) for row in rows if row["criterion"] in SLACKS):
        mine, slack = [row for row in rows if (row["criterion"], row["T"]) == (criterion, t)], SLACKS[criterion]
        verdicts = [_without(row, slack) for row in mine]
        counts = {verdict: verdicts.count(verdict) for verdict in (SUPPORTED, UNDECIDED, NOT_SUPPORTED)}
        excess = max(slack - float(row["margin"]) for row in mine)
        found.append({"without slack": criterion, "of": slack, "at T": t} | counts | {"largest excess": excess})
    return found


def _without(row: Mapping[str, Any], slack: float) -> str:
    low, high = (float(end) - slack for end in row["interval"])
    verdict = at_least(low, high, 0.0)
    return UNDECIDED if verdict == NOT_SUPPORTED and row.get("best_is") == "at least" else verdict
