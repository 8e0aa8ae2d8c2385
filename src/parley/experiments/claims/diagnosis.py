"""`diagnosis`: failures are planted, and `parley diagnose` has to name them, from the run's log alone.

Each kind of failure is planted in several worlds and seeds, healthy runs beside them; the confusion matrix is the
result. Thresholds were set on seeds 0 to 9 (`TUNED`); those judged here are others.
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
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, all_hold, wilson
from parley.report.plots import dots_figure
from parley.report.signatures import BELIEF, EXPLORE, HEALTHY, MODEL, PRETRAINING, UNUSABLE
from parley.serving.app import Running

NAME = "diagnosis"
CLAIM = (
    "At least 95% of planted failures are named right, and at most 5% of healthy runs are called ill. Without tables "
    "at least 85% are named right"
)
NAMES = (HEALTHY, EXPLORE, PRETRAINING, BELIEF, UNUSABLE, MODEL)
TUNED = 10  # seeds below were used to set thresholds
DELUDED = "exact:evidence=environment+demonstrator,rho=0.5"
SEEDS = {"world-model": (1, 2), "transformer": (3, 6), "served": (3, 6)}  # quick and not, where a run takes its time
RIGHT, ALARMS, ALONE = 0.95, 0.05, 0.85


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


def cells(quick: bool) -> Sequence[Planted]:
    """Every plant with several seeds: fewer of the planners that take their time."""
    return [
        Planted(world, planner, explorer, _episodes(planner), 16, seed, latent, record="steps", failure=failure)
        for failure, world, planner, explorer, latent in PLANTS
        for seed in range(TUNED, TUNED + _seeds(planner, quick))
    ]


def _seeds(planner: str, quick: bool) -> int:
    few, many = SEEDS.get(planner.partition(":")[0], (5, 17))
    return few if quick else many


def _episodes(planner: str) -> int:
    """Searching in predictions takes its time."""
    return 60 if planner.startswith("world-model") else 120


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "1 2"]:
    """Which name was given, with tables and without: indices into `NAMES`."""
    assert isinstance(config, Planted)
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
        found = [diagnosed(out, tables).signature for tables in (True, False)]
    return np.array([[float(NAMES.index(name)) for name in found]])


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "1 2"]]) -> Finding:
    """Shares named right, with Wilson intervals, by plant; the claim is judged by the pooled ones."""
    planted = [c for c in configs if isinstance(c, Planted)]
    truth = np.array([NAMES.index(c.failure) for c in planted])
    named = np.concatenate(list(regrets)).astype(int)
    ill = truth != NAMES.index(HEALTHY)
    seen = ill & (truth != NAMES.index(MODEL))  # without tables nobody can say how well it could have been predicted
    rows: list[dict[str, object]] = []
    for name in NAMES:
        mine = truth == NAMES.index(name)
        for column, how in enumerate(("with tables", "without")):
            counts = {called: int((named[mine, column] == i).sum()) for i, called in enumerate(NAMES)}
            rows.append({"planted": name, "decided": how, "runs": int(mine.sum()), **counts})
    right = _share((named[:, 0] == truth)[ill])
    alarms = _share((named[:, 0] != truth)[~ill])
    alone = _share((named[:, 1] == truth)[seen | ~ill])
    for quantity, found in (("named right", right), ("false alarms", alarms), ("right without tables", alone)):
        rows.append({"quantity": quantity, "share": found[0], "low": found[1], "high": found[2]})
    holds = [_verdict(right, RIGHT), _verdict((-alarms[0], -alarms[2], -alarms[1]), -ALARMS), _verdict(alone, ALONE)]
    verdict = all_hold(holds)
    return Finding(CLAIM, verdict, right[0], (right[1], right[2]), "share of planted failures named right", rows)


def _share(hits: np.ndarray) -> tuple[float, float, float]:
    """A share with Wilson's 95% interval."""
    low, share, high = wilson(int(hits.sum()), len(hits))
    return share, low, high


def _verdict(share: tuple[float, float, float], bound: float) -> str:
    """Whether the share is at least the bound."""
    return SUPPORTED if share[1] >= bound else NOT_SUPPORTED if share[2] < bound else UNDECIDED


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "1 2"]]) -> Figure:
    return drawn(analyse(configs, regrets).rows)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    planted = [one for one in rows if "planted" in one]
    columns: dict[str, list[float]] = {}
    sides: dict[str, list[tuple[float, float]]] = {}
    for one in planted:
        low, share, high = wilson(int(one[one["planted"]]), int(one["runs"]))
        columns.setdefault(one["decided"], []).append(share)
        sides.setdefault(one["decided"], []).append((share - low, high - share))
    names = list(dict.fromkeys(one["planted"] for one in planted))
    halves = {how: np.array(of).T for how, of in sides.items()}
    return dots_figure(NAME, "share named right", names, columns, halves)
