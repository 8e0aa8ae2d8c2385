"""`reporter-error`: what a Reporter's total variation to the true E costs (He et al. 2024, a part of Delta_p).

The planner is exact and holds the true tables, with a floor of 0.01 under the sentences. It hears a Reporter with an
error: the true one mixed with noise, or one learned by contrast from so many pairs. Rewards follow the tables. Expected
regret would filter the reports by the true tables and be biased: regret is V*_z(w) minus the return.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import Finding
from parley.experiments.slopes import costs_at_most, points_figure, row, slope
from parley.worlds.kit.tabular.reported import ReportedWorld

NAME = "reporter-error"
CLAIM = "In `household` a Reporter's error costs regret: an episode at most H^2 = 16 for a unit of total variation"
BOUND = 16.0
WORLD = "household:floor=0.01"
NOISE = (0.0, 0.05, 0.1, 0.2, 0.4)
PAIRS = (300, 1_000, 3_000, 10_000)


def cells(quick: bool) -> Sequence[RunConfig]:
    reporters = [f"noisy:{share}" for share in NOISE] + [f"learned:{pairs}" for pairs in PAIRS]
    episodes, runs = (10, 1_000) if quick else (30, 10_000)
    return [RunConfig(f"{WORLD},reporter={reporter}", episodes=episodes, runs=runs) for reporter in reporters]


def total_variation(config: RunConfig) -> float:
    """Of a cell's Reporter to the true one."""
    world = assemble.world(config.world)
    assert isinstance(world, ReportedWorld)
    return world.total_variation


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """The slope over all cells decides; the noisy ones and the learned ones also have their own."""
    errors = [total_variation(config) for config in configs]
    rows = [{"world": c.world, **row(error, regret)} for c, error, regret in zip(configs, errors, regrets, strict=True)]
    learned = [0, *range(len(NOISE), len(configs))]
    for name, chosen in (("noisy", list(range(len(NOISE)))), ("learned", learned)):
        found, (low, high) = slope([errors[i] for i in chosen], [regrets[i] for i in chosen])
        rows.append({"slope of": name, "slope": found, "low": low, "high": high})
    estimate, interval = slope(errors, regrets)
    quantity = "additional regret of an episode for a unit of total variation"
    return Finding(CLAIM, costs_at_most(*interval, BOUND), estimate, interval, quantity, rows)


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    return drawn(analyse(configs, regrets).rows)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    series: dict[str, list[Mapping[str, Any]]] = {}
    for one in rows:
        if "error" in one:
            kind = "learned from pairs" if "reporter=learned" in one["world"] else "the true one and noise"
            series.setdefault(kind, []).append(one)
    return points_figure(NAME, "total variation of the Reporter to the true E", series)
