"""Learning over episodes in environments that are not ours: text games, grids, and Gymnasium's own."""

import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from shutil import which
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.draws import Draws
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import Finding as Found
from parley.experiments.base import InMemory, above, all_hold
from parley.loop import Cohort, run_cohort
from parley.report.plots import rows_figure

NAME = "real-worlds"
CLAIM = (
    "In other people's environments a planner that learns by a rule gains over episodes. On average over worlds its "
    "score in the last quarter of the episodes is higher than in the first. It is also higher than that of random "
    "choices"
)
# World, what it needs, and the highest return: where a world tells none, what its makers call solved.
WORLDS = {
    "gym:FrozenLake-v1,horizon=20": ("gymnasium", 1.0),
    "gym:Taxi-v4,seeded_by=variation,horizon=60": ("gymnasium", 20.0),
    "babyai:GoToObj": ("minigrid", 1.0),
    "babyai:GoToLocal": ("minigrid", 1.0),
    "babyai:PickupLoc": ("minigrid", 1.0),
    "textworld:coin-collector,level=5,variations=8,horizon=20": ("textworld", 1.0),
    "textworld:cooking,variations=8,horizon=20": ("textworld", 3.0),
    "scienceworld:find-living-thing,easy=true,horizon=20": ("scienceworld", 100.0),
    "scienceworld:find-animal,easy=true,horizon=20": ("scienceworld", 100.0),
    "scienceworld:use-thermometer,easy=true,horizon=20": ("scienceworld", 100.0),
}
RANDOM, LEARNER = ("random", "none"), ("habit", "none")
ARMS = (RANDOM, LEARNER, ("habit", "epsilon-greedy:epsilon=0.1"), ("habit", "adaptive-proposals"))
QUICK = ("gym:FrozenLake-v1,horizon=20", "babyai:GoToObj")


def present(world: str) -> bool:
    """Whether the world's extra is installed, and Java where it needs that."""
    package, _ = WORLDS[world]
    return find_spec(package) is not None and (package != "scienceworld" or which("java") is not None)


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
    began = time.perf_counter()
    world, draws, kept = assemble.world(config.world), Draws(config.seed, config.runs), Returns()
    latents = assemble.draw_latents(world, draws, config.latent)
    scene = assemble.Scene(config.world, world, latents, config.episodes)
    cohort = Cohort(
        draws=draws,
        envs=world.make(latents, draws),
        planner=assemble.planner(config.planner, scene),
        explorer=assemble.explorer(config.explore, scene),
        recorder=kept,
        instructions=assemble.Schedule(config.instructions, world.instructions, draws),
        num_episodes=config.episodes,
        horizon=world.horizon,
        on_episode=lambda record: bar(record, config.runs),
    )
    run_cohort(cohort)
    cohort.envs.close()
    scores = np.array(kept.returns).T / WORLDS[config.world][1]
    return np.concatenate([scores, np.full((config.runs, 1), time.perf_counter() - began)], axis=1)


class Returns(InMemory):
    """Keeps what was paid."""

    def __init__(self) -> None:
        super().__init__()
        self.returns: list[np.ndarray] = []

    def episode(self, record: EpisodeRecord, snapshot: object = None) -> None:
        self.returns.append(record.returns)


def analyse(cells: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R T+1"]]) -> Found:
    """Two differences on average over the worlds, each with its 95% interval: runs differ within a world."""
    of = {(c.world, c.planner, c.explore): scores for c, scores in zip(cells, kept, strict=True)}
    worlds = list(dict.fromkeys(c.world for c in cells))
    gains = [_late(of[world, *LEARNER]) - _early(of[world, *LEARNER]) for world in worlds]
    beyond = [_late(of[world, *LEARNER]) - _late(of[world, *RANDOM]) for world in worlds]  # paired: the same latents
    found = [_averaged(each) for each in (gains, beyond)]
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


def _early(scores: np.ndarray) -> np.ndarray:
    return np.asarray(scores[:, : (scores.shape[1] - 1) // 4].mean(axis=1))


def _late(scores: np.ndarray) -> np.ndarray:
    return np.asarray(scores[:, -1 - (scores.shape[1] - 1) // 4 : -1].mean(axis=1))


def _averaged(differences: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """The mean over worlds of the means over runs, between its 95% limits."""
    mean = float(np.mean([d.mean() for d in differences]))
    error = float(np.sqrt(sum(d.var(ddof=1) / len(d) for d in differences))) / len(differences)
    return mean, mean - 1.96 * error, mean + 1.96 * error


def _row(config: RunConfig, kept: np.ndarray) -> dict[str, Any]:
    gain, low, high = _averaged([_late(kept) - _early(kept)])
    row: dict[str, Any] = {"world": config.world, "planner": config.planner, "explorer": config.explore}
    row |= {"runs": config.runs, "T": config.episodes, "score": round(float(kept[:, :-1].mean()), 4)}
    row |= {"last quarter": round(float(_late(kept).mean()), 4), "learnt": round(gain, 4)}
    return row | {"from": round(low, 4), "to": round(high, 4), "wall_s": round(float(kept[0, -1]), 1)}


def figure(cells: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R T+1"]]) -> Figure:
    """What the claim is about, world by world."""
    return drawn([_row(config, scores) for config, scores in zip(cells, kept, strict=True)])


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """How much better the last quarter of the episodes is than the first, for the learner and for random choices."""
    about = [one for one in rows if (one["planner"], one["explorer"]) in (RANDOM, LEARNER)]
    told = [{**one, "world": one["world"].partition(",")[0], "interval": [one["from"], one["to"]]} for one in about]
    return rows_figure(NAME, "score, last quarter less first", told, "world", "planner", "learnt", "interval")
