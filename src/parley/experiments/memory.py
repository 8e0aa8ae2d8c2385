"""`memory`: what of its history a planner's prompt must show it, when episodes outgrow the context.

The same planner with the same exploration, asked through an endpoint, with memories of several kinds and budgets. A
summary and a note are for models that read prose: they are run where `PARLEY_MODEL` names one.
"""

import os
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.execute import RunConfig
from parley.experiments.base import Finding, above, difference
from parley.experiments.served import measure, model_for
from parley.report.plots import curves_figure

__all__ = ["CLAIM", "NAME", "analyse", "cells", "figure", "measure"]

NAME = "memory"
CLAIM = "In `shortcut` a planner that is shown all that fits its context loses less than one that is shown nothing"
WORLD, EXPLORE = "shortcut", "epsilon-greedy:epsilon=0.2"
KINDS = ("window,size=0", "window,size=4", "window,size=16", "retrieval,size=4", "full,budget=128", "full")
PROSE = ("summary", "note")


def cells(quick: bool) -> Sequence[RunConfig]:
    horizons, runs = ((16, 48), 16) if quick else ((32, 128), 48)
    kinds = KINDS + (PROSE if os.environ.get("PARLEY_MODEL") else ())
    planner = f"endpoint:model={model_for(WORLD)}"
    return [
        RunConfig(WORLD, f"{planner},memory={kind}", EXPLORE, episodes=episodes, runs=runs, cohort=1)
        for episodes in horizons
        for kind in kinds
    ]


def kind_of(config: RunConfig) -> str:
    """The memory of a cell, as it stands in its spec."""
    return config.planner.partition("memory=")[2]


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Decided at the longest horizon: nothing shown against all that fits, run by run."""
    longest = max(config.episodes for config in configs)
    last = {kind_of(c): regret for c, regret in zip(configs, regrets, strict=True) if c.episodes == longest}
    estimate, interval = difference(last[KINDS[0]], last["full"])
    rows = []
    for config, regret in zip(configs, regrets, strict=True):
        total = regret.sum(axis=1)
        half = 1.96 * float(total.std(ddof=1)) / np.sqrt(len(total))
        rows.append(
            {"memory": kind_of(config), "T": config.episodes, "regret": float(total.mean()), "half_width": half}
        )
    quantity = f"regret over {longest} episodes, nothing shown less all that fits"
    return Finding(CLAIM, above(*interval, 0.0), estimate, interval, quantity, rows)


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    longest = max(config.episodes for config in configs)
    curves = [
        (kind_of(config), regret.cumsum(axis=1))
        for config, regret in zip(configs, regrets, strict=True)
        if config.episodes == longest
    ]
    return curves_figure(f"{NAME}: {WORLD}", "episode", "cumulative regret", curves)
