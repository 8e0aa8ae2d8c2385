"""`prior-coverage`: regret when the prior covers the true latent badly (c_Z, He et al. 2024, Theorem 5.7; theory.md 4).

In `treasure` the prior of the gold chest is made smaller and smaller, the truth being gold. Without exploration a
sampling planner needs about 1/p episodes to look; epsilon-greedy at the theory's rate pays log c_Z under a root only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding
from parley.report.plots import loglog_figure
from parley.report.summary import mean_band
from parley.theory.curves import Estimate, loglog_slope
from parley.theory.distinguishability import classes_of

NAME = "prior-coverage"
CLAIM = (
    "As the prior of the true latent falls, regret without exploration grows like a power of c_Z (slope above 0.3). "
    "With epsilon-greedy at the theory's rate it hardly grows (slope below 0.1)"
)
EXPLORE = "epsilon-greedy:epsilon=theory,policy=designed"
NONE, WITH = 0.3, 0.1


def cells(quick: bool) -> Sequence[RunConfig]:
    shares = (0.05, 0.01, 0.002) if quick else (0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
    episodes, runs = (2_000, 64) if quick else (10_000, 256)
    return [
        RunConfig(f"treasure:n=8,p={p}", "exact", explore, episodes=episodes, runs=runs, latent="0")
        for explore in ("none", EXPLORE)
        for p in shares
    ]


def c_z(config: RunConfig) -> float:
    tables = assemble.world(config.world).tables
    assert tables is not None
    return classes_of(assemble.beliefs_of(tables)).c_z


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Log-log slope of regret in c_Z with and without exploration, bootstrapped over runs."""
    found: dict[str, Estimate] = {}
    for explore in ("none", EXPLORE):
        mine = [(c_z(c), r.sum(axis=1)) for c, r in zip(configs, regrets, strict=True) if c.explore == explore]
        found[explore] = loglog_slope(np.array([x for x, _ in mine]), [total for _, total in mine])
    without, bought = found["none"], found[EXPLORE]
    if without.low > NONE and bought.high < WITH:
        verdict = SUPPORTED
    else:
        verdict = NOT_SUPPORTED if without.high <= NONE or bought.low >= WITH else UNDECIDED
    rows = [
        {"c_z": c_z(c), "explore": c.explore, "regret": float(mean[0]), "half_width": float(half[0]), "runs": len(r)}
        for c, r in zip(configs, regrets, strict=True)
        for mean, half in (mean_band(r.sum(axis=1)[:, None]),)
    ]
    rows.append({"slope without": without.value, "interval": [without.low, without.high]})
    return Finding(CLAIM, verdict, bought.value, (bought.low, bought.high), "log-log slope in c_Z, exploring", rows)


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    return drawn(analyse(configs, regrets).rows)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    series: dict[str, list[tuple[float, ...]]] = {}
    for one in rows:
        if "c_z" in one:
            series.setdefault(one["explore"], []).append((one["c_z"], one["regret"], one.get("half_width", np.nan)))
    return loglog_figure(NAME, "c_Z", "expected regret", series)
