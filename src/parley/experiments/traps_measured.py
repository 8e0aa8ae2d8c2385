"""`traps`: what the theory predicts of a planner that does not explore, against what its runs cost (theory.md 4).

The number of runs of a cell follows from the variance that the same chain predicts: so many that the simultaneous
interval is half as wide as the slack, within bounds. Where sampling pays, a few runs pay nearly all.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
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
from parley.theory.traps import Escape, traps

NAME = "traps"
CLAIM = (
    "What not exploring costs is within a tenth, and 0.1, of what the exact chain of beliefs predicts, in every cell"
)
WORLDS = ("shortcut", "shortcut:open=0.3", "treasure:n=8", "treasure:n=16", "shortcut:jam=0.4")
FEW = WORLDS[:3]
LEAST, MOST = 16_384, 131_072  # runs of a cell
HALF = 0.5  # of the slack: what the interval is to stretch to either side


def cells(quick: bool) -> Sequence[RunConfig]:
    episodes = 200 if quick else 1_000
    plain = [
        RunConfig(world, f"exact:decode={how}", "none", episodes=episodes, runs=64, latent=str(z))
        for world in (FEW if quick else WORLDS)
        for how in ("greedy", "sample")
        for z in range(2)  # in `treasure` all but the first are alike
    ]
    level = _level(len(plain))
    return [c if "greedy" in c.planner else replace(c, runs=128 if quick else _runs(c, level)) for c in plain]


def _level(cells: int) -> float:
    return NormalDist().inv_cdf(1 - 0.025 / cells)  # Bonferroni


def _runs(config: RunConfig, level: float) -> int:
    said = predicted(config)
    needed = (level * said.spread / (HALF * _slack(said))) ** 2
    return int(np.clip(np.ceil(needed), LEAST, MOST))


def _slack(said: Escape) -> float:
    return 0.1 * said.cost + 0.1


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R 2"]:
    """Of every run its expected regret, and the number of episodes in which it paid."""
    regret = expected_regret(config, bar)
    return np.stack([regret.sum(axis=1), (regret > PAYS).sum(axis=1)], axis=1)


def predicted(config: RunConfig) -> Escape:
    """The exact chain's answer for a cell: of its world, latent and decoding, instructions in any order."""
    tables = assemble.world(config.world).tables
    assert tables is not None and config.latent is not None
    beliefs = assemble.beliefs_of(tables)
    classes = classes_of(beliefs)
    name = tables.latents[next(group[0] for group in classes.members if int(config.latent) in group)]
    how = config.planner.rpartition("=")[2]
    found = [e for e in traps(beliefs, classes, config.episodes).escapes if (e.latent, e.decoding) == (name, how)]
    return next(e for e in found if e.instruction is None or len(found) == 1)


def analyse(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R 2"]]) -> Finding:
    """Each cell's cost less its prediction, over the slack; simultaneous 95% intervals, the widest-ranging decides."""
    rows: list[dict[str, Any]] = []
    level = _level(len(configs))
    for config, found in zip(configs, kept, strict=True):
        said, totals = predicted(config), found[:, 0]
        slack = _slack(said)
        gap = (float(totals.mean()) - said.cost) / slack
        half = level * float(totals.std(ddof=1)) / np.sqrt(len(totals)) / slack
        rows.append(
            {
                "world": config.world,
                "latent": said.latent,
                "decoding": said.decoding,
                "method": said.method,
                "predicted_cost": said.cost,
                "cost": float(totals.mean()),
                "gap_over_slack": gap,
                "interval": [gap - half, gap + half],
                "predicted_escape": said.escape if np.isfinite(said.escape) else None,
                "escape": float(found[:, 1].mean()),
                "runs": len(totals),
            }
        )
    worst = max(rows, key=lambda row: max(-row["interval"][0], row["interval"][1]))
    low, high = worst["interval"]
    verdict = SUPPORTED if -1 <= low and high <= 1 else NOT_SUPPORTED if low > 1 or high < -1 else UNDECIDED
    return Finding(CLAIM, verdict, worst["gap_over_slack"], (low, high), "difference over slack, worst cell", rows)


def figure(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R 2"]]) -> Figure:
    points = [
        (max(predicted(c).cost, 1e-3), max(float(k[:, 0].mean()), 1e-3)) for c, k in zip(configs, kept, strict=True)
    ]
    return loglog_figure(NAME, "predicted cost", "cost of runs", {"cells": points}, 1.0)
