"""`delusion`: a planner that learned from experts takes its own choices for evidence (Ortega et al. 2021; theory.md 2).

If a share rho of the pretraining trajectories was the expert's own, a perfect model's posterior counts subgoals as
evidence. At run time the subgoals are its own: each walk along the corridor then "says" that the door is locked.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.execute import RunConfig
from parley.experiments.base import Finding, above, difference
from parley.report.plots import curves_figure

NAME = "delusion"
CLAIM = "In `shortcut` with an open door, half expert trajectories in the pretraining data raise BAIL's regret"
SHARES = (0.0, 0.25, 0.5, 0.75)


def cells(quick: bool) -> Sequence[RunConfig]:
    planners = [f"exact:evidence=environment+demonstrator,rho={rho}" if rho else "exact" for rho in SHARES]
    episodes, runs = (200, 128) if quick else (2_000, 512)
    return [RunConfig("shortcut", planner, "none", latent="1", episodes=episodes, runs=runs) for planner in planners]


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """The difference between rho = 0.5 and rho = 0 decides; the others are shown."""
    rows = []
    for rho, regret in zip(SHARES, regrets, strict=True):
        gap, (low, high) = difference(regret, regrets[0])
        rows.append({"rho": rho, "regret": float(regret.sum(axis=1).mean()), "more": gap, "low": low, "high": high})
    estimate, interval = difference(regrets[SHARES.index(0.5)], regrets[0])
    quantity = "additional regret of a run at rho = 0.5"
    return Finding(CLAIM, above(*interval, 0.0), estimate, interval, quantity, rows)


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    curves = [(f"rho = {rho}", np.cumsum(regret, axis=1)) for rho, regret in zip(SHARES, regrets, strict=True)]
    return curves_figure(NAME, "episode", "cumulative expected regret", curves)
