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
    "On every tabular world and order of instructions, at the theory's rate, log(regret / (T epsilon(T))) has a slope "
    "in log T of at most 0.03, regret is below the bound with constant 1, and the anytime variant is sublinear "
    "within a run"
)
BOUND, SMALL = 0.03, 0.3
WORLDS = ("shortcut", "treasure", "household", "random", "traps", "weather", "team")
THEORY, ANYTIME = "epsilon-greedy:epsilon=theory", "epsilon-greedy:epsilon=1,power=0.5"
ADVERSARIAL = ("fixed:0", "fixed:1", "doubling")
FAMILIES = {
    "1 / eta": ("treasure:n=4", "treasure:n=8", "treasure:n=32"),
    "|Z|": ("random:latents=2", "random:latents=4", "random:latents=8"),
}
MARKS = 64  # points of a curve that are kept


def cells(quick: bool) -> Sequence[RunConfig]:
    """Lengths from the least with a small epsilon over one decade (quick) or two.

    Where there are several instructions, also in orders that an adversary may choose, over one decade. Then how regret
    depends on eta and on |Z|, over families of worlds at one length.
    """
    found = []
    for world in WORLDS[:2] if quick else WORLDS:
        least, several = _least(world), len(assemble.world(world).instructions) > 1
        for factor in (1, 10) if quick else (1, 10, 100):
            found.append(_cell(world, THEORY, factor * least, quick))
        found.append(_cell(world, ANYTIME, 10 * least, quick))
        for order in ADVERSARIAL if several and not quick else ():
            found += [_cell(world, THEORY, factor * least, quick, order) for factor in (1, 10)]
    for family in () if quick else FAMILIES.values():
        length = 2 * max(map(_least, family))
        found += [_cell(world, THEORY, length, quick) for world in family]
    return found


def _cell(world: str, explore: str, episodes: int, quick: bool, instructions: str = "cyclic") -> RunConfig:
    latents = len(assemble.world(world).latents)
    runs = latents * max(2, (32 if quick else 64) // latents)
    return RunConfig(world, explore=explore, episodes=episodes, latent="each", runs=runs, instructions=instructions)


@lru_cache(maxsize=16)
def sizes(world: str) -> tuple[int, float, int, float]:
    """H, eta of the uniform policy, |Z| and c_Z of a world, over merged classes."""
    tables = assemble.world(world).tables
    assert tables is not None
    beliefs = assemble.beliefs_of(tables)
    classes = classes_of(beliefs)
    return tables.horizon, assemble.eta_of(beliefs, uniform(beliefs)), len(classes.members), classes.c_z


def _least(world: str) -> int:
    """The least T whose epsilon is below 0.3."""
    length = least_episodes(*sizes(world))
    while theory_epsilon(length, *sizes(world)) >= SMALL:
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
    """For each world and order of instructions the slope with a bootstrap over runs; the steepest decides."""
    rows: list[dict[str, Any]] = []
    inside = [(c, _worst(k, c.world)) for c, k in zip(configs, kept, strict=True)]
    for world, order in dict.fromkeys((c.world, c.instructions) for c in configs if c.world in WORLDS):
        mine = [(c, k) for c, k in inside if (c.world, c.instructions) == (world, order)]
        lengths = {c.episodes: (c, k[:, -1]) for c, k in mine if c.explore == THEORY}
        found = _slopes(list(lengths.values()), [float(T) for T in lengths])
        anytime = [growth(k) for c, k in mine if c.explore == ANYTIME]
        names = {"anytime": anytime[0].verdict, "anytime_exponent": anytime[0].exponent.value} if anytime else {}
        rows.append({"world": world, "instructions": order, "T": list(lengths), **found, **names})
    worst = max(rows, key=lambda row: row["interval"][1])
    low, high = worst["interval"]
    anytimes = [row["anytime"] for row in rows if "anytime" in row]
    broken = any(row["largest_share_of_bound"] > 1 for row in rows) or "linear" in anytimes
    fine = set(anytimes) == {"sublinear"} and not broken
    verdict = NOT_SUPPORTED if broken or low > BOUND else SUPPORTED if fine and high <= BOUND else UNDECIDED
    quantity = "slope of log(regret / (T epsilon)), steepest world"
    return Finding(CLAIM, verdict, worst["slope"], (low, high), quantity, rows + _dependence(inside))


def _slopes(cells: list[tuple[RunConfig, Float[np.ndarray, " R"]]], x: list[float]) -> dict[str, Any]:
    """Log-log slope in x of regret over T epsilon(T), and of regret itself; and how close to the bound regret comes."""
    scale = [c.episodes * theory_epsilon(c.episodes, *sizes(c.world)) for c, _ in cells]
    slope = loglog_slope(np.array(x), [total / by for (_, total), by in zip(cells, scale, strict=True)])
    return {
        "epsilon": [by / c.episodes for (c, _), by in zip(cells, scale, strict=True)],
        "regret": [float(total.mean()) for _, total in cells],
        "runs": len(cells[0][1]),
        "slope": slope.value,
        "interval": [slope.low, slope.high],
        "plain_slope": loglog_slope(np.array(x), [total for _, total in cells]).value,
        "largest_share_of_bound": max(float(k.mean()) / regret_bound(c.episodes, *sizes(c.world)) for c, k in cells),
    }


def _dependence(inside: list[tuple[RunConfig, Float[np.ndarray, "r M"]]]) -> list[dict[str, Any]]:
    """Regret over T epsilon(T) against eta and |Z| at one length: reported, no part of the verdict."""
    rows = []
    for quantity, family in FAMILIES.items():
        at = 2 * max(map(_least, family))
        cells = [(c, k[:, -1]) for c, k in inside if c.world in family and c.episodes == at and c.explore == THEORY]
        measured = [sizes(c.world) for c, _ in cells]
        x = [1 / eta if quantity == "1 / eta" else float(number) for _, eta, number, _ in measured]
        if len(set(x)) > 1:
            rows.append({"against": quantity, "worlds": list(family), "T": at, "values": x, **_slopes(cells, x)})
    return rows


def figure(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R M"]]) -> Figure:
    series: dict[str, list[tuple[float, float]]] = {}
    for c, k in zip(configs, kept, strict=True):
        if c.explore == THEORY and c.world in WORLDS and c.instructions == "cyclic":
            series.setdefault(c.world, []).append((c.episodes, float(_worst(k, c.world)[:, -1].mean())))
    return loglog_figure(NAME, "T", "expected regret of a run of T episodes", series, 0.5)
