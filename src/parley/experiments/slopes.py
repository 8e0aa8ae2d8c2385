"""Regret against an error of one part: the slope through the origin, run by run, and its picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from parley.report.plots import named
from parley.report.style import figure, legend_below, looks, styled, tall


def slope(
    errors: Sequence[float], regrets: Sequence[Float[np.ndarray, "R T"]], base: int = 0
) -> tuple[float, tuple[float, float]]:
    """Additional regret of an episode per unit of error, with a 95% interval.

    Least squares through the origin of each run's regret less its regret in cell `base`, whose error is 0. Runs share
    their random numbers, and the interval is over runs.
    """
    x = np.array(errors)
    more = np.stack([(regret - regrets[base]).mean(axis=1) for regret in regrets], axis=1)  # R cells
    each = more @ x / (x @ x)
    half = 1.96 * float(each.std(ddof=1)) / np.sqrt(len(each))
    return float(each.mean()), (float(each.mean() - half), float(each.mean() + half))


def costs_at_most(low: float, high: float, bound: float) -> str:
    """The verdict on "the error costs something, and at most `bound`"."""
    if low > 0 and high <= bound:
        return SUPPORTED
    return NOT_SUPPORTED if high <= 0 or low > bound else UNDECIDED


def row(error: float, regret: Float[np.ndarray, "R T"]) -> dict[str, Any]:
    """One cell: its error, and the regret of an episode with its 95% interval over runs."""
    means = regret.mean(axis=1)
    half = 1.96 * float(means.std(ddof=1)) / np.sqrt(len(means))
    return {"error": error, "regret": float(means.mean()), "low": means.mean() - half, "high": means.mean() + half}


def points_figure(name: str, error: str, series: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Realised regret of an episode against the error, one colour a series."""
    with styled():
        made, (ax,) = figure(1, tall(len(series)), 1.3)
        for (colour, _, marker), (label, rows) in zip(looks(len(series)), series.items(), strict=True):
            rows = sorted(rows, key=lambda one: one["error"])
            half = [one["high"] - one["regret"] for one in rows]
            at = [one["error"] for one in rows], [one["regret"] for one in rows]
            ax.errorbar(*at, half, marker=marker, color=colour, label=label)
        named(ax, name, error, "realised regret of an episode")
        legend_below(ax)
    return made
