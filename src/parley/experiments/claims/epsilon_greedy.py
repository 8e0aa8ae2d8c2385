"""`epsilon-greedy`: at the theory's rate regret is of order epsilon(T) T (He et al. 2024, Theorem 5.7).

The theory's epsilon is constant within a run of known length T. So the curve that bends is regret at T as a function of
T. Only lengths with epsilon(T) < 0.3 count (theory.md section 4): T0, the least of them, times 1, 10 and 100. Every
latent is run on its own, and the worst counts.

The anytime variant, epsilon_t = t^(-1/2), bends within one run of 10 T0 episodes. There the sum of epsilon_s over s <=
t stands for T epsilon(T). Its last decade counts, t from T0: the lengths of the theory's rate. Before that most of the
regret is the single cost of finding the latent out.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from parley import assemble
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import Finding, all_hold, at_most, expected_regret
from parley.exploration.explorers import schedule
from parley.report.plots import loglog_figure
from parley.report.summary import mean_band
from parley.theory.bounds import least_episodes, regret_bound, theory_epsilon
from parley.theory.curves import Estimate, bootstrap, growth, loglog_slope
from parley.theory.distinguishability import classes_of, uniform

NAME = "epsilon-greedy"
CLAIM = (
    "At the theory's rate, log(regret / (T epsilon(T))) has a slope in log T of at most 0.03. Regret is below the "
    "bound with constant 1. Both hold on every tabular world and order of instructions. The anytime variant does the "
    "same within a run. Its slope is that of log(regret(t) / sum of epsilon_s) in log t over the last decade; the "
    "bound holds at every t"
)
BOUND, SMALL = 0.03, 0.3
WORLDS = ("shortcut", "treasure", "household", "random", "traps", "weather", "team")
THEORY, ANYTIME = "epsilon-greedy:epsilon=theory", "epsilon-greedy:epsilon=1,power=0.5"
ADVERSARIAL = ("fixed:0", "fixed:1", "doubling")
LONGER = ("household", "doubling")
LEAST_RUNS = {"household": 32}  # of a latent, else 8: with 8 its intervals over one decade are as wide as the limit
FAMILIES = {
    "1 / eta": ("treasure:n=4", "treasure:n=8", "treasure:n=32"),
    "|Z|": ("random:latents=2", "random:latents=4", "random:latents=8"),
}
MARKS = 64  # points of a curve that are kept
LIMITS = {"interval": BOUND, "share_interval": 1.0, "anytime_interval": BOUND, "anytime_share_interval": 1.0}


def cells(quick: bool) -> Sequence[RunConfig]:
    """Lengths from the least with a small epsilon over one decade (quick) or two.

    If there are several instructions, there are also runs in orders that an adversary may choose, over one decade. A
    second decade for every order would cost more than twice all else. It is run for one order, `doubling`, whose
    instructions change ever more rarely, in the world where 100 T0 is least. The last cells show how regret depends on
    eta and on |Z|, over families of worlds at one length.
    """
    found = []
    for world in WORLDS[:2] if quick else WORLDS:
        least, several = _least(world), len(assemble.world(world).instructions) > 1
        for factor in (1, 10) if quick else (1, 10, 100):
            found.append(_cell(world, THEORY, factor * least, quick))
        found.append(_cell(world, ANYTIME, 10 * least, quick))
        for order in ADVERSARIAL if several and not quick else ():
            factors = (1, 10, 100) if (world, order) == LONGER else (1, 10)
            found += [_cell(world, THEORY, factor * least, quick, order) for factor in factors]
    for family in () if quick else FAMILIES.values():
        length = 2 * max(map(_least, family))
        found += [_cell(world, THEORY, length, quick) for world in family]
    return found


def _cell(world: str, explore: str, episodes: int, quick: bool, instructions: str = "cyclic") -> RunConfig:
    latents = len(assemble.world(world).latents)
    runs = latents * (max(4, 32 // latents) if quick else max(LEAST_RUNS.get(world, 8), 64 // latents))
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


def _marks(episodes: int) -> Int[np.ndarray, " M"]:
    """The t, counted from 1, at which cumulative regret is kept."""
    return np.linspace(0, episodes, MARKS + 1)[1:].astype(int)


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R M"]:
    """Cumulative expected regret at MARKS points of the run."""
    return np.cumsum(expected_regret(config, bar), axis=1)[:, _marks(config.episodes) - 1]


def _apart(curves: Float[np.ndarray, "R M"], world: str) -> Float[np.ndarray, "r Z M"]:
    """The runs of each latent."""
    return curves.reshape(-1, len(assemble.world(world).latents), curves.shape[1])


def _worst(curves: Float[np.ndarray, "r Z M"]) -> int:
    """The latent with the largest mean at the end."""
    return int(curves[:, :, -1].mean(axis=0).argmax())


def analyse(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R M"]]) -> Finding:
    """Each world's and order's slopes and shares of the bound, each judged by its interval; all must hold."""
    rows: list[dict[str, Any]] = []
    inside = [(c, _apart(k, c.world)) for c, k in zip(configs, kept, strict=True)]
    for world, order in dict.fromkeys((c.world, c.instructions) for c in configs if c.world in WORLDS):
        mine = [(c, k) for c, k in inside if (c.world, c.instructions) == (world, order)]
        lengths = {c.episodes: (c, k) for c, k in mine if c.explore == THEORY}
        row = {"world": world, "instructions": order, "T": list(lengths)} | _at_rate(list(lengths.values()))
        rows.append(row | next((_anytime(c, k) for c, k in mine if c.explore == ANYTIME), {}))
    intervals = {name: [row[name] for row in rows if name in row] for name in LIMITS}
    verdicts = [at_most(low, high, LIMITS[name]) for name, found in intervals.items() for low, high in found]
    holds = all_hold(verdicts)
    slopes = [(row["slope"], row["interval"]) for row in rows]
    slopes += [(row["anytime_slope"], row["anytime_interval"]) for row in rows if "anytime_slope" in row]
    value, (low, high) = max(slopes, key=lambda slope: slope[1][1])
    quantity = "slope of log(regret / sum of epsilon), steepest world, over lengths or within a run"
    return Finding(CLAIM, holds, value, (low, high), quantity, rows + _dependence(inside))


def _at_rate(cells: list[tuple[RunConfig, Float[np.ndarray, "r Z M"]]]) -> dict[str, Any]:
    """A world's slope in T, and how close to the bound regret comes.

    The latent that is worst in the longest runs is followed through all lengths. The worst of each length would count
    noise as regret, most where runs are short, and flatten the slope.
    """
    worst = _worst(max(cells, key=lambda cell: cell[0].episodes)[1])
    found = _slopes([(c, k[:, worst, -1]) for c, k in cells], [float(c.episodes) for c, _ in cells])
    shares = [_share(c, k[:, :, -1:], np.array([c.episodes])) for c, k in cells]
    share = max(shares, key=lambda estimate: estimate.high)
    return {**found, "largest_share_of_bound": share.value, "share_interval": [share.low, share.high]}


def _anytime(config: RunConfig, curves: Float[np.ndarray, "r Z M"]) -> dict[str, Any]:
    """The same within one run: the slope in t of its worst latent, and the bound at every point that is kept."""
    t, worst = _marks(config.episodes), curves[:, _worst(curves)]
    epsilon = schedule(1.0, 0.5)
    explored = np.cumsum([epsilon(episode) for episode in range(config.episodes)])[t - 1]
    late = t >= config.episodes / 10
    slope = loglog_slope(t[late], (worst / explored)[:, late])
    share, grows = _share(config, curves, t), growth(worst)
    exponent = grows.exponent
    return {
        "anytime_slope": slope.value,
        "anytime_interval": [slope.low, slope.high],
        "anytime_share_of_bound": share.value,
        "anytime_share_interval": [share.low, share.high],
        "anytime": grows.verdict,
        "anytime_exponent": exponent.value,
        "anytime_exponent_interval": [exponent.low, exponent.high],
    }


def _share(config: RunConfig, curves: Float[np.ndarray, "r Z P"], t: Int[np.ndarray, " P"]) -> Estimate:
    """The largest share of the bound that mean regret comes to at any t, of the latent whose upper limit is highest."""
    bound = np.array([regret_bound(int(length), *sizes(config.world)) for length in t])
    each = [bootstrap(lambda means: float((means[0] / bound).max()), [k]) for k in np.moveaxis(curves, 1, 0)]
    return max(each, key=lambda estimate: estimate.high)


def _slopes(cells: list[tuple[RunConfig, Float[np.ndarray, " r"]]], x: list[float]) -> dict[str, Any]:
    """Log-log slope in x of one latent's regret over T epsilon(T), and of its regret itself."""
    scale = [c.episodes * theory_epsilon(c.episodes, *sizes(c.world)) for c, _ in cells]
    slope = loglog_slope(np.array(x), [total / by for (_, total), by in zip(cells, scale, strict=True)])
    return {
        "epsilon": [by / c.episodes for (c, _), by in zip(cells, scale, strict=True)],
        "regret": [float(total.mean()) for _, total in cells],
        "half_width": [float(mean_band(total[:, None])[1][0]) for _, total in cells],
        "runs": len(cells[0][1]),
        "slope": slope.value,
        "interval": [slope.low, slope.high],
        "plain_slope": loglog_slope(np.array(x), [total for _, total in cells]).value,
    }


