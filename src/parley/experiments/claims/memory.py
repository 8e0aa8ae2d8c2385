"""`memory`: what of its history a planner's prompt must show it, when episodes outgrow the context.

The same planner with the same exploration, asked through an endpoint, with memories of several kinds and budgets.
Budgets are in tokens; an episode of `shortcut` takes 8, the checkpoint reads 512. Horizons are beginnings of one run:
its first episodes do not depend on how many follow. A note is for models that write prose: it is run where
`PARLEY_MODEL` names one. The summary is run with the checkpoint too, which was never trained on one.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.execute import RunConfig
from parley.experiments.base import Finding, above, difference
from parley.experiments.served import measure, model_for
from parley.report.plots import by_column, dots_figure

__all__ = ["CLAIM", "NAME", "analyse", "cells", "drawn", "measure"]

NAME = "memory"
CLAIM = "In `shortcut` a planner that is shown all that fits its context loses less than one that is shown nothing"
WORLD, EXPLORE = "shortcut", "epsilon-greedy:epsilon=0.2"
NOTHING, ALL = "window,size=0", "full"
WINDOWS = (NOTHING, "window,size=4", "window,size=16")
BUDGETS = ("full,budget=64", "full,budget=128", "full,budget=256", ALL)
KINDS = (*WINDOWS, "retrieval,size=4", "summary", *BUDGETS)
PROSE = ("note",)


def cells(quick: bool) -> Sequence[RunConfig]:
    episodes, runs = (32, 16) if quick else (80, 16)
    kinds = KINDS + (PROSE if os.environ.get("PARLEY_MODEL") else ())
    planner = f"endpoint:model={model_for(WORLD)}"
    return [
        RunConfig(WORLD, f"{planner},memory={kind}", EXPLORE, episodes=episodes, runs=runs, cohort=1) for kind in kinds
    ]


def kind_of(config: RunConfig) -> str:
    """The memory of a cell, as it stands in its spec."""
    return config.planner.partition("memory=")[2]


def horizons(config: RunConfig) -> list[int]:
    """Where regret is read off: after a sixteenth, a quarter and all of the episodes."""
    return [config.episodes // 16, config.episodes // 4, config.episodes]


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Decided at the longest horizon: nothing shown against all that fits, run by run."""
    of = {kind_of(config): regret for config, regret in zip(configs, regrets, strict=True)}
    estimate, interval = difference(of[NOTHING], of[ALL])
    rows = []
    for config in configs:
        for horizon in horizons(config):
            total = of[kind_of(config)][:, :horizon].sum(axis=1)
            half = 1.96 * float(total.std(ddof=1)) / np.sqrt(len(total))
            rows.append({"memory": kind_of(config), "T": horizon, "regret": float(total.mean()), "half_width": half})
    quantity = f"regret over {configs[0].episodes} episodes, nothing shown less all that fits"
    return Finding(CLAIM, above(*interval, 0.0), estimate, interval, quantity, rows)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    names = list(dict.fromkeys(one["memory"] for one in rows))
    told = [{**one, "T": f"T = {one['T']:g}"} for one in rows]
    columns, halves = by_column(told, "memory", "T", "regret", "half_width")
    return dots_figure(f"{NAME}: {WORLD}", "regret after T episodes", names, columns, halves)
