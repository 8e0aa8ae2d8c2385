"""`prior-coverage`: regret when the prior covers the true latent badly (c_Z, He et al. 2024, Theorem 5.7; theory.md 4).

In `treasure` the prior p of the gold chest is made smaller and smaller, the truth being gold. Without exploration a
sampling planner needs about 1/p episodes to look. Epsilon-greedy at the theory's rate looks after 1/epsilon episodes at
the latest, and epsilon grows with log c_Z. So its regret rises only while the planner's own looks come first (p above
epsilon). Then it stays where it is. An earlier claim took one slope over both parts (0.17), and was refuted.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import Finding, all_hold, at_least, at_most, expected_regret
from parley.loop import Cohort
from parley.planners.exact import ExactPlanner
from parley.report.plots import loglog_figure
from parley.report.summary import mean_band
from parley.theory.curves import Estimate, bootstrap, loglog_slope
from parley.theory.distinguishability import classes_of

NAME = "prior-coverage"
CLAIM = (
    "As the prior of the true latent falls, regret without exploration grows in proportion to c_Z (slope at least 0.9 "
    "up to c_Z = 999). With epsilon-greedy at the theory's rate it levels off: from c_Z = 199 to 9,999 its slope is at "
    "most 0.05. At c_Z = 999 it is at most a tenth of the regret without exploration"
)
EXPLORE = "epsilon-greedy:epsilon=theory,policy=designed"
NONE, LEVEL, SHARE = 0.9, 0.05, 0.1
FLAT = 198.0  # the least c_Z of the slope with exploration


def cells(quick: bool) -> Sequence[RunConfig]:
    """Without exploration up to c_Z = 999: beyond, the planner would need more episodes than there are."""
    without = (0.05, 0.01, 0.002) if quick else (0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
    bought = (0.05, 0.005, 0.002, 0.0005) if quick else (*without, 0.0005, 0.0002, 0.0001)
    episodes = 2_000 if quick else 10_000
    runs = {"none": 64, EXPLORE: 256} if quick else {"none": 256, EXPLORE: 1_024}
    return [
        RunConfig(f"treasure:n=8,p={p}", "exact", explore, episodes=episodes, runs=runs[explore], latent="0", seed=1)
        for explore, shares in (("none", without), (EXPLORE, bought))
        for p in shares
    ]


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R t"]:
    """Expected regret up to the episode after which every run has seen the gold; from then on nothing is lost."""

    def early(cohort: Cohort, record: EpisodeRecord) -> Float[np.ndarray, " R"] | None:
        planner = cohort.planner
        assert isinstance(planner, ExactPlanner)
        return np.zeros(config.runs) if (planner.posterior[:, 0] == 1).all() else None

    return expected_regret(config, bar, early)


def c_z(config: RunConfig) -> float:
    tables = assemble.world(config.world).tables
    assert tables is not None
    return classes_of(assemble.beliefs_of(tables)).c_z


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Slopes in c_Z and the share of regret that is left at one c_Z, bootstrapped over runs; all three must hold."""
    totals = {(c.explore, c_z(c)): r.sum(axis=1) for c, r in zip(configs, regrets, strict=True)}
    without = {x: total for (explore, x), total in totals.items() if explore == "none"}
    bought = {x: total for (explore, x), total in totals.items() if explore == EXPLORE}
    last = max(x for x in without if x in bought)
    left = bootstrap(lambda means: float(means[0] / means[1]), [bought[last], without[last]])
    grows, flat = _slope(without), _slope({x: total for x, total in bought.items() if x > FLAT})
    judged = (
        ("slope without exploration", grows, at_least(grows.low, grows.high, NONE)),
        (f"slope with exploration, c_Z > {FLAT:.0f}", flat, at_most(flat.low, flat.high, LEVEL)),
        (f"share of regret left, c_Z = {last:.0f}", left, at_most(left.low, left.high, SHARE)),
    )
    rows: list[dict[str, Any]] = []
    for (explore, x), total in totals.items():
        mean, half = mean_band(total[:, None])
        rows.append({"c_z": x, "explore": explore, "regret": float(mean[0]), "half_width": float(half[0])})
        rows[-1]["runs"] = len(total)
    rows += [
        {"of": what, "estimate": e.value, "interval": [e.low, e.high], "verdict": verdict}
        for what, e, verdict in judged
    ]
    verdict = all_hold([verdict for _, _, verdict in judged])
    return Finding(CLAIM, verdict, flat.value, (flat.low, flat.high), f"log-log {judged[1][0]}", rows)


def _slope(totals: Mapping[float, Float[np.ndarray, " R"]]) -> Estimate:
    return loglog_slope(np.array(list(totals)), list(totals.values()))


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    series: dict[str, list[tuple[float, ...]]] = {}
    for one in rows:
        if "c_z" in one:
            series.setdefault(one["explore"], []).append((one["c_z"], one["regret"], one.get("half_width", np.nan)))
    return loglog_figure(NAME, "c_Z", "expected regret", series)
