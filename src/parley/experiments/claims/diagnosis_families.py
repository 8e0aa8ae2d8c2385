"""The part of `diagnosis` in which an explorer acts, in families of eight kinds, decided without tables.

Every plant is run on every kind, and every seed draws a family of that kind of its own. Label noise is a share of
expert labels that name any subgoal: 0.4 of them is a failure of its own. Beside other plants it is 0.1, in a planner
that decodes greedily and does not heed it.

The tables say which runs count. A failure counts if unexplored late episodes lose more than 0.03 each, in two runs or
more. A healthy one counts if they do not. The others are dropped and their number is reported: the failure costs
nothing there, or BAIL itself has not found out yet. Too much exploration always counts; no episode of it is unexplored.

Criterion, written before the first run of these cells: of the runs that count, at least 85% are named right without
tables, healthy ones included. At most 5% of the healthy ones are called ill ("cannot tell" calls nobody ill). Wilson's
95% limits decide each. Anything less refutes the claim, or leaves it undecided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from parley.execute import RunConfig
from parley.experiments.base import wilson
from parley.report.signatures import BELIEF, EXCESS_TRIALS, EXPLORE, FEWEST, HEALTHY, PAYS, PRETRAINING, Diagnosis
from parley.worlds.generated.world import EVALUATED

KINDS = ("clues", "signs", "random", "ask", "lock", "find", "route", "machines")
NOISY, DELUDED = "exact:decode=greedy,label_error=0.1", "exact:evidence=environment+demonstrator,rho=0.5"
WRONG, RARELY = "exact:label_error=0.4", "epsilon-greedy:epsilon=0.005"
PLANTS: tuple[tuple[str, str, str], ...] = (  # failure, planner, explorer
    (HEALTHY, "exact", "adaptive"),
    (HEALTHY, NOISY, "epsilon-greedy:epsilon=0.1"),
    (HEALTHY, "exact:decode=greedy", "persistent-proposals"),
    (HEALTHY, NOISY, "persistent-proposals"),
    (EXPLORE, "exact:decode=greedy", RARELY),
    (EXPLORE, NOISY, RARELY),
    (EXPLORE, "exact:decode=greedy", "persistent-proposals:patience=1000,floor=0"),
    (PRETRAINING, WRONG, "epsilon-greedy:epsilon=0.1"),
    (PRETRAINING, WRONG, "adaptive:between=proposals"),
    (BELIEF, DELUDED, "epsilon-greedy:epsilon=0.1"),
    (BELIEF, DELUDED, "adaptive:between=proposals"),
    (EXCESS_TRIALS, "exact", "epsilon-greedy:epsilon=1"),
)
SEEDS = 3


@dataclass(frozen=True)
class Explored(RunConfig):
    """A run in which an explorer acts and `failure` was planted, in a family of `kind`."""

    failure: str = HEALTHY
    kind: str = ""


def cells(quick: bool, first: int) -> list[Explored]:
    """Every plant on every kind with a few seeds from `first` on; in the quick form each on one kind, in turn."""
    kinds = [KINDS[i % len(KINDS) :][:1] if quick else KINDS for i in range(len(PLANTS))]
    return [
        Explored(family(kind, seed), planner, explorer, 120, 16, seed, "each", record="steps", failure=what, kind=kind)
        for (what, planner, explorer), mine in zip(PLANTS, kinds, strict=True)
        for kind in mine
        for seed in range(first, first + (1 if quick else SEEDS))
    ]


def family(kind: str, seed: int) -> str:
    """The spec of a kind's family of a seed: its sizes are drawn too.

    >>> family("ask", 3)
    'generated:seed=1000000003,kind=ask'
    """
    rng = np.random.default_rng((seed, KINDS.index(kind)))
    if kind == "clues":
        drawn: dict[str, object] = {"latents": rng.integers(3, 9), "clues": rng.integers(1, 4)}
        drawn |= {"horizon": rng.integers(1, 4), "hit": rng.choice([0.8, 1.0]), "miss": rng.choice([0.0, 0.2])}
        drawn |= {"safe": rng.choice([0.3, 0.6]), "dull": rng.choice([0.7, 0.9])}
    elif kind == "signs":
        return f"signs:n={rng.integers(3, 9)},right={rng.choice([0.8, 0.9])},shelf={rng.choice([0.4, 0.6])}"
    elif kind == "random":
        drawn = {"latents": rng.integers(2, 7), "states": rng.integers(2, 6), "observations": rng.integers(2, 5)}
        drawn |= {"subgoals": rng.integers(2, 5), "instructions": rng.integers(1, 3), "horizon": rng.integers(1, 3)}
        drawn |= {"concentration": rng.choice([0.3, 1.0])}
    else:
        return f"generated:seed={EVALUATED + seed},kind={kind}"
    return f"{kind}:" + ",".join(f"{key}={value}" for key, value in {**drawn, "seed": seed}.items())


def counts(config: Explored, with_tables: Diagnosis) -> bool:
    """Whether the run is what was planted in it, by its losses (see the module's docstring)."""
    if config.failure == EXCESS_TRIALS:
        return with_tables.statistics.get("late regret, explored too", 0.0) > PAYS
    loses = round(with_tables.statistics["paying"] * config.runs) >= FEWEST
    return loses == (config.failure != HEALTHY)


def rows(configs: Sequence[Explored], named: Float[np.ndarray, "n 3"], names: Sequence[str]) -> list[dict[str, Any]]:
    """What was named, by plant and by kind; columns of `named`: with tables, without, whether the run counts."""
    truth = np.array([names.index(c.failure) for c in configs])
    count, right, healthy = named[:, 2] > 0, named[:, 1] == truth, truth == names.index(HEALTHY)
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys(c.failure for c in configs):
        mine = count & (truth == names.index(name))
        called = {one: int((named[mine, 1] == i).sum()) for i, one in enumerate(names)}
        found.append({"planted": name, "decided": "without, an explorer acts", "runs": int(mine.sum()), **called})
    for key in ("kind", "planner", "explore", "failure"):
        of = np.array([getattr(c, key) for c in configs])
        for one in dict.fromkeys(of.tolist()):
            at = of == one
            share = _share(right[at & count])
            found.append({"explored runs by": key, "which": one, "dropped": int((at & ~count).sum()), **share})
    cannot = named[:, 1] == names.index("cannot tell")
    total, alarms = _share(right[count]), _share(~right[count & healthy] & ~cannot[count & healthy])
    found.append({"quantity": "explorers: right without tables", **total})
    found.append({"quantity": "explorers: false alarms without tables", **alarms})
    found.append({"quantity": "explorers: right with tables", **_share((named[:, 0] == truth)[count])})
    return found


def _share(hits: Bool[np.ndarray, " n"]) -> dict[str, Any]:
    """A share with Wilson's 95% interval; of no runs it may be anything."""
    low, share, high = wilson(int(hits.sum()), len(hits)) if len(hits) else (0.0, None, 1.0)
    return {"share": share, "low": low, "high": high, "of": len(hits)}
