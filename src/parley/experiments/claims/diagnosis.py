"""`diagnosis`: failures are planted, and `parley diagnose` has to name them, from the run's log alone.

Each kind of failure is planted in several worlds and seeds, healthy runs beside them; the confusion matrix is the
result. Thresholds were set on seeds 0 to 9 (`TUNED`); those judged here are others. `diagnosis_families` has the runs
in which an explorer acts, in families of other kinds, and what would refute the claim there.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.assemble.diagnosed import diagnosed
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig, run
from parley.experiments.base import Finding, all_hold, at_least, at_most, wilson
from parley.experiments.claims import diagnosis_families
from parley.experiments.claims.diagnosis_families import DELUDED, Explored
from parley.report.plots import rows_figure
from parley.report.signatures import (
    BELIEF,
    EXCESS_TRIALS,
    EXPLORE,
    HEALTHY,
    MODEL,
    PRETRAINING,
    UNKNOWN,
    UNUSABLE,
)
from parley.serving.app import Running

NAME = "diagnosis"
CLAIM = (
    "At least 95% of planted failures are named right, and at most 5% of healthy runs are called ill. Without tables "
    "at least 85% are named right. Where an explorer acts, in drawn families of eight kinds, with label noise too, "
    "at least 85% are named right without tables. At most 5% of the healthy ones are called ill there"
)
NAMES = (HEALTHY, EXPLORE, PRETRAINING, BELIEF, UNUSABLE, MODEL, EXCESS_TRIALS, UNKNOWN)
TUNED = 10  # seeds below were used to set thresholds
SEEDS = {"world-model": (1, 2), "transformer": (3, 6), "served": (3, 6)}  # quick and not, where a run takes its time
LIMITS = {  # of the shares with these names
    "named right": (at_least, 0.95),
    "false alarms": (at_most, 0.05),
    "right without tables": (at_least, 0.85),
    "explorers: right without tables": (at_least, 0.85),
    "explorers: false alarms without tables": (at_most, 0.05),
}


@dataclass(frozen=True)
class Planted(RunConfig):
    """A run in which `failure` was planted."""

    failure: str = HEALTHY


PLANTS: tuple[tuple[str, str, str, str, str | None], ...] = (  # failure, world, planner, explorer, latent
    (HEALTHY, "shortcut", "exact", "adaptive", "each"),
    (HEALTHY, "shortcut", "exact:decode=greedy", "epsilon-greedy:epsilon=0.2", "each"),
    (HEALTHY, "shortcut", "transformer:decode=greedy", "epsilon-greedy:epsilon=0.2", "each"),
    (HEALTHY, "household", "exact", "none", None),
    (HEALTHY, "treasure:n=4", "exact", "adaptive", "each"),
    (HEALTHY, "shortcut", "world-model:model=transformer", "epsilon-greedy:epsilon=0.2", "each"),
    (EXPLORE, "shortcut", "exact:decode=greedy", "none", "each"),
    (EXPLORE, "shortcut", "transformer:decode=greedy", "none", "each"),
    (EXPLORE, "treasure:n=4", "exact:decode=greedy", "none", "each"),
    (EXPLORE, "traps:seed=1,planted=true", "exact:decode=greedy", "none", "each"),
    (PRETRAINING, "shortcut", "exact:label_error=0.4", "epsilon-greedy:epsilon=0.2", "each"),
    (PRETRAINING, "household", "exact:label_error=0.4", "none", None),
    (PRETRAINING, "treasure:n=4", "exact:label_error=0.4", "epsilon-greedy:epsilon=0.2", "each"),
    (BELIEF, "shortcut", DELUDED, "none", "1"),
    (BELIEF, "treasure:n=4", DELUDED, "none", "each"),
    (UNUSABLE, "shortcut", "served", "none", "each"),
    (MODEL, "shortcut:jam=0.7", "world-model:model=transformer", "epsilon-greedy:epsilon=0.2", "each"),
    (MODEL, "shortcut:noise=0.5", "world-model:model=transformer", "epsilon-greedy:epsilon=0.2", "each"),
)


def cells(quick: bool) -> Sequence[RunConfig]:
    """Every plant with several seeds: fewer of the planners that take their time."""
    planted = [
        Planted(world, planner, explorer, _episodes(planner), 16, seed, latent, record="steps", failure=failure)
        for failure, world, planner, explorer, latent in PLANTS
        for seed in range(TUNED, TUNED + _seeds(planner, quick))
    ]
    return [*planted, *diagnosis_families.cells(quick, TUNED)]


def _seeds(planner: str, quick: bool) -> int:
    few, many = SEEDS.get(planner.partition(":")[0], (5, 17))
    return few if quick else many


def _episodes(planner: str) -> int:
    """Searching in predictions takes its time."""
    return 60 if planner.startswith("world-model") else 120


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "1 3"]:
    """Which name was given, with tables and without (indices into `NAMES`), and whether the run counts."""
    assert isinstance(config, Planted | Explored)
    plain = RunConfig(**{f: getattr(config, f) for f in RunConfig.__dataclass_fields__})
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        if config.planner == "served":
            path = assemble.shipped("household")  # which knows other words
            asked = "way=parse,template=transcript,max_tokens=1,reasks=0"
            with Running(path) as server:
                spec = f"endpoint:model=parley/{path.name},base_url={server.base_url},tokenizer={path},{asked}"
                run(replace(plain, planner=spec, episodes=12, runs=4), out, bar)
        else:
            run(plain, out, bar)
        found = [diagnosed(out, tables) for tables in (True, False)]
    counts = diagnosis_families.counts(config, found[0]) if isinstance(config, Explored) else True
    return np.array([[*(float(NAMES.index(one.signature)) for one in found), float(counts)]])


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "1 3"]]) -> Finding:
    """Shares named right, with Wilson intervals, by plant; the claim is judged by the pooled ones."""
    named = np.concatenate(list(regrets))
    planted = np.array([isinstance(c, Planted) for c in configs])
    rows = _planted([c for c in configs if isinstance(c, Planted)], named[planted].astype(int))
    explored = [c for c in configs if isinstance(c, Explored)]
    return from_rows(rows + diagnosis_families.rows(explored, named[~planted], NAMES))


def from_rows(rows: Sequence[Mapping[str, Any]]) -> Finding:
    """The finding from its rows: every share that has a limit is held against it."""
    shares = {row["quantity"]: row for row in rows if "quantity" in row}
    holds = [judge(shares[name]["low"], shares[name]["high"], limit) for name, (judge, limit) in LIMITS.items()]
    right = shares["named right"]
    quantity = "share of planted failures named right"
    interval = (right["low"], right["high"])
    return Finding(CLAIM, all_hold(holds), right["share"], interval, quantity, [dict(row) for row in rows])


def _planted(planted: Sequence[Planted], named: np.ndarray) -> list[dict[str, Any]]:
    """What was named, by plant, and the shares of the claim's first half."""
    truth = np.array([NAMES.index(c.failure) for c in planted])
    ill = truth != NAMES.index(HEALTHY)
    seen = ill & (truth != NAMES.index(MODEL))  # without tables nobody can say how well it could have been predicted
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys(c.failure for c in planted):
        mine = truth == NAMES.index(name)
        for column, how in enumerate(("with tables", "without")):
            counts = {called: int((named[mine, column] == i).sum()) for i, called in enumerate(NAMES)}
            rows.append({"planted": name, "decided": how, "runs": int(mine.sum()), **counts})
    hits = (named[:, 0] == truth)[ill], (named[:, 0] != truth)[~ill], (named[:, 1] == truth)[seen | ~ill]
    for quantity, hit in zip(("named right", "false alarms", "right without tables"), hits, strict=True):
        low, share, high = wilson(int(hit.sum()), len(hit))
        rows.append({"quantity": quantity, "share": share, "low": low, "high": high})
    return rows


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The share of each planted failure that is named right, by how it was decided."""
    planted = [one for one in rows if "planted" in one and one["runs"]]
    told = []
    for one in planted:
        low, share, high = wilson(int(one[one["planted"]]), int(one["runs"]))
        told.append({**one, "share": share, "interval": [low, high]})
    return rows_figure(NAME, "share named right", told, "planted", "decided", "share", "interval")
