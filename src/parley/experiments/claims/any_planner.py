"""`any-planner`: explorers that need proposals and what was heard only, compared where the exact loss is known.

The planner is BAIL, the ideal of an in-context learner. Each latent (one of those that nothing can tell apart) is run
on its own, equally often. Over `SHORT` episodes all ideas are compared; over `LONG` ones the one that is kept is held
to `adaptive`, which has the tables. In the rare worlds a latent of small prior matters; `adaptive-proposals` was known
to fail there before. The constants of `persistent-proposals` were chosen on `team`, `riverswim` and other families
than these.

In `signs` with many boxes a sign informs that is best under no latent. So nobody proposes it, and an explorer by
proposals opens the boxes in turn. That limit of them all is a criterion too.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.roles import Explorer
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import Finding, all_hold, at_least, at_most, expected_regret
from parley.experiments.claims.adaptive_lines import ADAPTIVE, PROPOSALS, SAMPLED, SAMPLING, apart, totals_of
from parley.experiments.claims.any_planner_lines import CountingExplorer, ResampledPlanner
from parley.experiments.families import many_families
from parley.exploration.explorers import OwnPlan
from parley.report.plots import rows_figure
from parley.theory.curves import student

NAME = "any-planner"
CLAIM = (
    "Over 10,000 episodes `persistent-proposals` has on every world but `signs:n=32` at most twice the Bayes regret of "
    "`adaptive` plus 1. In the worst latent of positive prior its regret grows at most like t^0.75. In `signs:n=32` it "
    "has more than that. Over 2,000 episodes it loses less in the worst latent, on average over worlds, than "
    "bootstrapped memory, counts, `adaptive-proposals`, posterior sampling and no exploration"
)
KEPT = ("exact", "persistent-proposals")
BOOTSTRAPPED, COUNTS = ("exact", "bootstrapped-memory"), ("exact", "counts")
RIVALS = (BOOTSTRAPPED, COUNTS, PROPOSALS, SAMPLING, SAMPLED)
SHIPPED = ("household", "shortcut", "treasure", "treasure:n=64", "random", "traps", "weather", "team")
PUBLISHED = ("bandit", "riverswim:pools=3,horizon=4", "lock:digits=3,length=2", "darkroom:size=3,horizon=4")
RARE = ("treasure:n=4,p=0.0005", "signs:n=4,nowhere=0.999", "traps:latents=4,rare=0.001")
BLIND = "signs:n=32"
FAMILIES = 16  # of `many_families`, every fifth one from the third on
SHORT, LONG = 2_000, 10_000
ROUNDS, FEW = 24, 8  # runs of each class; of `adaptive`, whose decisions take long
GROWS = 0.75


def cells(quick: bool) -> Sequence[RunConfig]:
    families = many_families(5 * FAMILIES)[2::5]
    worlds = (*SHIPPED, *PUBLISHED, *RARE, "signs:n=4", BLIND, *families)
    if quick:
        worlds = ("shortcut", *RARE, BLIND)
    rounds, short, long = (FEW, SHORT // 4, LONG // 4) if quick else (ROUNDS, SHORT, LONG)
    found = [_cell(world, key, short, rounds) for world in worlds for key in (KEPT, *RIVALS)]
    found += [_cell(world, KEPT, long, rounds) for world in worlds]
    return found + [_cell(world, ADAPTIVE, long, FEW) for world in worlds]


def _cell(world: str, key: tuple[str, str], episodes: int, rounds: int) -> RunConfig:
    return RunConfig(world, *key, episodes=episodes, latent="each", runs=rounds * len(apart(world)[0]))


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R 2"]:
    """Regret of each run in the first quarter of its episodes and in all; of `adaptive` the latter only."""
    key = config.planner, config.explore
    if key == ADAPTIVE:
        total = totals_of(config, bar)
        return np.concatenate([np.full_like(total, np.nan), total], axis=1)
    own = {BOOTSTRAPPED: _bootstrapped, COUNTS: lambda inner, world: CountingExplorer()}.get(key)
    run = config if own is None else RunConfig(**{**vars(config), "explore": "none"})
    around = None if own is None else lambda inner: own(inner, config.world)
    latents = np.array(apart(config.world)[0])
    paid = expected_regret(run, bar, turns=latents, around=around).cumsum(axis=1)
    return paid[:, [config.episodes // 4 - 1, config.episodes - 1]]


def _bootstrapped(inner: Explorer, world: str) -> Explorer:
    tables = assemble.world(world).tables
    assert tables is not None
    return OwnPlan(ResampledPlanner(assemble.beliefs_of(tables), decode="greedy"))


def analyse(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R 2"]]) -> Finding:
    """Intervals hold for all criteria together with 95% (Bonferroni); Student's, over rounds or over worlds."""
    longest, shortest = max(c.episodes for c in configs), min(c.episodes for c in configs)
    found = {
        (c.world, (c.planner, c.explore), c.episodes): k.reshape(-1, len(apart(c.world)[0]), 2)
        for c, k in zip(configs, kept, strict=True)
    }
    worlds = list(dict.fromkeys(c.world for c in configs))
    level = 1 - 0.05 / (2 * len(worlds) - 1 + len(RIVALS))
    rows: list[dict[str, Any]] = []
    for world in worlds:
        mine, theirs = found[world, KEPT, longest], found[world, ADAPTIVE, longest]
        rows.append(_against_adaptive(world, mine[..., 1], theirs[..., 1], level))
        if world != BLIND:
            rows.append(_growth(world, mine, level))
    rows += [_rival(found, worlds, key, shortest, level) for key in RIVALS]
    for world in worlds:
        for key in (KEPT, *RIVALS):
            means, prior = found[world, key, shortest][..., 1].mean(axis=0), apart(world)[1]
            bayes, worst = float(prior @ means), float(means[prior > 0].max())
            rows.append({"world": world, "explorer": key[1], "T": shortest, "bayes": bayes, "worst": worst})
    judged = [row for row in rows if "verdict" in row]
    least = min((row for row in judged if row["criterion"] == "rival"), key=lambda row: row["interval"][0])
    quantity = "least factor (log) by which another loses more in the worst latent"
    verdict = all_hold([row["verdict"] for row in judged])
    return Finding(CLAIM, verdict, least["value"], tuple(least["interval"]), quantity, rows)


