"""`epsilon-greedy`: at the theory's rate regret is of order epsilon(T) T (He et al. 2024, Theorem 5.7).

The theory's epsilon is constant within a run of known length T. So the curve that bends is regret at T as a function of
T. Only lengths with epsilon(T) < 0.3 count (theory.md section 4): T0, the least of them, times 1, 10 and 100. Every
latent is run on its own, and the worst counts.

How regret depends on eta and on |Z| is judged in two families (`epsilon_families`), also without the cost of the
exploration episodes.

The anytime variant, epsilon_t = t^(-1/2), bends within one run of 10 T0 episodes. There the sum of epsilon_s over s <=
t stands for T epsilon(T). Its last decade counts, t from T0: the lengths of the theory's rate. Before that most of the
regret is the single cost of finding the latent out.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from parley import assemble
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import UNDECIDED, Finding, all_hold, at_most, expected_regret
from parley.experiments.claims import epsilon_families
from parley.experiments.claims.epsilon_families import Alone, least, sizes
from parley.exploration.explorers import schedule
from parley.report.plots import rows_figure
from parley.report.summary import mean_band
from parley.theory.bounds import regret_bound, theory_epsilon
from parley.theory.curves import Estimate, bootstrap, growth, loglog_slope

NAME = "epsilon-greedy"
CLAIM = (
    "At the theory's rate, log(regret / (T epsilon(T))) has a slope in log T of at most 0.03. Regret is below the "
    "bound with constant 1. Both hold on every tabular world and order of instructions. The anytime variant does the "
    "same within a run. Its slope is that of log(regret(t) / sum of epsilon_s) in log t over the last decade; the "
    "bound holds at every t. In 1 / eta and in |Z| regret grows with at most the bound's exponent plus 0.05, also "
    "without the regret of the exploration episodes"
)
BOUND = 0.03
WORLDS = ("shortcut", "treasure", "household", "random", "traps", "weather", "team")
THEORY, ANYTIME = "epsilon-greedy:epsilon=theory", "epsilon-greedy:epsilon=1,power=0.5"
ADVERSARIAL = ("fixed:0", "fixed:1", "doubling")
LONGER = ("household", "doubling")
LEAST_RUNS = {"household": 32}  # of a latent, else 8: with 8 its intervals over one decade are as wide as the limit
MARKS = 64  # points of a curve that are kept
LIMITS = {"interval": BOUND, "share_interval": 1.0, "anytime_interval": BOUND, "anytime_share_interval": 1.0}


def cells(quick: bool) -> Sequence[RunConfig]:
    """Lengths from the least with a small epsilon over one decade (quick) or two.

    If there are several instructions, there are also runs in orders that an adversary may choose, over one decade. A
    second decade for every order would cost more than twice all else. It is run for one order, `doubling`, whose
    instructions change ever more rarely, in the world where 100 T0 is least. The last cells are families along which
    eta or |Z| alone changes.
    """
    found = list[RunConfig]()
    for world in WORLDS[:2] if quick else WORLDS:
        shortest, several = least(world), len(assemble.world(world).instructions) > 1
        for factor in (1, 10) if quick else (1, 10, 100):
            found.append(_cell(world, THEORY, factor * shortest, quick))
        found.append(_cell(world, ANYTIME, 10 * shortest, quick))
        for order in ADVERSARIAL if several and not quick else ():
            factors = (1, 10, 100) if (world, order) == LONGER else (1, 10)
            found += [_cell(world, THEORY, factor * shortest, quick, order) for factor in factors]
    return found + epsilon_families.cells(quick)


def _cell(world: str, explore: str, episodes: int, quick: bool, instructions: str = "cyclic") -> RunConfig:
    latents = len(assemble.world(world).latents)
    runs = latents * (max(4, 32 // latents) if quick else max(LEAST_RUNS.get(world, 8), 64 // latents))
    return RunConfig(world, explore=explore, episodes=episodes, latent="each", runs=runs, instructions=instructions)


def _marks(episodes: int) -> Int[np.ndarray, " M"]:
    """The t, counted from 1, at which cumulative regret is kept."""
    return np.linspace(0, episodes, MARKS + 1)[1:].astype(int)


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R M"]:
    """Cumulative expected regret at MARKS points of the run; of a family's cell, two totals."""
    if isinstance(config, Alone):
        return epsilon_families.measure(config, bar)
    return np.cumsum(expected_regret(config, bar), axis=1)[:, _marks(config.episodes) - 1]


def _apart(curves: Float[np.ndarray, "R M"], world: str) -> Float[np.ndarray, "r Z M"]:
    """The runs of each latent."""
    return curves.reshape(-1, len(assemble.world(world).latents), curves.shape[1])


def _worst(curves: Float[np.ndarray, "r Z M"]) -> int:
    """The latent with the largest mean at the end."""
    return int(curves[:, :, -1].mean(axis=0).argmax())


def analyse(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R M"]]) -> Finding:
    """Each world's and order's slopes and shares of the bound, then the exponents of the families."""
    rows: list[dict[str, Any]] = []
    inside = [(c, _apart(k, c.world)) for c, k in zip(configs, kept, strict=True) if not isinstance(c, Alone)]
    for world, order in dict.fromkeys((c.world, c.instructions) for c, _ in inside):
        mine = [(c, k) for c, k in inside if (c.world, c.instructions) == (world, order)]
        lengths = {c.episodes: (c, k) for c, k in mine if c.explore == THEORY}
        row = {"world": world, "instructions": order, "T": list(lengths)} | _at_rate(list(lengths.values()))
        rows.append(row | next((_anytime(c, k) for c, k in mine if c.explore == ANYTIME), {}))
    return from_rows(rows + epsilon_families.rows(configs, kept))


def from_rows(rows: Sequence[Mapping[str, Any]]) -> Finding:
    """The finding from its rows: each is judged by its interval, and all must hold."""
    intervals = {name: [row[name] for row in rows if name in row and "world" in row] for name in LIMITS}
    measured = {row["against"] for row in rows if "verdict" in row}
    verdicts = [row["verdict"] for row in rows if "verdict" in row]
    verdicts += [UNDECIDED for against in epsilon_families.FAMILIES if against not in measured]
    verdicts += [at_most(low, high, LIMITS[name]) for name, found in intervals.items() for low, high in found]
    slopes = [(row["slope"], row["interval"]) for row in rows if "world" in row]
    slopes += [(row["anytime_slope"], row["anytime_interval"]) for row in rows if "anytime_slope" in row]
    value, (low, high) = max(slopes, key=lambda slope: slope[1][1])
    quantity = "slope of log(regret / sum of epsilon), steepest world, over lengths or within a run"
    return Finding(CLAIM, all_hold(verdicts), value, (low, high), quantity, [dict(row) for row in rows])


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


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Every exponent that the claim judges, less the theory's."""
    told = []
    for one in rows:
        if "against" in one:
            low, high = (end - one["predicted"] for end in one["interval"])
            cell, over = f"in {one['against']}: {one['regret of']}", "a family"
            told.append({"cell": cell, "over": over, "above": one["slope"] - one["predicted"], "interval": [low, high]})
            continue
        cell = f"in T: {one['world']}, {one['instructions']}"
        for over, key in (("lengths", ""), ("a run (anytime)", "anytime_")):
            if one.get(f"{key}slope") is not None:
                above, interval = one[f"{key}slope"], one[f"{key}interval"]
                told.append({"cell": cell, "over": over, "above": above, "interval": interval})
    return rows_figure(NAME, "exponent of regret, above the theory's", told, "cell", "over", "above", "interval")
