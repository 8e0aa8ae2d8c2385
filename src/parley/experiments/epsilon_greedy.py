"""`epsilon-greedy`: at the theory's rate regret is of order epsilon(T) T (He et al. 2024, Theorem 5.7).

The theory's epsilon is constant within a run of known length T, so the curve that bends is regret at T as a function of
T. Only lengths with epsilon(T) < 0.3 count (theory.md section 4): T0, the least of them, times 1, 10 and 100. Every
latent is run on its own, and what counts is the worst. The anytime variant, epsilon_t = t^(-1/2), bends within one run.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, expected_regret
from parley.report.plots import loglog_figure
from parley.theory.bounds import least_episodes, regret_bound, theory_epsilon
from parley.theory.curves import growth, loglog_slope
from parley.theory.distinguishability import classes_of, uniform

NAME = "epsilon-greedy"
CLAIM = (
    "On every tabular world, at the theory's rate, log(regret / (T epsilon(T))) has a slope in log T of at most 0.03, "
    "regret is below the bound with constant 1, and the anytime variant is sublinear within a run"
)
BOUND, SMALL = 0.03, 0.3
WORLDS = ("shortcut", "treasure", "household", "random", "traps")
THEORY, ANYTIME = "epsilon-greedy:epsilon=theory", "epsilon-greedy:epsilon=1,power=0.5"
MARKS = 64  # points of a curve that are kept


def cells(quick: bool) -> Sequence[RunConfig]:
    """Lengths from the least with a small epsilon over one decade (quick) or two; instructions in turn, and fixed."""
    found = []
    for world in WORLDS[:2] if quick else WORLDS:
        least, latents = _least(world), len(assemble.world(world).latents)
        runs = latents * max(2, (32 if quick else 64) // latents)
        for factor in (1, 10) if quick else (1, 10, 100):
            found.append(RunConfig(world, explore=THEORY, episodes=factor * least, latent="each", runs=runs))
        found.append(RunConfig(world, explore=ANYTIME, episodes=10 * least, latent="each", runs=runs))
    return found


@lru_cache(maxsize=16)
def _sizes(world: str) -> tuple[int, float, int, float]:
    """H, eta of the uniform policy, |Z| and c_Z of a world, over merged classes."""
    tables = assemble.world(world).tables
    assert tables is not None
    beliefs = assemble.beliefs_of(tables)
    classes = classes_of(beliefs)
    return tables.horizon, assemble.eta_of(beliefs, uniform(beliefs)), len(classes.members), classes.c_z


def _least(world: str) -> int:
    """The least T whose epsilon is below 0.3."""
    length = least_episodes(*_sizes(world))
    while theory_epsilon(length, *_sizes(world)) >= SMALL:
        length = int(1.01 * length) + 1
    return length


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R M"]:
    """Cumulative expected regret at MARKS points of the run."""
    marks = np.linspace(0, config.episodes, MARKS + 1)[1:].astype(int) - 1
    return np.cumsum(expected_regret(config, bar), axis=1)[:, marks]


def _worst(curves: Float[np.ndarray, "R M"], world: str) -> Float[np.ndarray, "r M"]:
    """The runs of the latent with the largest mean."""
    apart = curves.reshape(-1, len(assemble.world(world).latents), curves.shape[1])
    return apart[:, int(apart[:, :, -1].mean(axis=0).argmax())]


def analyse(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R M"]]) -> Finding:
    """For each world the slope with a bootstrap over runs, the bound, and the anytime variant; the steepest decides."""
    rows: list[dict[str, Any]] = []
    for world in dict.fromkeys(c.world for c in configs):
        mine = [(c, _worst(k, world)) for c, k in zip(configs, kept, strict=True) if c.world == world]
        lengths = [(c, k[:, -1]) for c, k in mine if c.explore == THEORY]
        lots, totals = np.array([float(c.episodes) for c, _ in lengths]), [total for _, total in lengths]
        scale = np.array([T * theory_epsilon(int(T), *_sizes(world)) for T in lots])
        slope = loglog_slope(lots, [total / by for total, by in zip(totals, scale, strict=True)])
        plain = loglog_slope(lots, totals)
        ratio = max(total.mean() / regret_bound(c.episodes, *_sizes(world)) for c, total in lengths)
        anytime = growth(next(k for c, k in mine if c.explore == ANYTIME))
        rows.append(
            {
                "world": world,
                "T": [c.episodes for c, _ in lengths],
                "epsilon": [theory_epsilon(c.episodes, *_sizes(world)) for c, _ in lengths],
                "regret": [float(total.mean()) for _, total in lengths],
                "runs": len(lengths[0][1]),
                "slope": slope.value,
                "interval": [slope.low, slope.high],
                "plain_slope": plain.value,
                "largest_share_of_bound": float(ratio),
                "anytime": anytime.verdict,
                "anytime_exponent": anytime.exponent.value,
            }
        )
    worst = max(rows, key=lambda row: row["interval"][1])
    low, high = worst["interval"]
    broken = any(row["largest_share_of_bound"] > 1 or row["anytime"] == "linear" for row in rows)
    fine = all(row["anytime"] == "sublinear" for row in rows) and not broken
    verdict = NOT_SUPPORTED if broken or low > BOUND else SUPPORTED if fine and high <= BOUND else UNDECIDED
    quantity = "slope of log(regret / (T epsilon)), steepest world"
    return Finding(CLAIM, verdict, worst["slope"], (low, high), quantity, rows)


def figure(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R M"]]) -> Figure:
    series: dict[str, list[tuple[float, float]]] = {}
    for c, k in zip(configs, kept, strict=True):
        if c.explore == THEORY:
            series.setdefault(c.world, []).append((c.episodes, float(_worst(k, c.world)[:, -1].mean())))
    return loglog_figure(NAME, "T", "expected regret of a run of T episodes", series, 0.5)
