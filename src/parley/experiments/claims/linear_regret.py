"""`linear-regret`: a planner that imitates and decodes greedily never gets better (He et al. 2024, section 5)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.execute import RunConfig
from parley.experiments.base import Finding, at_least
from parley.report.plots import curves_figure
from parley.report.summary import late_slope

NAME = "linear-regret"
CLAIM = "Without exploration, BAIL decoded greedily has regret linear in T under the unlikely latent"


def cells(quick: bool) -> Sequence[RunConfig]:
    episodes, runs = (200, 64) if quick else (2_000, 256)
    worlds = (("treasure:n=64", "0"), ("shortcut", "1"), ("traps", "rare"))
    return [
        RunConfig(world, "exact:decode=greedy", "none", episodes=episodes, runs=runs, latent=latent)
        for world, latent in worlds
    ]


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """The smallest slope over the worlds decides, with its own interval; no regret at all counts as slope 0."""
    slopes = [tuple(value or 0.0 for value in late_slope(regret)) for regret in regrets]
    rows = [
        {"world": config.world, "slope": slope, "low": low, "high": high}
        for config, (slope, low, high) in zip(configs, slopes, strict=True)
    ]
    slope, low, high = min(slopes)
    verdict = at_least(low, high, 0.99)
    return Finding(CLAIM, verdict, slope, (low, high), "smallest log-log slope over the last half", rows)


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    curves = [(config.world, np.cumsum(regret, axis=1)) for config, regret in zip(configs, regrets, strict=True)]
    return curves_figure(NAME, "episode", "cumulative expected regret", curves)