def _against_adaptive(world: str, mine: np.ndarray, theirs: np.ndarray, level: float) -> dict[str, Any]:
    """Bayes regret less twice that of `adaptive` and 1; Student's, with the degrees of freedom of the fewer rounds."""
    prior = apart(world)[1]
    own, other = mine @ prior, theirs @ prior
    mean = float(own.mean() - 2 * other.mean() - 1)
    error = float(np.sqrt(own.var(ddof=1) / len(own) + 4 * other.var(ddof=1) / len(other)))
    half = student(level, min(len(own), len(other)) - 1) * error
    low, high = mean - half, mean + half
    verdict = at_least(low, high, 0.0) if world == BLIND else at_most(low, high, 0.0)
    about = {"bayes": float(own.mean()), "adaptive": float(other.mean())}
    criterion = "blind" if world == BLIND else "twice"
    return {"world": world, "criterion": criterion, "value": mean, "interval": [low, high], "verdict": verdict, **about}


def _growth(world: str, mine: Float[np.ndarray, "R C 2"], level: float) -> dict[str, Any]:
    """The exponent of regret in t over the last three quarters, in the latent that loses most (jackknife)."""
    means = mine.mean(axis=0)
    worst = int(np.where(apart(world)[1] > 0, means[:, 1], -np.inf).argmax())
    runs = mine[:, worst]
    parts = [_exponent(*np.delete(runs, i, axis=0).mean(axis=0)) for i in range(len(runs))]
    error = float(np.sqrt((len(runs) - 1) * np.var(parts)))
    value, half = _exponent(*means[worst]), student(level, len(runs) - 1) * error
    low, high = value - half, value + half
    found = {"world": world, "criterion": "growth", "value": value, "interval": [low, high]}
    return {**found, "verdict": at_most(low, high, GROWS), "worst": float(means[worst, 1])}


def _exponent(early: float, late: float) -> float:
    """Of t; below a regret of 1 nothing counts as growth."""
    return float(np.log((late + 1) / (early + 1)) / np.log(4))


def _rival(
    found: Mapping[tuple[str, tuple[str, str], int], np.ndarray],
    worlds: Sequence[str],
    key: tuple[str, str],
    episodes: int,
    level: float,
) -> dict[str, Any]:
    """The mean over worlds of log((its worst latent + 1) / (the kept one's + 1)); Student's over worlds."""
    logs = {}
    for line in (key, KEPT):
        means = {w: np.where(apart(w)[1] > 0, found[w, line, episodes][..., 1].mean(axis=0), 0.0) for w in worlds}
        logs[line] = np.log([means[world].max() + 1 for world in worlds])
    gap = logs[key] - logs[KEPT]
    value, half = float(gap.mean()), student(level, len(gap) - 1) * float(gap.std(ddof=1)) / len(gap) ** 0.5
    low, high = value - half, value + half
    better = int((gap < -np.log(1.1)).sum())
    return {
        "criterion": "rival",
        "explorer": key[1],
        "value": value,
        "interval": [low, high],
        "verdict": at_least(low, high, 0.0),
        "worlds": len(worlds),
        "loses less in": better,
    }


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Regret in the worst latent less that of `persistent-proposals`, as a logarithm: to the right, it loses more."""
    told = [{**row, "all": "mean over worlds"} for row in rows if row.get("criterion") == "rival"]
    x = f"log of its worst latent's regret over that of {KEPT[1]}"
    return rows_figure(NAME, x, told, "explorer", "all", "value", "interval")
