"""`bail`: a pretrained transformer computes Bayesian aggregated imitation (He et al. 2024, Proposition 4.2).

The shipped checkpoints beside the exact oracle over the episodes of their trained context: the same runs, the same
random numbers, what each loses. (How far apart their proposals are is on the model cards: `parley evaluate`.)
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, shipped
from parley.models.checkpoint import Checkpoint
from parley.report.plots import rows_figure

NAME = "bail"
CLAIM = (
    "A shipped transformer's regret differs from the exact oracle's by less than 0.02 an episode, in every "
    "tabular world"
)
SLACK = 0.02


def cells(quick: bool) -> Sequence[RunConfig]:
    found = []
    for path in shipped():
        world = assemble.world(path.name)
        each = max(2, (64 if quick else 1024) // len(world.latents))
        episodes = int(Checkpoint.load(path).about["episodes"])
        for planner in ("transformer", "exact"):
            runs = each * len(world.latents)
            found.append(RunConfig(path.name, planner, "none", episodes=episodes, latent="each", runs=runs))
    return found


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """The largest difference an episode over worlds, the latents weighted by the prior, run by run."""
    rows: list[dict[str, Any]] = []
    for i in range(0, len(configs), 2):
        prior = assemble.world(configs[i].world).prior
        gap = (regrets[i] - regrets[i + 1]).mean(axis=1).reshape(-1, len(prior))
        mean = float(prior @ gap.mean(axis=0))
        half = 1.96 * float(np.sqrt(prior**2 @ gap.var(axis=0, ddof=1) / len(gap)))
        each = [float(prior @ r.sum(axis=1).reshape(-1, len(prior)).mean(axis=0)) for r in regrets[i : i + 2]]
        between = [mean - half, mean + half]
        rows.append({"world": configs[i].world, "transformer": each[0], "oracle": each[1], "gap_an_episode": mean})
        rows[-1]["interval"] = between
    worst = max(rows, key=lambda row: max(abs(row["interval"][0]), abs(row["interval"][1])))
    low, high = worst["interval"]
    inside, apart = max(-low, high) < SLACK, min(high, -low) < -SLACK
    verdict = SUPPORTED if inside else NOT_SUPPORTED if apart else UNDECIDED
    return Finding(CLAIM, verdict, worst["gap_an_episode"], (low, high), "extra regret an episode, worst world", rows)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    told = [{**one, "gap": "transformer less exact oracle"} for one in rows]
    return rows_figure(NAME, "extra regret an episode", told, "world", "gap", "gap_an_episode", "interval")
