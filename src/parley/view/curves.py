"""Curves over episodes with their bands, to compare runs: means over runs, and differences where runs are paired."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parley.core.errors import BadInput
from parley.report.summary import OWN, Z95, mean_band
from parley.view.grid import Grid

POINTS = 600  # of a curve
MOST_CURVES = 24
METRICS = ("regret", "return", "score", "explored", "faults", "tokens", "cost")
WAYS = ("cumulative", "episode")
SHARED = ("world", "seed", "runs", "latent", "instructions")  # of configurations whose runs meet the same randomness


@dataclass(frozen=True)
class Shown:
    """The drawn curves of runs: a metric from episode `first` to `last`, so far or by episode."""

    metric: str
    way: str
    first: int = 0
    last: int | None = None

    def so_far(self, values: Float[np.ndarray, "R T"]) -> Float[np.ndarray, "R T"]:
        """Totals so far; of a score, which is a share, the mean so far."""
        total = np.cumsum(values, axis=1)
        return total / np.arange(1, total.shape[1] + 1) if self.metric == "score" else total

    def of_all(self, values: Float[np.ndarray, "R T"]) -> Float[np.ndarray, "R 1"]:
        """The number of a whole run."""
        return (values.mean(axis=1) if self.metric == "score" else values.sum(axis=1))[:, None]


@dataclass
class Drawn:
    """A run directory that is compared: its grid, and what of it is drawn."""

    name: str
    grid: Grid
    out: Path

    def values(self, metric: str) -> tuple[str, Float[np.ndarray, "R T"]]:
        """What a metric is called in this run, and its values: empty where the log does not have it."""
        rows, width = self.grid.rows_and_width()
        if metric == "regret":
            measure, values = self.grid.measured(rows, width)
            return measure, values[:, :0] if measure in OWN else values
        return metric, cells_of(self.grid, metric, rows, width)


def cells_of(grid: Grid, metric: str, rows: Int[np.ndarray, " R"], width: int) -> Float[np.ndarray, "R T"]:
    """A metric of these runs' first episodes; no columns where the log does not have it."""
    if metric == "explored":
        return grid.explored[rows, :width].astype(float)
    if metric == "faults":
        return grid.faults[rows, :width].astype(float)
    if metric == "tokens" and grid.spent:
        return (grid.spent["prompt_tokens"] + grid.spent["completion_tokens"])[rows, :width]
    if metric == "cost" and grid.spent:
        return grid.spent["cost"][rows, :width]
    if metric in grid.numbers:
        return grid.numbers[metric][rows, :width]
    return np.zeros((len(rows), 0))


def compared(drawn: Sequence[Drawn], metric: str, way: str, first: int = 0, last: int | None = None) -> dict[str, Any]:
    """Curves of `metric` from episode `first` to `last`, and the difference of each to the first run, where paired."""
    if metric not in METRICS or way not in WAYS:
        raise BadInput(f"metric={metric!r}, way={way!r}: expected one of {', '.join(METRICS)}, and {' or '.join(WAYS)}")
    if not 1 <= len(drawn) <= MOST_CURVES:
        raise BadInput(f"{len(drawn)} runs: expected 1 to {MOST_CURVES} to compare")
    curves, differences, shown = [], [], Shown(metric, way, first, last)
    for one in drawn:
        measure, values = one.values(metric)
        doubt = one.grid.curves(one.out).doubt if metric == "regret" and "expert" in one.grid.manifest else 0.0
        curves.append({"id": one.name, "measure": measure, **_curve(values, shown, doubt)})
    base, (_, of_base) = drawn[0], drawn[0].values(metric)
    for one in drawn[1:]:
        _, values = one.values(metric)
        differences.append({"id": one.name, **_difference(base.grid, of_base, one.grid, values, shown)})
    return {"metric": metric, "way": way, "base": base.name, "curves": curves, "differences": differences}


def _curve(values: Float[np.ndarray, "R T"], asked: Shown, doubt: Any = 0.0) -> dict[str, Any]:
    """Mean and half the width of the 95% band at up to `POINTS` episodes; by episode, means of as many as lie between.

    `doubt` is the standard error of the expert's cumulative value, where that stands in for the optimum.
    """
    runs, width = values.shape
    if not runs or not width:
        return {"runs": runs, "x": [], "mean": [], "half": [], "total": None, "total_half": None}
    total, total_half = mean_band(asked.of_all(values))
    known = np.broadcast_to(np.asarray(doubt, dtype=float), (width,))
    first, last = asked.first, asked.last
    begin, end = max(0, min(first, width - 1)), width if last is None else max(first + 1, min(last + 1, width))
    if asked.way == "cumulative":
        at = np.unique(np.linspace(begin, end - 1, POINTS).astype(int))
        mean, half = mean_band(asked.so_far(values)[:, at])
        half = np.hypot(half, Z95 * known[at])
    else:
        edges = np.unique(np.linspace(begin, end, min(POINTS, end - begin) + 1).astype(int))
        at = edges[1:] - 1
        binned = np.add.reduceat(values[:, begin:end], edges[:-1] - begin, axis=1) / np.diff(edges)
        mean, half = mean_band(binned)
    shown: dict[str, Any] = {"x": at + 1, "mean": _short(mean), "half": _short(half) if runs > 1 else []}
    whole = np.hypot(total_half[0], Z95 * known[-1]) if runs > 1 else None
    return {"runs": runs, **shown, "total": total[0], "total_half": whole}


def _difference(base: Grid, of_base: np.ndarray, grid: Grid, values: np.ndarray, asked: Shown) -> dict[str, Any]:
    """Run by run where both met the same random numbers, else of the means; over the episodes that both have."""
    why = unpaired(base.manifest["config"], grid.manifest["config"])
    if not why and (len(of_base) != len(values)):
        why = "not the same runs have finished episodes"
    width = min(of_base.shape[1], values.shape[1])
    if not width:
        return {"paired": not why, "why": why, "total": None, "half": None, "episodes": 0, "curve": None}
    mine, theirs = values[:, :width], of_base[:, :width]
    if not why:
        curve = _curve(mine - theirs, asked)
        total, half = curve["total"], curve["total_half"]
    else:
        (a, half_a), (b, half_b) = (mean_band(asked.of_all(v)) for v in (mine, theirs))
        curve, total, half = None, float(a[0] - b[0]), float(np.hypot(half_a[0], half_b[0]))
        half = half if min(len(mine), len(theirs)) > 1 else None
    return {"paired": not why, "why": why, "total": total, "half": half, "episodes": width, "curve": curve}


def unpaired(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Why runs of two configurations do not share their random numbers; empty where they do."""
    differ = [name for name in SHARED if one.get(name) != other.get(name)]
    return f"not the same {' and '.join(differ)}" if differ else ""


def _short(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)
