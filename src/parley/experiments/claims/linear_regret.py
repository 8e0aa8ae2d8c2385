"""`linear-regret`: a planner that only imitates never gets better (He et al. 2024, section 5; theory.md 3).

Decoded greedily, BAIL never tries the subgoal that only the unlikely latent rewards: linear for ever. Sampled, as in
the paper, it tries that subgoal with probability p an episode. So in the hidden-treasure world with the gold chest full
it loses at least 0.5 T (1 - p)^T. That is linear in T up to about T = 1 / p. Then the regret levels off.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import Finding, all_hold, at_least, at_most
from parley.report.plots import curves_figure
from parley.report.summary import late_slope
from parley.theory.curves import bootstrap

NAME = "linear-regret"
CLAIM = (
    "Without exploration, BAIL decoded greedily has regret linear in T under the unlikely latent. Sampled, it loses at "
    "least 0.5 T (1 - p)^T at every T up to 1 / p. After 10 / p its regret no longer grows (slope at most 0.1)"
)
GREEDY, SAMPLED = "exact:decode=greedy", "exact"
LONG = 20  # sampled runs are so many times 1 / p episodes long
LINEAR, LEVEL = 0.99, 0.1


def cells(quick: bool) -> Sequence[RunConfig]:
    episodes, runs = (200, 64) if quick else (2_000, 256)
    worlds = (("treasure:n=64", "0"), ("shortcut", "1"), ("traps", "rare"))
    greedy = [RunConfig(world, GREEDY, "none", episodes=episodes, runs=runs, latent=latent) for world, latent in worlds]
    sampled = [_sampled(n, runs) for n in ((8,) if quick else (8, 32))]
    return [*greedy, *sampled]


def _sampled(n: int, runs: int) -> RunConfig:
    world = f"treasure:n={n}"
    return RunConfig(world, SAMPLED, "none", episodes=round(LONG / _prior(world)), runs=runs, latent="0")


def _prior(world: str) -> float:
    """p, of the gold chest."""
    tables = assemble.world(world).tables
    assert tables is not None
    return float(tables.prior[0])


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Every cell is judged by its own interval; the smallest slope of a greedy one is the finding's number."""
    pairs = list(zip(configs, regrets, strict=True))
    slopes = {c: tuple(value or 0.0 for value in late_slope(regret)) for c, regret in pairs}  # no regret: slope 0
    rows = [
        {"world": c.world, "planner": c.planner, "slope": slope, "low": low, "high": high}
        for c, (slope, low, high) in slopes.items()
    ]
    greedy = [found for c, found in slopes.items() if c.planner == GREEDY]
    verdicts = [at_least(low, high, LINEAR) for _, low, high in greedy]
    for config, regret in pairs:
        if config.planner == SAMPLED:
            row = _against_the_bound(_prior(config.world), regret)
            rows.append({"world": config.world, "planner": config.planner, **row})
            verdicts += [at_least(row["low"], row["high"], 1.0), at_most(slopes[config][1], slopes[config][2], LEVEL)]
    slope, low, high = min(greedy)
    return Finding(CLAIM, all_hold(verdicts), slope, (low, high), "smallest log-log slope over the last half", rows)


def _against_the_bound(p: float, regret: Float[np.ndarray, "R T"]) -> dict[str, float]:
    """The least share of 0.5 T (1 - p)^T that regret comes to, over T up to 1 / p."""
    t = np.arange(1, min(round(1 / p), regret.shape[1]) + 1)
    bound = 0.5 * t * (1 - p) ** t
    lost = np.cumsum(regret, axis=1)[:, : len(t)]
    found = bootstrap(lambda means: float((means[0] / bound).min()), [lost])
    last = float(lost[:, -1].mean() / bound[-1])
    return {"p": p, "least share of the bound": found.value, "low": found.low, "high": found.high, "at 1 / p": last}


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    names = [f"{c.world}, {'greedy' if c.planner == GREEDY else 'sampled'}" for c in configs]
    curves = [(name, np.cumsum(regret, axis=1)) for name, regret in zip(names, regrets, strict=True)]
    return curves_figure(NAME, "episode", "cumulative expected regret", curves)
