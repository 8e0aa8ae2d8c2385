"""Regret against an error of one part: what was predicted, the slope through the origin run by run, and the picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, at_most, difference
from parley.report.plots import named
from parley.report.style import figure, legend_below, looks, styled, tall


@dataclass(frozen=True)
class Predicted:
    """What the error of a part costs a planner that knows z, an episode: exact (`theory.elsewhere`).

    `bound` is H times the total variation where that planner goes. It bounds what the error costs, as an episode pays 1
    at most (the paper has H^2, where each step may pay 1). `coverage` is the measured constant of the paper: the total
    variation there, over the stated error.
    """

    error: float
    regret: float
    bound: float
    coverage: float


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


def within(low: float, high: float, margin: float) -> str:
    """The verdict on "the quantity is at most `margin` away from 0" from its interval."""
    if -margin <= low and high <= margin:
        return SUPPORTED
    return NOT_SUPPORTED if low > margin or high < -margin else UNDECIDED


def against(predicted: float, regret: Float[np.ndarray, "R T"], margin: float, level: float) -> dict[str, Any]:
    """The regret of an episode beside what was predicted, and whether they are `margin` apart at most."""
    return apart(predicted, row(0.0, regret), margin, level)


def apart(predicted: float, said: Mapping[str, Any], margin: float, level: float) -> dict[str, Any]:
    """The same from the mean of a row and its 95% interval."""
    gap, half = said["regret"] - predicted, _wider(said, level)
    found = {"predicted": predicted, "less predicted": gap, "verdict": within(gap - half, gap + half, margin)}
    return {**found, "gap_low": gap - half, "gap_high": gap + half}


def _wider(said: Mapping[str, Any], level: float) -> float:
    """Half the interval of a row at another level."""
    return float(NormalDist().inv_cdf((1 + level) / 2) / 1.96 * (said["high"] - said["low"]) / 2)


def below(
    bound: float, regret: Float[np.ndarray, "R T"], without: Float[np.ndarray, "R T"], level: float
) -> dict[str, Any]:
    """What the error adds to the regret of an episode, run by run, beside its bound; one of 1 or more says nothing."""
    return under(bound, *difference(regret / regret.shape[1], without / without.shape[1], level))


def of_rows(said: Mapping[str, Any], base: Mapping[str, Any], level: float) -> tuple[float, tuple[float, float]]:
    """What the error adds, from two rows. Their runs are taken for independent, which makes the interval wider."""
    more, half = said["regret"] - base["regret"], float(np.hypot(_wider(said, level), _wider(base, level)))
    return more, (more - half, more + half)


def under(bound: float, more: float, interval: tuple[float, float]) -> dict[str, Any]:
    """Whether what the error adds stays below its bound."""
    verdict = at_most(*interval, bound) if bound < 1 else "no bound"
    return {"additional": more, "bound": bound, "verdict": verdict, "more_low": interval[0], "more_high": interval[1]}


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


def foreseen(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The points of what was predicted, which has no interval."""
    return [{"error": one["error"], "regret": one["predicted"], "high": one["predicted"]} for one in rows]
