"""`traps`: what the theory predicts of a planner that does not explore, against what its runs cost (theory.md 4).

In every cell two numbers are held against the exact chain of beliefs. One is the cost of a run. The other is its escape
time, the number of its episodes that cost more than 0.01. Runs that never escape are censored: they pay in every
episode. So is the prediction, which counts the episodes of a run and not those that would come after it. Both are
finite.

The number of runs of a cell follows from the variances that the same chain predicts. It makes each simultaneous
interval half as wide as the slack, within bounds. Where sampling pays, a few runs pay nearly all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, expected_regret
from parley.report.plots import loglog_figure
from parley.theory.chains import PAYS
from parley.theory.distinguishability import classes_of
from parley.theory.escapes import Escape
from parley.theory.traps import traps

NAME = "traps"
LEAST_DRAWN = 1e-3  # so that 0 has a place on a logarithmic scale
CLAIM = (
    "The cost of not exploring, and the number of episodes with this cost, are as the exact chain of beliefs "
    "predicts. In every cell they differ by at most a tenth of the prediction plus 0.1"
)
WORLDS = ("shortcut", "shortcut:open=0.3", "treasure:n=8", "treasure:n=16", "shortcut:jam=0.4")
FEW = WORLDS[:3]
LATENTS = ("0", "1")  # in `treasure` all but the first are alike
GREEDILY = "traps"  # its chain is finite where it is decoded greedily
USUAL_AND_RARE = ("0", "3")
LEAST, MOST = 16_384, 131_072  # runs of a cell in which runs differ
HALF = 0.5  # of the slack: what the interval is to stretch to either side


def cells(quick: bool) -> Sequence[RunConfig]:
    asked = [(w, how, z) for w in (FEW if quick else WORLDS) for how in ("greedy", "sample") for z in LATENTS]
    asked += [(GREEDILY, "greedy", z) for z in USUAL_AND_RARE]
    plain = [
        RunConfig(world, f"exact:decode={how}", "none", episodes=200 if quick else 1_000, runs=64, latent=z)
        for world, how, z in asked
    ]
    level = _level(len(plain))
    return [replace(c, runs=min(128, _runs(c, level)) if quick else _runs(c, level)) for c in plain]


def _level(cells: int) -> float:
    return NormalDist().inv_cdf(1 - 0.025 / (2 * cells))  # Bonferroni, over two numbers of each


def _runs(config: RunConfig, level: float) -> int:
    said = predicted(config)
    spreads = (said.spread, said.cost), (said.paying_spread, said.paying)
    needed = max((level * spread / (HALF * _slack(mean))) ** 2 for spread, mean in spreads)
    return int(np.clip(np.ceil(needed), LEAST, MOST)) if needed > 1e-6 else config.runs  # else all runs are alike


def _slack(predicted: float) -> float:
    return 0.1 * predicted + 0.1


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R 2"]:
    """Of every run its expected regret, and the number of episodes in which it paid."""
    regret = expected_regret(config, bar)
    return np.stack([regret.sum(axis=1), (regret > PAYS).sum(axis=1)], axis=1)


@lru_cache(maxsize=128)
def predicted(config: RunConfig) -> Escape:
    """The exact chain's answer for a cell: of its world, latent and decoding, instructions in any order."""
    tables = assemble.world(config.world).tables
    assert tables is not None and config.latent is not None
    beliefs = assemble.beliefs_of(tables)
    classes = classes_of(beliefs)
    name = tables.latents[next(group[0] for group in classes.members if int(config.latent) in group)]
    how = config.planner.rpartition("=")[2]
    escapes = traps(beliefs, classes, config.episodes, decodings=(how,)).escapes
    found = [e for e in escapes if e.latent == name]
    return next(e for e in found if e.instruction is None or len(found) == 1)


def analyse(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R 2"]]) -> Finding:
    """Each cell's cost and escape time less the prediction, over the slack; 95% intervals that hold for all at once.

    One that lies outside refutes the claim; else the one that reaches furthest decides.
    """
    rows: list[dict[str, Any]] = []
    gaps: list[tuple[float, float, float]] = []
    level = _level(len(configs))
    for config, found in zip(configs, kept, strict=True):
        said = predicted(config)
        cost, escape = (_mean(found[:, i], level) for i in range(2))
        here = _over(cost, said.cost), _over(escape, said.paying)
        gaps += here
        rows.append(
            {
                "world": config.world,
                "latent": said.latent,
                "decoding": said.decoding,
                "method": said.method,
                "predicted_cost": said.cost,
                "cost": cost[0],
                "cost_interval": list(cost[1:]),
                "cost_gap_over_slack": list(here[0][1:]),
                "for_ever": said.stuck,
                "predicted_escape": said.paying,
                "escape": escape[0],
                "escape_interval": list(escape[1:]),
                "escape_gap_over_slack": list(here[1][1:]),
                "never_escaped": float((found[:, 1] >= config.episodes).mean()),
                "runs": len(found),
            }
        )
    outside = [gap for gap in gaps if gap[1] > 1 or gap[2] < -1]
    estimate, low, high = max(outside or gaps, key=lambda gap: max(-gap[1], gap[2]))
    verdict = NOT_SUPPORTED if outside else SUPPORTED if -1 <= low and high <= 1 else UNDECIDED
    return Finding(CLAIM, verdict, estimate, (low, high), "difference over slack, worst cell", rows)


def _mean(numbers: Float[np.ndarray, " R"], level: float) -> tuple[float, float, float]:
    mean, half = float(numbers.mean()), level * float(numbers.std(ddof=1)) / np.sqrt(len(numbers))
    return mean, float(mean - half), float(mean + half)


def _over(measured: tuple[float, float, float], predicted: float) -> tuple[float, float, float]:
    mean, low, high = ((x - predicted) / _slack(predicted) for x in measured)
    return mean, low, high


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    series: dict[str, list[tuple[float, ...]]] = {}
    for one in rows:
        for name, key in (("cost", "cost"), ("episodes that cost", "escape")):
            low, high = one[f"{key}_interval"]
            point = max(one[f"predicted_{key}"], LEAST_DRAWN), max(one[key], LEAST_DRAWN), (high - low) / 2
            series.setdefault(name, []).append(point)
    return loglog_figure(NAME, "predicted", "of runs", series, 1.0)
