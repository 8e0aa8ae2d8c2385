"""Planner steps per second of the whole loop with the exact planner, next to a floor of bare array arithmetic.

    python benchmarks/loop.py [--episodes 30] [--repeats 5]

On the same shapes, the floor only updates the posterior, mixes, and samples subgoal, state and observation. The loop
adds sentences, menus, exploration, the environment's interface, expected regret and the log. Loop and floor are timed
alternately in one process. Printed: the median of the ratios and their range.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from parley.assemble import Schedule
from parley.core.draws import Draws, sample_rows
from parley.core.tables import Tables
from parley.exploration.explorers import NoExploration
from parley.loop import Cohort, run_cohort
from parley.planners.exact import ExactPlanner
from parley.runs.store import RunStore
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import bail, normalised
from parley.theory.regret import RegretMeter
from parley.worlds.kit.tabular.env import TabularWorld
from parley.worlds.tabular.random_family import random_family

RUNS = 1024


def floor(tables: Tables, beliefs: Beliefs, num_episodes: int) -> float:
    """Seconds for the arithmetic alone."""
    rng = np.random.default_rng(0)
    rows, latent = np.arange(RUNS), np.broadcast_to(np.arange(tables.num_latents), (RUNS, tables.num_latents))
    log_weights = np.tile(np.log(tables.prior), (RUNS, 1))
    began = time.perf_counter()
    for t in range(num_episodes):
        instruction = np.full((RUNS, 1), t % len(tables.instructions))
        state = sample_rows(tables.initial[0][None].repeat(RUNS, axis=0), rng.random(RUNS))
        seen = sample_rows(tables.emission[0, state], rng.random(RUNS))
        place, prob = beliefs.begin(latent, seen[:, None])
        log_weights = log_weights + np.log(prob)
        for h in range(1, tables.horizon + 1):
            law = bail(normalised(log_weights), beliefs.policy(h, place, latent, instruction))
            subgoal = sample_rows(law, rng.random(RUNS))
            state = sample_rows(tables.transition[0, state, subgoal], rng.random(RUNS))
            seen = sample_rows(tables.emission[0, state], rng.random(RUNS))
            tables.reward[seen, instruction[rows, 0]]
            place, prob = beliefs.advance(h, place, latent, subgoal[:, None], seen[:, None])
            log_weights = log_weights + np.log(prob)
        log_weights -= log_weights.max(axis=1, keepdims=True)
    return time.perf_counter() - began


def loop(tables: Tables, beliefs: Beliefs, num_episodes: int, record: str, out: Path) -> float:
    """Seconds for the whole loop, the log on disk included."""
    draws, latents = Draws(0, RUNS), np.zeros(RUNS, dtype=int)
    store = RunStore.create(out, config={"record": record}, latents=[], horizon=tables.horizon)
    cohort = Cohort(
        draws=draws,
        envs=TabularWorld(tables).make(latents, draws),
        planner=ExactPlanner(beliefs),
        explorer=NoExploration(),
        recorder=store.recorder(0, 0, RUNS),
        instructions=Schedule("cyclic", tables.instructions, draws),
        num_episodes=num_episodes,
        horizon=tables.horizon,
        meter=RegretMeter(beliefs, latents),
    )
    began = time.perf_counter()
    run_cohort(cohort)
    store.close()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    shown = Table(
        "H", "record", "floor steps/s", "loop steps/s", "ratio", "range", title=f"B = {RUNS}, |Z| = 16, |O| = |G| = 8"
    )
    for horizon in (1, 4):
        tables = random_family(latents=16, states=8, observations=8, subgoals=8, horizon=horizon)
        beliefs, num_episodes = Beliefs(tables), args.episodes * 4 // horizon
        for record in ("episodes", "steps"):
            times = []
            for _ in range(args.repeats):
                with tempfile.TemporaryDirectory() as folder:
                    times.append(
                        (
                            floor(tables, beliefs, num_episodes),
                            loop(tables, beliefs, num_episodes, record, Path(folder) / "run"),
                        )
                    )
            bare, whole = np.array(times).T
            ratio, steps = whole / bare, RUNS * horizon * num_episodes
            shown.add_row(
                str(horizon), record, f"{steps / np.median(bare):,.0f}", f"{steps / np.median(whole):,.0f}",
                f"{np.median(ratio):.2f}", f"{ratio.min():.2f} - {ratio.max():.2f}",
            )  # fmt: skip
    Console().print(shown)


if __name__ == "__main__":
    main()
