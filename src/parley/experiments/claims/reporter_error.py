"""`reporter-error`: what a Reporter's total variation to the true E costs (He et al. 2024, a part of Delta_p).

The planner holds the true tables, with a floor of 0.01 under the sentences. It hears a Reporter with an error: the true
one mixed with noise, or one learned by contrast from so many pairs. Rewards follow the tables. Expected regret would
filter the reports by the true tables and be biased: regret is V*_z(w) minus the return.

The loss of a planner that knows z follows from the Reporter's emission without a run; its runs must agree. BAIL must
also find z out through such a Reporter. It is held against the bound with measured coverage. That is no theorem for
BAIL: the evidence of many episodes adds up, and so does its error. In the last third of its episodes BAIL must lose as
much as the prediction for one who knows z. Then the error has only slowed its learning.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import UNDECIDED, Finding, all_hold
from parley.experiments.slopes import Predicted, against, below, foreseen, points_figure, row, slope
from parley.theory.elsewhere import elsewhere
from parley.worlds.kit.tabular.reported import ReportedWorld

NAME = "reporter-error"
CLAIM = (
    "In `household` a Reporter's error costs a planner that knows z what its emission predicts (an episode within "
    "0.0015). It costs BAIL at most H times the total variation in the states that are visited, where that is below 1. "
    "In the last third of 30 episodes it costs BAIL what it costs one who knows z (within 0.01)"
)
MARGIN, LATE_MARGIN = 0.0015, 0.01
WORLD = "household:floor=0.01"
NOISE = (0.0, 0.05, 0.1, 0.2, 0.4)
PAIRS = (300, 1_000, 3_000, 10_000)
REPORTERS = (*(f"noisy:{share}" for share in NOISE), *(f"learned:{pairs}" for pairs in PAIRS))
LOOKS = 2  # the first, and one with more runs where that leaves something undecided
PLANNERS = ("expert", "exact")


def cells(quick: bool) -> Sequence[RunConfig]:
    """Planner by planner, Reporter by Reporter; the first of each has no error."""
    return [_cell(reporter, planner, 300 if quick else 10_000) for planner in PLANNERS for reporter in REPORTERS]


def _cell(reporter: str, planner: str, runs: int, seed: int = 0) -> RunConfig:
    return RunConfig(f"{WORLD},reporter={reporter}", planner, episodes=30, runs=runs, seed=seed)


def further(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> list[RunConfig]:
    """Twice as many new runs, once, of the Reporters whose late episodes leave the claim undecided."""
    runs = configs[0].runs
    if len(configs) > len(PLANNERS) * len(REPORTERS) or runs < 10_000:
        return []
    rows = analyse(configs, regrets).rows
    left = [row["late"] for row in rows if "late" in row and row["verdict"] == UNDECIDED]
    return [_cell(reporter, "exact", 2 * runs, 1) for reporter in (REPORTERS[0], *left)] if left else []


@lru_cache(maxsize=1)
def predictions() -> tuple[Predicted, ...]:
    """For each Reporter, from its emission; the instructions take turns."""
    worlds = [assemble.world(f"{WORLD},reporter={reporter}") for reporter in REPORTERS]
    tables = worlds[0].tables
    assert tables is not None
    beliefs = assemble.beliefs_of(tables)
    true = elsewhere(beliefs)
    turns = np.outer(tables.prior, np.full(len(tables.instructions), 1 / len(tables.instructions)))
    found = []
    for world in worlds:
        assert isinstance(world, ReportedWorld)
        lost, error = beliefs.value - elsewhere(beliefs, heard=world.spoken).value, world.total_variation
        apart = 0.5 * np.abs(world.spoken - tables.emission).sum(axis=2)
        bound = float(np.einsum("zw,zwhsg,zs->", turns, true.visits, apart))
        coverage = bound / (tables.horizon * error) if error else 0.0
        found.append(Predicted(error, float((turns * lost).sum()), bound, coverage))
    return tuple(found)


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Every Reporter is judged, by intervals that hold together and at both looks."""
    seen = dict(zip(REPORTERS, predictions(), strict=True))
    judged = 3 * (len(seen) - 1) - sum(one.bound >= 1 for one in seen.values())
    level, rows, late = 1 - 0.05 / (LOOKS * judged), list[dict[str, Any]](), list[dict[str, Any]]()
    last = slice(-(configs[0].episodes // 3), None)
    for planner in PLANNERS:
        for reporter, foretold in seen.items():
            regret, base = _with_base(configs, regrets, planner, reporter)
            said, held = row(foretold.error, regret), dict[str, Any]()
            if reporter != REPORTERS[0] and planner == "expert":
                held = against(foretold.regret, regret - base, MARGIN, level)
            elif reporter != REPORTERS[0]:
                held = {"coverage": foretold.coverage} | below(foretold.bound, regret, base, level)
                found = against(foretold.regret, regret[:, last] - base[:, last], LATE_MARGIN, level)
                late.append({"late": reporter} | found | {"runs": len(regret)})
            about = {"planner": planner, "reporter": reporter, "error": foretold.error, "regret": said["regret"]}
            rows.append(about | held | {key: said[key] for key in ("low", "high")})
    rows = late + rows
    verdicts = [one["verdict"] for one in rows if one.get("bound", 0.0) < 1 and "verdict" in one]
    num = len(REPORTERS)
    rows += _slopes([one.error for one in seen.values()], regrets[num : 2 * num])
    worst = max(late, key=lambda one: max(-one["gap_low"], one["gap_high"]))
    gap = worst["less predicted"], (worst["gap_low"], worst["gap_high"])
    quantity = "what the error costs BAIL in a late episode less what was predicted, worst Reporter"
    return Finding(CLAIM, all_hold(verdicts), *gap, quantity, rows)


def _with_base(
    configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]], planner: str, reporter: str
) -> tuple[Float[np.ndarray, "R T"], Float[np.ndarray, "R T"]]:
    """All runs of a line, and those of the Reporter without an error on the same seeds."""
    of = {(c.planner, c.world, c.seed): regret for c, regret in zip(configs, regrets, strict=True)}
    mine, base = (f"{WORLD},reporter={name}" for name in (reporter, REPORTERS[0]))
    seeds = [seed for who, world, seed in of if (who, world) == (planner, mine)]
    run, beside = (np.concatenate([of[planner, world, seed] for seed in seeds]) for world in (mine, base))
    return run, beside


def _slopes(errors: Sequence[float], regrets: Sequence[Float[np.ndarray, "R T"]]) -> list[dict[str, Any]]:
    """Additional regret of BAIL for a unit of total variation: of all, of the noisy ones, of the learned ones."""
    rows = []
    learned = [0, *range(len(NOISE), len(errors))]
    for name, chosen in (("all", list(range(len(errors)))), ("noisy", list(range(len(NOISE)))), ("learned", learned)):
        found, (low, high) = slope([errors[i] for i in chosen], [regrets[i] for i in chosen])
        rows.append({"slope of": name, "slope": found, "low": low, "high": high})
    return rows


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    names = {"expert": "knows z", "exact": "BAIL"}
    series: dict[str, list[Mapping[str, Any]]] = {}
    for one in rows:
        if "error" in one:
            kind = "learned from pairs" if one["reporter"].startswith("learned") else "the true one and noise"
            series.setdefault(f"{names[one['planner']]}: {kind}", []).append(one)
    series["knows z: predicted"] = [
        *foreseen([one for one in rows if one.get("planner") == "expert" and "predicted" in one])
    ]
    return points_figure(NAME, "total variation of the Reporter to the true E", series)
