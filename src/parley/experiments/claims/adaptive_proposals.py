"""`adaptive-proposals`: exploration from a transformer's proposals alone, over the episodes of its trained context."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import Finding, at_most
from parley.report.plots import rows_figure

NAME = "adaptive-proposals"
CLAIM = (
    "With the shipped transformers `adaptive-proposals` has less Bayes regret than no exploration and than "
    "epsilon-greedy on `shortcut`. On `household` it has at most 0.05 more than no exploration"
)
WORLDS = (("shortcut", 64, 0.0), ("household", 24, 0.05))  # with the episodes of a training document, and the slack
MINE = ("transformer", "adaptive-proposals")
OTHERS = (
    ("transformer", "none"),
    ("transformer:decode=greedy", "none"),
    ("transformer", "epsilon-greedy:epsilon=0.1"),
    ("transformer:decode=greedy", "epsilon-greedy:epsilon=0.1"),
)


def cells(quick: bool) -> Sequence[RunConfig]:
    return [
        RunConfig(world, planner, explore, episodes=episodes, latent="each", runs=runs)
        for world, episodes, _ in WORLDS
        for runs in [(64 if quick else 1024) if world == "shortcut" else (54 if quick else 576)]
        for planner, explore in (MINE, *OTHERS)
    ]


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Differences from each other line, run by run (common random numbers), the latents weighted by the prior."""
    rows: list[dict[str, Any]] = []
    for world, _, slack in WORLDS:
        prior = assemble.world(world).prior
        lines = {(c.planner, c.explore): r for c, r in zip(configs, regrets, strict=True) if c.world == world}
        totals = {line: regret.sum(axis=1).reshape(-1, len(prior)) for line, regret in lines.items()}  # runs, latents
        for line in OTHERS:
            gap = totals[MINE] - totals[line]
            mean = float(prior @ gap.mean(axis=0))
            half = 1.96 * float(np.sqrt(prior**2 @ gap.var(axis=0, ddof=1) / len(gap)))
            rows.append(
                {
                    "world": world,
                    "against": "+".join(line),
                    "regret": float(prior @ totals[MINE].mean(axis=0)),
                    "its_regret": float(prior @ totals[line].mean(axis=0)),
                    "difference": mean,
                    "interval": [mean - half, mean + half],
                    "slack": slack,
                    "runs_a_latent": len(gap),
                }
            )
    worst = max(rows, key=lambda row: row["interval"][1] - row["slack"])
    low, high = (end - worst["slack"] for end in worst["interval"])
    quantity = "largest difference from another line, less the slack"
    return Finding(CLAIM, at_most(low, high, 0.0), worst["difference"] - worst["slack"], (low, high), quantity, rows)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """What `adaptive-proposals` loses less what another line loses; below 0 it loses less."""
    x = f"regret of {MINE[1]} less the other's"
    return rows_figure(NAME, x, rows, "against", "world", "difference", "interval")
