"""`actor-error`: what cloning the Actor from poor demonstrations costs, apart from the Planner (He et al. 2024).

On the real low levels of `household` (a grid) and, in full, of `house` (MuJoCo). Actors are cloned from demonstrations,
a share of them optimal. They work under a planner that knows z (all its loss is the Actor's) and under exact BAIL with
the tables of the optimal Actor. The tables have a floor of 0.01 under the sentences, as an Actor with an error does
things that they call impossible. Regret is V*_z(w) minus the return, V* being the optimal Actor's.

`household` decides. In `house`, where physics is slow, a few runs show the loss; its errors are distances of forces.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import Finding
from parley.experiments.slopes import costs_at_most, points_figure, row, slope
from parley.worlds.kit.physical import PhysicalWorld

NAME = "actor-error"
CLAIM = "In `household` an Actor's error costs even a planner that knows z: an episode at most H^2 H_a for a unit of it"
BOUND = 4**2 * 15.0  # the distribution of a whole subgoal is off by at most H_a times that of one action
WORLDS = {"household": "household:low_level=true,floor=0.01", "house": "house:floor=0.01"}
SHARES = {  # of optimal demonstrations
    "household": (1.0, 0.98, 0.95, 0.9, 0.75, 0.5, 0.0),
    "house": (1.0, 0.9, 0.5, 0.0),
}
UNSATURATED = 4  # cells from which the slope is taken: after them nearly everything is lost
PLANNERS = ("expert", "exact")


def cells(quick: bool) -> Sequence[RunConfig]:
    """World by world, planner by planner, share by share."""
    sizes = {"household": (4, 100)} if quick else {"household": (10, 400), "house": (4, 24)}
    return [
        RunConfig(f"{WORLDS[world]},actor=cloned:{share}", planner, episodes=episodes, runs=runs)
        for world, (episodes, runs) in sizes.items()
        for planner in PLANNERS
        for share in SHARES[world]
    ]


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """The slope of small errors under the planner that knows z decides; what BAIL loses beyond it is the Planner's."""
    found = _by_world(configs, regrets)
    rows: list[dict[str, Any]] = []
    for world, regret in found.items():
        errors, num = _errors(world), len(SHARES[world])
        rows += [
            {"world": world, "planner": PLANNERS[i // num], "share": SHARES[world][i % num], **row(errors[i % num], r)}
            for i, r in enumerate(regret)
        ]
        for i, share in enumerate(SHARES[world]):
            gap = row(errors[i], regret[num + i] - regret[i])
            rows.append({"world": world, "planner's part": share, **{k: gap[k] for k in ("regret", "low", "high")}})
    estimate, interval = slope(_errors("household")[:UNSATURATED], found["household"][:UNSATURATED])
    quantity = "additional regret of an episode for a unit of the Actor's total variation, share >= 0.9"
    return Finding(CLAIM, costs_at_most(*interval, BOUND), estimate, interval, quantity, rows)


def _by_world(
    configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]
) -> dict[str, list[Float[np.ndarray, "R T"]]]:
    found: dict[str, list[np.ndarray]] = {}
    for config, regret in zip(configs, regrets, strict=True):
        found.setdefault(config.world.partition(":")[0], []).append(regret)
    return found


def _errors(world: str) -> list[float]:
    """Of the clones, in the order of their shares."""
    made = assemble.world(f"{world}:low_level=true")
    assert isinstance(made, PhysicalWorld)
    return [made.learns["actor"](share).about["error"] for share in SHARES[world]]


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    return drawn(analyse(configs, regrets).rows)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    series: dict[str, list[Mapping[str, Any]]] = {}
    for one in rows:
        if "error" in one:
            series.setdefault(f"{one['world']}, planner: {one['planner']}", []).append(one)
    return points_figure(NAME, "the Actor's error: total variation (household), distance of forces (house)", series)
