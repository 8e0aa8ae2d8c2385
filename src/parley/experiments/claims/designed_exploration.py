"""`designed-exploration`: what the choice of the exploration policy is worth (theory.md 4, improvement a).

In `treasure` uniform exploration is 1/n distinguishable and the best policy 1. At the theory's rate the designed policy
therefore needs fewer exploration episodes, and each of them finds its target.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.execute import RunConfig
from parley.experiments.base import Finding, above, difference
from parley.report.plots import curves_figure

NAME = "designed-exploration"
CLAIM = (
    "In `treasure` with gold, epsilon-greedy at the theory's rate loses less with the designed policy than uniformly"
)
POLICIES = ("uniform", "designed")


def cells(quick: bool) -> Sequence[RunConfig]:
    episodes, runs = (2_000, 64) if quick else (20_000, 256)
    explorers = [f"epsilon-greedy:epsilon=theory,policy={policy}" for policy in POLICIES]
    return [
        RunConfig("treasure", "exact:decode=greedy", explorer, latent="0", episodes=episodes, runs=runs)
        for explorer in explorers
    ]


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """The difference between uniform and designed decides."""
    estimate, interval = difference(regrets[0], regrets[1])
    rows = [
        {"policy": policy, "T": regret.shape[1], "regret": float(regret.sum(axis=1).mean())}
        for policy, regret in zip(POLICIES, regrets, strict=True)
    ]
    return Finding(CLAIM, above(*interval, 0.0), estimate, interval, "regret saved in a run", rows)


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    curves = [(policy, np.cumsum(regret, axis=1)) for policy, regret in zip(POLICIES, regrets, strict=True)]
    return curves_figure(NAME, "episode", "cumulative expected regret", curves)
