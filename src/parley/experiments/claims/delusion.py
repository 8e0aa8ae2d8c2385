"""`delusion`: a planner that learned from experts takes its own choices for evidence (Ortega et al. 2021; theory.md 2).

If a share rho of the pretraining trajectories was the expert's own, a perfect model's posterior counts subgoals as
evidence. At run time the subgoals are its own: each walk along the corridor then "says" that the door is locked. So it
goes on to believe less in the open door than it did before it had seen anything.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import Finding, InMemory, above, all_hold, difference, expected_regret, wilson
from parley.planners.exact import ExactPlanner
from parley.report.plots import curves_figure

NAME = "delusion"
CLAIM = (
    "In `shortcut` with an open door, half expert trajectories in the pretraining data raise BAIL's regret. They "
    "lower its posterior of the open door at the end of a run, in most runs below the prior"
)
SHARES, DECIDING = (0.0, 0.25, 0.5, 0.75), 0.5
LATENT = 1  # the door is open
MARKS = (1, 10, 100, 1000)  # episodes after which the posterior is shown, besides the last
Kept = Float[np.ndarray, "2 R T"]  # expected regret; the posterior of the true latent after each episode


def cells(quick: bool) -> Sequence[RunConfig]:
    planners = [f"exact:evidence=environment+demonstrator,rho={rho}" if rho else "exact" for rho in SHARES]
    episodes, runs = (200, 128) if quick else (2_000, 512)
    return [RunConfig("shortcut", p, "none", latent=str(LATENT), episodes=episodes, runs=runs) for p in planners]


class Beliefs(InMemory):
    """Keeps what the planner itself believes of the true latent when an episode is over."""

    def __init__(self) -> None:
        super().__init__()
        self.true: list[np.ndarray] = []

    def episode(self, record: EpisodeRecord, snapshot: object = None) -> None:
        super().episode(record, snapshot)
        assert isinstance(self.planner, ExactPlanner)
        self.true.append(self.planner.posterior[:, LATENT])


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Kept:
    kept = Beliefs()
    return np.stack([expected_regret(config, bar, kept=kept), np.array(kept.true).T])


def analyse(configs: Sequence[RunConfig], kept: Sequence[Kept]) -> Finding:
    """At rho = 0.5: the loss beyond that at 0, the belief missing, and the share of runs that end below the prior.

    Each must hold by its interval; the other rho are shown. At rho = 1 a choice would be drawn from the very mixture by
    which it is then weighed. It does not move the mean posterior and drives runs apart, few to the truth. Hence the
    share.
    """
    prior = float(assemble.world(configs[0].world).prior[LATENT])
    rows: list[dict[str, Any]] = []
    for rho, (regret, true) in zip(SHARES, kept, strict=True):
        more, interval = difference(regret, kept[0][0])
        less, less_interval = difference(kept[0][1][:, -1:], true[:, -1:])
        lower, below, upper = wilson(int((true[:, -1] < prior).sum()), len(true))
        shown = {"rho": rho, "regret": float(regret.sum(axis=1).mean()), "more": more, "interval": interval}
        shown |= {"believed less at the end": less, "less_interval": less_interval}
        rows.append(shown | {"end below the prior": below, "below_interval": (lower, upper)})
    row = rows[SHARES.index(DECIDING)]
    limits = {"interval": 0.0, "less_interval": 0.0, "below_interval": 0.5}
    verdicts = [above(row[name][0], row[name][1], limit) for name, limit in limits.items()]
    holds = all_hold(verdicts)
    along = [one for rho, (_, true) in zip(SHARES, kept, strict=True) for one in _along(rho, true)]
    quantity = "additional regret of a run at rho = 0.5"
    return Finding(CLAIM, holds, row["more"], row["interval"], quantity, rows + along)


def _along(rho: float, true: Float[np.ndarray, "R T"]) -> list[dict[str, Any]]:
    """The mean posterior of the truth after some episodes, with its 95% interval over runs, and its median."""
    rows = []
    for t in [mark for mark in MARKS if mark < true.shape[1]] + [true.shape[1]]:
        now = true[:, t - 1]
        half = 1.96 * float(now.std(ddof=1)) / np.sqrt(len(now))
        row = {"rho": rho, "after episodes": t, "posterior of the truth": float(now.mean())}
        low, high = max(0.0, now.mean() - half), min(1.0, now.mean() + half)
        rows.append(row | {"interval": [float(low), float(high)], "median": float(np.median(now))})
    return rows


def figure(configs: Sequence[RunConfig], kept: Sequence[Kept]) -> Figure:
    curves = [(f"rho = {rho}", np.cumsum(regret, axis=1)) for rho, (regret, _) in zip(SHARES, kept, strict=True)]
    return curves_figure(NAME, "episode", "cumulative expected regret", curves)
