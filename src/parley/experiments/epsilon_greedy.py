"""`epsilon-greedy`: at the theory's rate regret is of order epsilon(T) T (He et al. 2024, Theorem 5.7).

The theory's epsilon is constant within a run of known length T, so the curve that bends is regret at T as a function of
T. Only lengths with epsilon(T) < 0.3 count (theory.md section 4).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import Finding, at_most
from parley.report.plots import curves_figure
from parley.theory.distinguishability import uniform

NAME = "epsilon-greedy"
CLAIM = "At the theory's rate, log(regret / (T epsilon(T))) does not grow: its slope in log T is at most 0.03"
BOUND = 0.03


def cells(quick: bool) -> Sequence[RunConfig]:
    lengths = (600, 1_900, 6_000) if quick else (600, 1_900, 6_000, 19_000, 60_000)
    return [
        RunConfig("shortcut", "exact", "epsilon-greedy:epsilon=theory", episodes=length, runs=64, latent="1")
        for length in lengths
    ]


def _epsilon(config: RunConfig) -> float:
    tables = assemble.world(config.world).tables
    assert tables is not None
    beliefs = assemble.beliefs_of(tables)
    return assemble.epsilon_of_theory(beliefs, config.episodes, assemble.eta_of(beliefs, uniform(beliefs)))


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Slope of the mean over runs, with a bootstrap interval over the runs of every length."""
    counted = [(c, r.sum(axis=1)) for c, r in zip(configs, regrets, strict=True) if _epsilon(c) < 0.3]
    x = np.log([config.episodes for config, _ in counted])
    scale = np.log([config.episodes * _epsilon(config) for config, _ in counted])
    rng, x = np.random.default_rng(0), x - x.mean()

    def slope(totals: list[np.ndarray]) -> float:
        return float((np.log([total.mean() for total in totals]) - scale) @ x / (x @ x))

    totals = [total for _, total in counted]
    resampled = [slope([rng.choice(total, len(total)) for total in totals]) for _ in range(500)]
    low, high = np.quantile(resampled, [0.025, 0.975])
    plain = float(np.log([total.mean() for total in totals]) @ x / (x @ x))
    rows = [
        {"T": c.episodes, "epsilon": _epsilon(c), "regret": float(r.mean()), "runs": len(r), "plain_slope": plain}
        for c, r in counted
    ]
    verdict = at_most(float(low), float(high), BOUND)
    return Finding(CLAIM, verdict, slope(totals), (float(low), float(high)), "slope of log(regret / (T epsilon))", rows)


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    curves = [
        (f"T = {config.episodes:,}, epsilon = {_epsilon(config):.3f}", np.cumsum(regret, axis=1))
        for config, regret in zip(configs, regrets, strict=True)
    ]
    return curves_figure(NAME, "episode", "cumulative expected regret", curves)
