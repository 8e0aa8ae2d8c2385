"""`prompts`: designs of the prompt, and ways to hear the answer, with the same model over several worlds.

The transcript by itself, after the world's rules and menu in two lines (`stated`), or as a chat. In `household` and
`treasure` a chat's rules and menu do not fit the few hundred positions of the shipped checkpoints. There chats are run
where `PARLEY_MODEL` names another model.
"""

import os
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.execute import RunConfig
from parley.experiments.base import Finding, above, difference
from parley.experiments.served import measure, model_for
from parley.report.plots import by_column, dots_figure
from parley.report.summary import mean_band

__all__ = ["CLAIM", "NAME", "analyse", "cells", "drawn", "measure"]

NAME = "prompts"
CLAIM = "A checkpoint plans best by the prompt it was trained on: in `shortcut` the same history as a chat loses more"
WORLDS = ("shortcut", "household", "treasure")
TRAINED = "way=echo,template=transcript"
DESIGNS = (
    TRAINED,
    "way=parse,template=transcript,max_tokens=1",
    "way=echo,template=stated",
    "way=echo,template=chat",
    "way=letters,template=chat",
    "way=constrained,template=chat",
)
CHATS = DESIGNS[3:]


def cells(quick: bool) -> Sequence[RunConfig]:
    episodes, runs = (8, 12) if quick else (12, 32)
    return [
        RunConfig(world, f"endpoint:model={model_for(world)},{design}", episodes=episodes, runs=runs, cohort=1)
        for world in WORLDS
        for design in DESIGNS
        if world == WORLDS[0] or design not in CHATS or os.environ.get("PARLEY_MODEL")
    ]


def design_of(config: RunConfig) -> str:
    """The design of a cell, as it stands in its spec."""
    return next(design for design in DESIGNS if config.planner.endswith(design))


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Decided by the chat design and world in which the transcript gains least; intervals widened for their number."""
    of = {(c.world, design_of(c)): regret for c, regret in zip(configs, regrets, strict=True)}
    rows, gains = [], []
    for (world, design), regret in of.items():
        gain, (low, high) = difference(regret, of[world, TRAINED])
        rows.append(
            {
                "world": world,
                "prompt": design,
                "regret": float(regret.sum(1).mean()),
                "half_width": float(mean_band(regret.sum(1)[:, None])[1][0]),
                "more": gain,
                "low": low,
                "high": high,
            }
        )
        if design in CHATS:
            gains.append((gain, low, high))
    widen = float(NormalDist().inv_cdf(1 - 0.025 / len(gains))) / 1.96  # Bonferroni
    gain, low, high = min(gains, key=lambda g: g[0] - widen * (g[0] - g[1]))
    interval = (gain - widen * (gain - low), gain + widen * (high - gain))
    quantity = "least gain in regret of the transcript over a chat prompt, over designs and worlds"
    return Finding(CLAIM, above(*interval, 0.0), gain, interval, quantity, rows)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    names = list(dict.fromkeys(one["prompt"] for one in rows))
    columns, halves = by_column(rows, "prompt", "world", "regret", "half_width")
    return dots_figure(NAME, "regret", names, columns, halves)
