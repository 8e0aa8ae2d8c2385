"""`adaptive-exploration`: exploration that is bought only where it is needed, against the paper's and other references.

On many families, some with traps, and every shipped tabular world, each latent (one of those that nothing can tell
apart) is run on its own: weighted by the prior that is Bayes regret, its largest entry the worst case over z. Random
numbers are common to all lines of a world. A run is stopped once every posterior holds the true latent with 1 - 1e-9:
what follows is at most 1e-9 an episode.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.errors import BadInput
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, at_least, expected_regret
from parley.report.plots import dots_figure
from parley.theory.distinguishability import classes_of
from parley.worlds.tabular.families import many_families

NAME = "adaptive-exploration"
CLAIM = (
    "On every world `adaptive` has at most 1.1 times the Bayes regret of the best reference plus 0.25, and in the "
    "worst case over z at most 1.1 times the best plus 1.0"
)
SHIPPED = ("household", "shortcut", "treasure", "treasure:n=64", "random", "traps")
ADAPTIVE, PROPOSALS = ("exact", "adaptive"), ("exact", "adaptive-proposals")
REFERENCES = (
    ("exact:decode=greedy", "none"),
    ("exact", "none"),
    ("exact", "posterior-sampling"),
    ("exact", "epsilon-greedy:epsilon=1,power=1"),
    ("exact", "epsilon-greedy:epsilon=theory"),
    ("exact", "epsilon-greedy:epsilon=theory,policy=designed"),
)
LEARNING, PAYING = REFERENCES[:3], REFERENCES[3:]  # those whose regret can stop growing, and those that go on paying
LIMIT = ("exact", "bayes-adaptive")
RUNS = 16  # of each latent
SETTLED = 1e-9
BOOTSTRAPS = 400


def cells(quick: bool) -> Sequence[RunConfig]:
    """Both forms and the references that learn on every world; what is dear or never best, on some of them."""
    families = many_families(40)
    spans: list[tuple[int, tuple[str, ...], tuple[tuple[str, str], ...]]]
    if quick:
        spans = [(1000, SHIPPED[1:3] + families[1:4], REFERENCES)]
    else:
        some = SHIPPED + families[:4]
        spans = [(10_000, SHIPPED + families, LEARNING), (10_000, some, PAYING)]
    found = [
        RunConfig(world, planner, explore, episodes=episodes, latent="each", runs=RUNS * len(_apart(world)[0]))
        for episodes, worlds, lines in spans
        for world in worlds
        for planner, explore in ((ADAPTIVE, PROPOSALS, *lines) if LEARNING[0] in lines else lines)
    ]
    longest = spans[0][0]
    return found + [RunConfig(world, *LIMIT, episodes=longest, latent="each", runs=1) for world in spans[0][1]]


@lru_cache(maxsize=64)
def _apart(world: str) -> tuple[tuple[int, ...], Float[np.ndarray, " C"]]:
    """One latent of each class that some policy can tell apart (the others of a class are alike), and their prior."""
    tables = assemble.world(world).tables
    assert tables is not None
    classes = classes_of(assemble.beliefs_of(tables))
    return tuple(group[0] for group in classes.members), classes.prior


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R 1"]:
    """Total expected regret of each run; NaN where the theory's epsilon would be 1, or the optimum is out of reach.

    Of the optimum what is kept is the Bayes regret of its plan, the limit of what any explorer can have.
    """
    if config.explore == LIMIT[1]:
        return np.array([[_limit(config)]])
    if "epsilon=theory" in config.explore and not _has_epsilon(config):
        return np.full((config.runs, 1), np.nan)
    settled = None if "epsilon" in config.explore else SETTLED  # epsilon-greedy never stops paying
    return expected_regret(config, bar, settled, np.array(_apart(config.world)[0])).sum(axis=1, keepdims=True)


def _limit(config: RunConfig) -> float:
    tables = assemble.world(config.world).tables
    assert tables is not None
    try:
        return assemble.optimum_of(assemble.beliefs_of(tables)).solve(config.episodes).regret
    except BadInput:
        return np.nan


def _has_epsilon(config: RunConfig) -> bool:
    world = assemble.world(config.world)
    try:
        assemble.explorer(config.explore, assemble.Scene(config.world, world, np.zeros(1, int), config.episodes))
    except BadInput:
        return False
    return True


@dataclass(frozen=True)
class Line:
    """Totals of one line on one world, (latents, runs), and the prior."""

    totals: Float[np.ndarray, "Z R"]
    prior: Float[np.ndarray, " Z"]

    def bayes(self, pick: np.ndarray | None = None) -> float:
        return float(self.prior @ self._mean(pick))

    def worst(self, pick: np.ndarray | None = None) -> float:
        return float(self._mean(pick)[self.prior > 0].max())

    def _mean(self, pick: np.ndarray | None) -> np.ndarray:
        return (self.totals if pick is None else self.totals[:, pick]).mean(axis=1)


def _line(config: RunConfig, totals: Float[np.ndarray, "R 1"]) -> Line:
    latents, prior = _apart(config.world)
    rows = totals[:, 0].reshape(-1, len(latents)) if len(totals) > 1 else np.full((1, len(latents)), totals)
    return Line(rows.T, prior)


def _margin(lines: dict[tuple[str, str], Line], worst: bool, pick: np.ndarray | None = None) -> float:
    """How far `adaptive` is below its limit on one world."""
    best = min(score for key in REFERENCES if np.isfinite(score := _score(lines, key, worst, pick)))
    return 1.1 * best + (1.0 if worst else 0.25) - _score(lines, ADAPTIVE, worst, pick)


def _proposals_margin(lines: dict[tuple[str, str], Line], pick: np.ndarray | None) -> float:
    """How far the form that knows proposals alone is below twice the other's Bayes regret plus 1."""
    return 2 * _score(lines, ADAPTIVE, False, pick) + 1.0 - _score(lines, PROPOSALS, False, pick)


