"""`actor-error`: what cloning the Actor from poor demonstrations costs, apart from the Planner (He et al. 2024).

On the real low levels of `household` (a grid) and, in full, of `house` (MuJoCo). Actors are cloned from demonstrations,
a share of them optimal. They work under a planner that knows z (all its loss is the Actor's) and under exact BAIL with
the tables of the optimal Actor. The tables have a floor of 0.01 under the sentences, as an Actor with an error does
things that they call impossible. Regret is V*_z(w) minus the return, V* being the optimal Actor's.

`household` decides. There the clone's action probabilities and the grid make an exact kernel of whole subgoals. From
it follows, without a run, what the planner that knows z loses. Runs on the low level must agree. BAIL is held against
the bound with measured coverage. It is no theorem for BAIL, which learns from an Actor that its tables do not describe.
A bound of 1 or more says nothing, and is not judged.

In `house`, where physics is slow, a few runs show the loss; its errors are distances of forces.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import Finding, all_hold
from parley.experiments.slopes import (
    Predicted,
    apart,
    below,
    foreseen,
    of_rows,
    points_figure,
    row,
    slope,
    under,
)
from parley.theory.elsewhere import elsewhere
from parley.worlds.kit.physical import PhysicalWorld

NAME = "actor-error"
CLAIM = (
    "In `household` an Actor's error costs a planner that knows z what the kernel of its subgoals predicts (an episode "
    "within 0.03). It costs BAIL at most H times the total variation of the subgoals' outcomes, where that is below 1"
)
MARGIN = 0.03
MOST_ACTIONS = 15  # H_a of `household`
WORLDS = {"household": "household:low_level=true,floor=0.01", "house": "house:floor=0.01"}
SHARES = {  # of optimal demonstrations
    "household": (1.0, 0.98, 0.95, 0.9, 0.75, 0.5, 0.0),
    "house": (1.0, 0.9, 0.5, 0.0),
}
UNSATURATED = 4  # cells from which the slope is taken: after them nearly everything is lost
PLANNERS = ("expert", "exact")


def cells(quick: bool) -> Sequence[RunConfig]:
    """World by world, planner by planner, share by share."""
    sizes = {"household": (4, 100)} if quick else {"household": (10, 1_000), "house": (4, 24)}
    return [
        RunConfig(f"{WORLDS[world]},actor=cloned:{share}", planner, episodes=episodes, runs=runs)
        for world, (episodes, runs) in sizes.items()
        for planner in PLANNERS
        for share in SHARES[world]
    ]


@lru_cache(maxsize=1)
def predictions() -> tuple[Predicted, ...]:
    """For each share in `household`, from the clone's kernel; the instructions take turns."""
    tables, made = assemble.world(WORLDS["household"]).tables, _low_level("household")
    own = made.tables
    assert tables is not None and own is not None and made.kernel is not None
    beliefs = assemble.beliefs_of(tables)
    true = elsewhere(beliefs, heard=own.emission, paid=own.emission)
    turns = np.outer(tables.prior, np.full(len(tables.instructions), 1 / len(tables.instructions)))
    found = []
    for share in SHARES["household"]:
        clone = _cloned("household", share)
        kernel, error = made.kernel(clone.law), float(clone.about["error"])
        lost = beliefs.value - elsewhere(beliefs, kernel, own.emission, own.emission).value
        variation = 0.5 * np.abs(kernel - own.transition).sum(axis=3)
        bound = float(np.einsum("zw,zwhsg,zsg->", turns, true.visits, variation))
        coverage = bound / (tables.horizon * MOST_ACTIONS * error) if error else 0.0
        found.append(Predicted(error, float((turns * lost).sum()), bound, coverage))
    return tuple(found)


def _cloned(world: str, share: float) -> Any:
    return _low_level(world).learns["actor"](share)


def _low_level(world: str) -> PhysicalWorld:
    made = assemble.world(f"{world}:low_level=true")
    assert isinstance(made, PhysicalWorld)
    return made


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Every share is judged, by intervals that hold together; the finding's is the prediction missed by most."""
    found, seen, rows = _by_world(configs, regrets), predictions(), list[dict[str, Any]]()
    for world, regret in found.items():
        errors = [float(_cloned(world, share).about["error"]) for share in SHARES[world]]
        for i, one in enumerate(regret):
            planner, at = PLANNERS[i // len(errors)], i % len(errors)
            rows.append({"planner": planner, "share": SHARES[world][at], **row(errors[at], one), "world": world})
            if world == "household" and planner == "exact" and at:
                rows[-1] |= {"coverage": seen[at].coverage} | below(seen[at].bound, one, regret[i - at], _level())
    estimate, interval = slope([one.error for one in seen[:UNSATURATED]], found["household"][:UNSATURATED])
    about = f"slope for a unit of total variation, share >= {SHARES['household'][UNSATURATED - 1]}"
    return from_rows([*rows, {"of": about, "slope": estimate, "low": interval[0], "high": interval[1]}])


def from_rows(rows: Sequence[Mapping[str, Any]]) -> Finding:
    """The finding from a row for each cell. Without the runs, intervals of what an error adds to BAIL are wider."""
    seen = dict(zip(SHARES["household"], predictions(), strict=True))
    base = next(one for one in rows if one.get("world") == "household" and one["planner"] == "exact")
    judged: list[dict[str, Any]] = []
    for one in rows:
        held: dict[str, Any] = {}
        if one.get("world") == "household" and one["planner"] == "expert":
            held = apart(seen[one["share"]].regret, one, MARGIN, _level())
        elif one.get("world") == "household" and one["error"] and "verdict" not in one:
            foretold = seen[one["share"]]
            held = {"coverage": foretold.coverage} | under(foretold.bound, *of_rows(one, base, _level()))
        judged.append(_in_order({**one, **held}))
    verdicts = [one["verdict"] for one in judged if one.get("bound", 0.0) < 1 and "verdict" in one]
    worst = max((one for one in judged if "predicted" in one), key=lambda one: max(-one["gap_low"], one["gap_high"]))
    gap = worst["less predicted"], (worst["gap_low"], worst["gap_high"])
    return Finding(CLAIM, all_hold(verdicts), *gap, "regret of an episode less what was predicted, worst share", judged)


def _level() -> float:
    """Of intervals that hold together."""
    return 1 - 0.05 / (len(predictions()) + sum(0 < one.bound < 1 for one in predictions()))


def _in_order(said: dict[str, Any]) -> dict[str, Any]:
    """The columns of the page first."""
    first = ("planner", "share", "error", "regret", "predicted", "less predicted", "coverage", "additional", "bound")
    return {key: said[key] for key in (*first, "verdict") if key in said} | said


def _by_world(
    configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]
) -> dict[str, list[Float[np.ndarray, "R T"]]]:
    found: dict[str, list[np.ndarray]] = {}
    for config, regret in zip(configs, regrets, strict=True):
        found.setdefault(config.world.partition(":")[0], []).append(regret)
    return found


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    series: dict[str, list[Mapping[str, Any]]] = {}
    for one in rows:
        if "error" in one:
            series.setdefault(f"{one['world']}, planner: {one['planner']}", []).append(one)
    series["household, expert: predicted"] = [*foreseen([one for one in rows if "predicted" in one])]
    return points_figure(NAME, "the Actor's error: total variation (household), distance of forces (house)", series)
