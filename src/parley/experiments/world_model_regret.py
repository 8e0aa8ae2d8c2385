"""`world-model-regret`: planning in a model's predictions against imitation, with the same checkpoint and explorer.

The rows take the model-based planner's regret apart: the same search in the exact model (what is left is due to search
and to exploration), and all histories of the exact model instead of a tree (what is left is due to exploration).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import Finding, at_most, shipped
from parley.models.checkpoint import Checkpoint
from parley.report.plots import curves_figure

NAME = "world-model-regret"
CLAIM = (
    "With the same checkpoint and epsilon-greedy exploration, planning in the model's predictions has at most 1.1 "
    "times the regret of imitation, in every tabular world"
)
TIMES = 1.1
MODEL, IMITATION = "world-model:budget=64", "transformer"
EXACT_MODEL, ALL_HISTORIES = "world-model:model=exact,budget=64", "world-model:model=exact,search=expectimax"
PLANNERS = (MODEL, IMITATION, f"{IMITATION}:decode=greedy", EXACT_MODEL, ALL_HISTORIES, "exact")
DECIDING = "epsilon-greedy:epsilon=0.1"
EXPLORERS = ("none", DECIDING, "adaptive-proposals")


def cells(quick: bool) -> Sequence[RunConfig]:
    found = []
    for path in shipped():
        episodes = int(Checkpoint.load(path).about["episodes"])
        number = len(assemble.world(path.name).latents)
        runs = number * max(2, (32 if quick else 192) // number)
        planners = PLANNERS[:2] if quick else PLANNERS
        for explore in (DECIDING,) if quick else EXPLORERS:
            found += [RunConfig(path.name, p, explore, episodes=episodes, latent="each", runs=runs) for p in planners]
    return found


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Regret of the model-based planner less 1.1 times that of imitation, run by run, the latents by their prior."""
    rows: list[dict[str, Any]] = []
    for world, explore in dict.fromkeys((c.world, c.explore) for c in configs):
        prior = assemble.world(world).prior
        totals = {
            c.planner: r.sum(axis=1).reshape(-1, len(prior))
            for c, r in zip(configs, regrets, strict=True)
            if (c.world, c.explore) == (world, explore)
        }
        gap = totals[MODEL] - TIMES * totals[IMITATION]
        mean, half = float(prior @ gap.mean(axis=0)), 1.96 * _error(gap, prior)
        each = {planner: float(prior @ total.mean(axis=0)) for planner, total in totals.items()}
        row: dict[str, Any] = {"world": world, "explore": explore, "runs_a_latent": len(gap), **each}
        if EXACT_MODEL in each:
            row["due_to_model"] = each[MODEL] - each[EXACT_MODEL]
            row["due_to_search"] = each[EXACT_MODEL] - each[ALL_HISTORIES]
        rows.append({**row, "above_limit": mean, "interval": [mean - half, mean + half]})
    worst = max((row for row in rows if row["explore"] == DECIDING), key=lambda row: row["interval"][1])
    low, high = worst["interval"]
    quantity = "regret less 1.1 times that of imitation, worst world"
    return Finding(CLAIM, at_most(low, high, 0.0), worst["above_limit"], (low, high), quantity, rows)


def _error(gap: Float[np.ndarray, "R Z"], prior: Float[np.ndarray, " Z"]) -> float:
    """Standard error of the prior-weighted mean."""
    return float(np.sqrt(prior**2 @ gap.var(axis=0, ddof=1) / len(gap)))


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    curves = [
        (f"{c.world}: {c.planner}", np.cumsum(r, axis=1))
        for c, r in zip(configs, regrets, strict=True)
        if c.explore == DECIDING and c.planner in (MODEL, IMITATION, EXACT_MODEL)
    ]
    return curves_figure(f"{NAME}, {DECIDING}", "episode", "cumulative expected regret", curves)
