"""`paid-information`: worlds in which what informs is optimal under no latent, and tables that others published.

In `signs` a sign says which box is full; a search by opening boxes costs in proportion to their number. `clues` are
families with questions of drawn quality; the others are published tables (see their worlds). Each latent is run on its
own, equally often. A row's interval is Student's, over rounds of one run of each class, with common random numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import Finding, all_hold, at_least
from parley.experiments.claims.adaptive_lines import ADAPTIVE, GREEDY, LIMIT, SAMPLED, SAMPLING, apart, totals_of
from parley.report.plots import dots_figure
from parley.report.summary import mean_band
from parley.theory.curves import student

NAME = "paid-information"
CLAIM = (
    "In `signs` the Bayes regret of `adaptive` at n = 32 is at most 1.5 times that at n = 4. At every n it is at most "
    "1.25 times that of exploring until certain. With a sign that never errs it is at most 1.3 times the optimum. In "
    "`signs`, in `clues` and on published tables it is at most 1.1 times that of the best reference plus 0.25. In the "
    "worst latent 1 is added instead. The references are greedy, sampled, posterior sampling, explore-then-commit "
    "and information-directed sampling"
)
COMMIT, DIRECTED = ("exact", "explore-then-commit"), ("exact", "information-directed")
REFERENCES = (GREEDY, SAMPLED, SAMPLING, COMMIT, DIRECTED)
SIGNS = ("signs:n=4", "signs:n=8", "signs:n=16", "signs:n=32")
NOISELESS = "signs:n=5,right=1"
FAMILIES = (
    "clues:latents=16,horizon=1,dull=0.7,safe=0.3,seed=6",
    "clues:latents=6,clues=2,horizon=4,far=true,hit=0.7,miss=0.4,safe=0.6,dull=0.9,seed=4",
    "clues:latents=4,clues=3,horizon=3,hit=0.9,miss=0.1,safe=0.6,dull=0.7,seed=3",
    "random:latents=4,states=3,observations=3,subgoals=4,horizon=1,apart=0.1,seed=1",
)
PUBLISHED = ("bandit", "riverswim:pools=3,horizon=4", "lock:digits=3,length=2", "darkroom:size=3,horizon=4")
WORLDS = (*SIGNS, NOISELESS, *FAMILIES, *PUBLISHED)
EPISODES = 2000

Totals = dict[tuple[str, tuple[str, str]], Float[np.ndarray, "R C"]]


def cells(quick: bool) -> Sequence[RunConfig]:
    worlds = (*SIGNS[:2], NOISELESS, FAMILIES[2], *PUBLISHED[2:3]) if quick else WORLDS
    rounds, keys = 8 if quick else 24, (ADAPTIVE, *REFERENCES)
    found = [_cell(world, key, rounds) for world in worlds for key in keys]
    return [*found, replace(_cell(NOISELESS, LIMIT, 1), runs=1)]


def _cell(world: str, key: tuple[str, str], rounds: int) -> RunConfig:
    """`rounds` runs of each class."""
    return RunConfig(world, *key, episodes=EPISODES, latent="each", runs=rounds * len(apart(world)[0]))


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R 1"]:
    return totals_of(config, bar)


def analyse(configs: Sequence[RunConfig], totals: Sequence[np.ndarray]) -> Finding:
    """The smallest margin below a limit decides."""
    found = {(c.world, (c.planner, c.explore)): t[:, 0] for c, t in zip(configs, totals, strict=True)}
    optimum = float(found.pop((NOISELESS, LIMIT))[0])
    kept: Totals = {key: total.reshape(-1, len(apart(key[0])[1])) for key, total in found.items()}
    rows = [row for world in dict.fromkeys(world for world, _ in kept) for row in _of_world(kept, world)]
    last = [world for world in SIGNS if (world, ADAPTIVE) in kept][-1]
    rows.append(_row(last, "grows", 1.5 * _bayes(kept, SIGNS[0], ADAPTIVE), _bayes(kept, last, ADAPTIVE), SIGNS[0]))
    noiseless = _bayes(kept, NOISELESS, ADAPTIVE)
    rows.append(_row(NOISELESS, "optimum", np.full(len(noiseless), 1.3 * optimum), noiseless, "the optimum"))
    worst = min(rows, key=lambda row: row["interval"][0])
    verdict = all_hold([row["verdict"] for row in rows])
    return Finding(CLAIM, verdict, worst["margin"], tuple(worst["interval"]), "smallest margin below a limit", rows)


def _of_world(kept: Totals, world: str) -> list[dict[str, Any]]:
    """Against explore-then-commit in `signs`, and against the best reference everywhere."""
    mine, prior = kept[world, ADAPTIVE], apart(world)[1]
    rows = []
    if world in SIGNS:
        rows.append(_row(world, "commit", 1.25 * _bayes(kept, world, COMMIT), mine @ prior, "+".join(COMMIT)))
    best = min(REFERENCES, key=lambda key: float(_bayes(kept, world, key).mean()))
    rows.append(_row(world, "bayes", 1.1 * _bayes(kept, world, best) + 0.25, mine @ prior, "+".join(best)))
    best = min(REFERENCES, key=lambda key: float(kept[world, key].mean(axis=0).max()))
    theirs = kept[world, best]
    theirs, own = theirs[:, theirs.mean(axis=0).argmax()], mine[:, mine.mean(axis=0).argmax()]
    rows.append(_row(world, "worst", 1.1 * theirs + 1.0, own, "+".join(best)))
    return rows


def _bayes(kept: Totals, world: str, key: tuple[str, str]) -> Float[np.ndarray, " R"]:
    return np.asarray(kept[world, key] @ apart(world)[1])


def _row(
    world: str, criterion: str, limit: Float[np.ndarray, " R"], own: Float[np.ndarray, " R"], against: str
) -> dict[str, Any]:
    """A limit less the regret, round by round."""
    gap = limit - own
    mean, half = float(gap.mean()), student(0.95, len(gap) - 1) * float(gap.std(ddof=1)) / len(gap) ** 0.5
    return {
        "world": world,
        "criterion": criterion,
        "regret": float(own.mean()),
        "limit": float(limit.mean()),
        "margin": mean,
        "interval": [mean - half, mean + half],
        "verdict": at_least(mean - half, mean + half, 0.0),
        "against": against,
        "rounds": len(gap),
    }


def figure(configs: Sequence[RunConfig], totals: Sequence[np.ndarray]) -> Figure:
    """Bayes regret by world and line."""
    columns: dict[str, list[float]] = {}
    halves: dict[str, list[float]] = {}
    for config, total in zip(configs, totals, strict=True):
        if (config.planner, config.explore) != LIMIT:
            prior = apart(config.world)[1]
            line = f"{config.planner}, {config.explore}"
            (mean,), (half,) = mean_band((total.reshape(-1, len(prior)) @ prior)[:, None])
            columns.setdefault(line, []).append(float(mean))
            halves.setdefault(line, []).append(float(half))
    names = [world.partition(",")[0] for world in dict.fromkeys(config.world for config in configs)]
    return dots_figure(f"{NAME}, T = {EPISODES:,}", "Bayes regret", names, columns, halves)