def _score(lines: dict[tuple[str, str], Line], key: tuple[str, str], worst: bool, pick: np.ndarray | None) -> float:
    if key not in lines:
        return np.nan
    return lines[key].worst(pick) if worst else lines[key].bayes(pick)


def _by_world(
    configs: Sequence[RunConfig], totals: Sequence[np.ndarray]
) -> dict[tuple[str, int], dict[tuple[str, str], Line]]:
    found: dict[tuple[str, int], dict[tuple[str, str], Line]] = {}
    for config, total in zip(configs, totals, strict=True):
        found.setdefault((config.world, config.episodes), {})[config.planner, config.explore] = _line(config, total)
    return found


def analyse(configs: Sequence[RunConfig], totals: Sequence[Float[np.ndarray, "R 1"]]) -> Finding:
    """The smallest margin over worlds decides; bootstrap over runs, alike for all lines; simultaneous 95% intervals."""
    rng, rows, by_world = np.random.default_rng(0), [], _by_world(configs, totals)
    level = NormalDist().inv_cdf(1 - 0.025 / (2 * len(by_world)))  # Bonferroni over worlds and criteria
    for (world, episodes), lines in by_world.items():
        picks = [rng.integers(0, RUNS, RUNS) for _ in range(BOOTSTRAPS)]
        row: dict[str, Any] = {"world": world, "T": episodes}
        for name, worst in (("bayes", False), ("worst", True)):
            best = min((score, key) for key in REFERENCES if np.isfinite(score := _score(lines, key, worst, None)))
            margin = _margin(lines, worst)
            half = level * float(np.std([_margin(lines, worst, pick) for pick in picks]))
            low, high = margin - half, margin + half
            row |= {
                name: _score(lines, ADAPTIVE, worst, None),
                f"{name}_proposals": _score(lines, PROPOSALS, worst, None),
                f"{name}_best": best[0],
                f"{name}_best_line": "+".join(best[1]),
                f"{name}_margin": margin,
                f"{name}_interval": [low, high],
                f"{name}_verdict": at_least(low, high, 0.0),
            }
        row["worst_share_of_best"] = row["worst"] / row["worst_best"] if row["worst_best"] else None
        spread = [_proposals_margin(lines, pick) for pick in picks]
        row["proposals_margin"] = _proposals_margin(lines, None)
        half = level * float(np.std(spread))
        row["proposals_interval"] = [row["proposals_margin"] - half, row["proposals_margin"] + half]
        limit = lines[LIMIT].bayes() if LIMIT in lines else np.nan
        row["optimum"] = limit if np.isfinite(limit) else None
        row["optimum_margin"] = 1.5 * limit + 0.1 - row["bayes"] if np.isfinite(limit) else None
        rows.append(row)
    margins = [(*row[f"{name}_interval"], row[f"{name}_margin"]) for row in rows for name in ("bayes", "worst")]
    low, high, margin = min(margins)
    verdict = NOT_SUPPORTED if any(h < 0 for _, h, _ in margins) else SUPPORTED if low >= 0 else UNDECIDED
    return Finding(CLAIM, verdict, margin, (low, high), "smallest margin below the limit over worlds", rows)


def figure(configs: Sequence[RunConfig], totals: Sequence[Float[np.ndarray, "R 1"]]) -> Figure:
    """Bayes regret by world: both adaptive forms beside the best reference."""
    longest = max(config.episodes for config in configs)
    worlds = {w: lines for (w, t), lines in _by_world(configs, totals).items() if t == longest}
    best = [min(line.bayes() for key, line in lines.items() if key in REFERENCES) for lines in worlds.values()]
    columns = {
        "best reference": best,
        "adaptive": [lines[ADAPTIVE].bayes() for lines in worlds.values()],
        "adaptive-proposals": [lines[PROPOSALS].bayes() for lines in worlds.values()],
    }
    names = [name.partition(",")[0] for name in worlds]
    return dots_figure(f"{NAME}, T = {longest:,}", "Bayes regret", names, columns)
