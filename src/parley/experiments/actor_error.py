"""`actor-error`: what cloning the Actor from poor demonstrations costs, apart from the Planner (He et al. 2024).

On the real low level of `household`: Actors cloned from demonstrations of which a share is optimal, under a planner
that knows z (all that it loses is the Actor's) and under exact BAIL with the tables of the optimal Actor. The tables
have a floor of 0.01 under what can be said, as an Actor with an error does what they call impossible. Regret is
V*_z(w) minus the return, V* being the optimal Actor's.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.actors.cloned import clone
from parley.execute import RunConfig
from parley.experiments.base import Finding
from parley.experiments.slopes import costs_at_most, points_figure, row, slope
from parley.worlds.household import House

NAME = "actor-error"
CLAIM = "In `household` an Actor's error costs even a planner that knows z: an episode at most H^2 H_a for a unit of it"
BOUND = 4**2 * 15.0  # the law of a whole subgoal is off by at most H_a times what one action is
SHARES = (1.0, 0.98, 0.95, 0.9, 0.75, 0.5, 0.0)  # of optimal demonstrations
UNSATURATED = 4  # cells from which the slope is taken: after them nearly everything is lost
PLANNERS = ("expert", "exact")


def cells(quick: bool) -> Sequence[RunConfig]:
    episodes, runs = (4, 100) if quick else (10, 400)
    return [
        RunConfig(f"household:low_level=true,floor=0.01,actor=cloned:{share}", planner, episodes=episodes, runs=runs)
        for planner in PLANNERS
        for share in SHARES
    ]


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """The slope of small errors under the planner that knows z decides; what BAIL loses beyond it is the Planner's."""
    errors, num = [clone(House(), share).about["error"] for share in SHARES], len(SHARES)
    rows = [
        {"planner": config.planner, "share": SHARES[i % num], **row(errors[i % num], regret)}
        for i, (config, regret) in enumerate(zip(configs, regrets, strict=True))
    ]
    for i, share in enumerate(SHARES):
        gap = (regrets[num + i] - regrets[i]).mean(axis=1)
        half = 1.96 * float(gap.std(ddof=1)) / np.sqrt(len(gap))
        rows.append(
            {"planner's part": share, "regret": gap.mean(), "low": gap.mean() - half, "high": gap.mean() + half}
        )
    estimate, interval = slope(errors[:UNSATURATED], regrets[:UNSATURATED])
    quantity = "additional regret of an episode for a unit of the Actor's total variation, share >= 0.9"
    return Finding(CLAIM, costs_at_most(*interval, BOUND), estimate, interval, quantity, rows)


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    errors, num = [clone(House(), share).about["error"] for share in SHARES], len(SHARES)
    rows = [row(errors[i % num], regret) for i, regret in enumerate(regrets)]
    series = {f"planner: {name}": rows[i * num : (i + 1) * num] for i, name in enumerate(PLANNERS)}
    return points_figure(NAME, "total variation of the Actor to the optimal one", series)
