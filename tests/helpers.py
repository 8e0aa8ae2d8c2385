"""What many tests need: a cohort put together by hand, and a recorder that keeps everything in memory."""

import sqlite3
from pathlib import Path

import numpy as np

from parley.core.draws import Draws
from parley.core.roles import State
from parley.core.said import EpisodeRecord, StepRecord
from parley.core.tables import Tables
from parley.exploration.explorers import NoExploration
from parley.loop import Cohort, run_cohort
from parley.theory.beliefs import Beliefs
from parley.theory.regret import RegretMeter
from parley.worlds.kit.tabular.env import TabularWorld


class Kept:
    """A recorder in memory."""

    def __init__(self) -> None:
        self.steps: list[StepRecord] = []
        self.episodes: list[EpisodeRecord] = []

    def step(self, record: StepRecord) -> None:
        self.steps.append(record)

    def episode(self, record: EpisodeRecord, snapshot: list[State] | None = None) -> None:
        self.episodes.append(record)

    def wants_snapshot(self) -> bool:
        return False

    def expected(self) -> np.ndarray:
        """Expected regret, (runs, episodes)."""
        return np.array([record.expected_regret for record in self.episodes]).T

    def realised(self) -> np.ndarray:
        """Realised regret, (runs, episodes)."""
        return np.array([record.optimal_value - record.returns for record in self.episodes]).T


def run(tables: Tables, planner, latents, num_episodes: int, explorer=None, seed: int = 0) -> Kept:
    """Run a cohort on a tabular world, instructions in turn; `planner` may be a function of (beliefs, latents)."""
    latents = np.asarray(latents)
    draws, kept, beliefs = Draws(seed, len(latents)), Kept(), Beliefs(tables)
    names = np.array(tables.instructions, dtype=object)
    run_cohort(
        Cohort(
            draws=draws,
            envs=TabularWorld(tables).make(latents, draws),
            planner=planner(beliefs, latents) if callable(planner) else planner,
            explorer=explorer or NoExploration(),
            recorder=kept,
            instructions=lambda t: np.full(len(latents), names[t % len(names)], dtype=object),
            num_episodes=num_episodes,
            horizon=tables.horizon,
            meter=RegretMeter(beliefs, latents),
            forbidden=tables.forbidden,
        )
    )
    return kept


def tables_of(out: Path) -> dict[str, list]:
    """All that a run directory's log says, without wall times."""
    db = sqlite3.connect(out / "run.sqlite")
    steps = db.execute("SELECT * FROM steps ORDER BY run, episode, step").fetchall()
    episodes = db.execute(
        "SELECT run, episode, instruction, explored, return, optimal_value, regret, expected_regret FROM episodes "
        "ORDER BY run, episode"
    ).fetchall()
    db.close()
    return {"steps": steps, "episodes": episodes}