def _dependence(inside: list[tuple[RunConfig, Float[np.ndarray, "r Z M"]]]) -> list[dict[str, Any]]:
    """Regret over T epsilon(T) against eta and |Z| at one length: reported, no part of the verdict."""
    rows = []
    for quantity, family in FAMILIES.items():
        at = 2 * max(map(_least, family))
        of_family = [(c, k) for c, k in inside if c.world in family and c.episodes == at and c.explore == THEORY]
        cells = [(c, k[:, _worst(k), -1]) for c, k in of_family]
        measured = [sizes(c.world) for c, _ in cells]
        x = [1 / eta if quantity == "1 / eta" else float(number) for _, eta, number, _ in measured]
        if len(set(x)) > 1:
            rows.append({"against": quantity, "worlds": list(family), "T": at, "values": x, **_slopes(cells, x)})
    return rows


def figure(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R M"]]) -> Figure:
    return drawn(analyse(configs, kept).rows)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Regret of the worst latent, where instructions take turns."""
    series = {
        one["world"]: list(zip(one["T"], one["regret"], one.get("half_width", [np.nan] * len(one["T"])), strict=True))
        for one in rows
        if one.get("instructions") == "cyclic"
    }
    return loglog_figure(NAME, "T", "expected regret of a run of T episodes", series, 0.5)
