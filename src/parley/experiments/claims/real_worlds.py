"""Learning over episodes in environments that are not ours: text games, grids, and Gymnasium's own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import Finding as Found
from parley.experiments.base import above, all_hold
from parley.experiments.scored import averaged, early, late, present, scores
from parley.report.plots import rows_figure

NAME = "real-worlds"
CLAIM = (
    "In other people's environments a planner that learns by a rule gains over episodes. On average over worlds its "
    "score in the last quarter of the episodes is higher than in the first. It is also higher than that of random "
    "choices"
)
# Worlds and their highest returns: where a world tells none, what its makers call solved.
WORLDS = {
    "gym:FrozenLake-v1,horizon=20": 1.0,
    "gym:Taxi-v4,seeded_by=variation,horizon=60": 20.0,
    "babyai:GoToObj": 1.0,
    "babyai:GoToLocal": 1.0,
    "babyai:PickupLoc": 1.0,
    "textworld:coin-collector,level=5,variations=8,horizon=20": 1.0,
    "textworld:cooking,variations=8,horizon=20": 3.0,
    "scienceworld:find-living-thing,easy=true,horizon=20": 100.0,
    "scienceworld:find-animal,easy=true,horizon=20": 100.0,
    "scienceworld:use-thermometer,easy=true,horizon=20": 100.0,
}
RANDOM, LEARNER = ("random", "none"), ("habit", "none")
ARMS = (RANDOM, LEARNER, ("habit", "epsilon-greedy:epsilon=0.1"), ("habit", "adaptive-proposals"))
QUICK = ("gym:FrozenLake-v1,horizon=20", "babyai:GoToObj")


def cells(quick: bool) -> list[RunConfig]:
    """Every world that is installed here, under every planner and explorer."""
    worlds = [world for world in (QUICK if quick else WORLDS) if present(world)]
    slow = ("scienceworld", "textworld")
    return [
        RunConfig(world, planner, explore, episodes=16, runs=4 if world.startswith(slow) else 16, seed=1)
        for planner, explore in (ARMS[:2] if quick else ARMS)  # first what the claim is about, in all worlds
        for world in worlds
    ]


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R T+1"]:
    """Scores of every run and episode; the last column holds the cell's seconds, those of its environments included."""
    return scores(config, bar, WORLDS[config.world])


def analyse(cells: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R T+1"]]) -> Found:
    """Two differences on average over the worlds, each with its 95% interval: runs differ within a world."""
    of = {(c.world, c.planner, c.explore): scores for c, scores in zip(cells, kept, strict=True)}
    worlds = list(dict.fromkeys(c.world for c in cells))
    gains = [late(of[world, *LEARNER]) - early(of[world, *LEARNER]) for world in worlds]
    beyond = [late(of[world, *LEARNER]) - late(of[world, *RANDOM]) for world in worlds]  # paired: the same latents
    found = [averaged(each) for each in (gains, beyond)]
    verdict = all_hold([above(low, high, 0.0) for _, low, high in found])
    value, low, high = found[0]
    return Found(
        CLAIM,
        verdict,
        value,
        (low, high),
        f"score of the learner, last quarter less first, mean of {len(worlds)} worlds (against random: "
        f"{found[1][0]:.3f} [{found[1][1]:.3f}, {found[1][2]:.3f}]); {len(cells)} of {len(WORLDS) * len(ARMS)} cells",
        [_row(c, scores) for world in worlds for c, scores in zip(cells, kept, strict=True) if c.world == world],
    )


def _row(config: RunConfig, kept: np.ndarray) -> dict[str, Any]:
    gain, low, high = averaged([late(kept) - early(kept)])
    row: dict[str, Any] = {"world": config.world, "planner": config.planner, "explorer": config.explore}
    row |= {"runs": config.runs, "T": config.episodes, "score": round(float(kept[:, :-1].mean()), 4)}
    row |= {"last quarter": round(float(late(kept).mean()), 4), "learnt": round(gain, 4)}
    return row | {"from": round(low, 4), "to": round(high, 4), "wall_s": round(float(kept[0, -1]), 1)}


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """How much better the last quarter of the episodes is than the first, for the learner and for random choices."""
    about = [one for one in rows if (one["planner"], one["explorer"]) in (RANDOM, LEARNER)]
    told = [{**one, "world": one["world"].partition(",")[0], "interval": [one["from"], one["to"]]} for one in about]
    return rows_figure(NAME, "score, last quarter less first", told, "world", "planner", "learnt", "interval")
