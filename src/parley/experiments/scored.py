"""Scores of runs in environments that have no tables: measured, averaged, compared."""

import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from shutil import which

import numpy as np
from jaxtyping import Float

from parley import assemble
from parley.assemble.cohorts import cohort_of
from parley.core.draws import Draws
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import InMemory
from parley.loop import run_cohort
from parley.theory.curves import student

PACKAGES = {"gym": "gymnasium", "babyai": "minigrid"}  # of worlds that are named otherwise than their package


def present(world: str) -> bool:
    """Whether the package of an environment is installed, and Java where it needs that."""
    name = world.partition(":")[0]
    return find_spec(PACKAGES.get(name, name)) is not None and (name != "scienceworld" or which("java") is not None)


class Returns(InMemory):
    """Keeps what was paid."""

    def __init__(self) -> None:
        super().__init__()
        self.returns: list[np.ndarray] = []

    def episode(self, record: EpisodeRecord, snapshot: object = None) -> None:
        self.returns.append(record.returns)


def scores(config: RunConfig, bar: Callable[[EpisodeRecord, int], None], highest: float) -> Float[np.ndarray, "R T+1"]:
    """Returns of every run and episode over the highest; the last column holds the cell's seconds, all included."""
    began = time.perf_counter()
    world, draws, kept = assemble.world(config.world), Draws(config.seed, config.runs), Returns()
    latents = assemble.draw_latents(world, draws, config.latent)
    scene = assemble.Scene(config.world, world, latents, config.episodes)
    with scene.closing:
        planner, explorer = assemble.planner(config.planner, scene), assemble.explorer(config.explore, scene)
        cohort = cohort_of(scene, draws, planner, explorer, kept, config.instructions)
        cohort.on_episode = lambda record: bar(record, config.runs)
        run_cohort(cohort)
        cohort.envs.close()
    found = np.array(kept.returns).T / highest
    return np.concatenate([found, np.full((config.runs, 1), time.perf_counter() - began)], axis=1)


def early(found: Float[np.ndarray, "R T+1"]) -> Float[np.ndarray, " R"]:
    """Each run's mean score in the first quarter of its episodes."""
    return np.asarray(found[:, : (found.shape[1] - 1) // 4].mean(axis=1))


def late(found: Float[np.ndarray, "R T+1"]) -> Float[np.ndarray, " R"]:
    """The same in the last quarter."""
    return np.asarray(found[:, -1 - (found.shape[1] - 1) // 4 : -1].mean(axis=1))


def averaged(differences: Sequence[Float[np.ndarray, " R"]]) -> tuple[float, float, float]:
    """The mean over cells of the means over runs, between its 95% limits.

    Runs differ within a cell. The limits are Student's, with the degrees of freedom of Satterthwaite (1946).
    """
    mean = float(np.mean([d.mean() for d in differences]))
    errors = np.array([d.var(ddof=1) / len(d) for d in differences])  # of each mean, squared
    if not errors.any():
        return mean, mean, mean
    freedom = errors.sum() ** 2 / (errors**2 / [len(d) - 1 for d in differences]).sum()
    half = student(0.95, float(freedom)) * float(np.sqrt(errors.sum())) / len(differences)
    return mean, mean - half, mean + half
