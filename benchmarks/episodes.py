"""Cost of an episode against t: flat for the exact planner, growing only with attention over the cache
for the transformer.

    python benchmarks/episodes.py [--episodes 200]

Each row: milliseconds an episode of 64 runs in a tenth of the run, and the ratio to the first tenth. Both are medians,
so that a busy neighbour does not count. The transformer cuts its history by rule when its context is full, hence the
saw-tooth.
"""

import argparse
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from parley import assemble
from parley.core.draws import Draws
from parley.core.said import EpisodeRecord
from parley.loop import Cohort, run_cohort
from parley.theory.regret import RegretMeter


class Clock:
    """A recorder that keeps the time each episode took."""

    def __init__(self) -> None:
        self.wall_s: list[float] = []

    def step(self, record: object) -> None: ...

    def episode(self, record: EpisodeRecord, snapshot: object = None) -> None:
        self.wall_s.append(record.wall_s)

    def wants_snapshot(self) -> bool:
        return False


def times(world_spec: str, planner_spec: str, num_episodes: int, num_runs: int = 64) -> np.ndarray:
    """Milliseconds of every episode."""
    world, draws, clock = assemble.world(world_spec), Draws(0, num_runs), Clock()
    latents = assemble.draw_latents(world, draws, None)
    scene = assemble.Scene(world_spec, world, latents, num_episodes)
    run_cohort(
        Cohort(
            draws=draws,
            envs=world.make(latents, draws),
            planner=assemble.planner(planner_spec, scene),
            explorer=assemble.explorer("epsilon-greedy:epsilon=0.1", scene),
            recorder=clock,
            instructions=assemble.Schedule("cyclic", world.instructions, draws),
            num_episodes=num_episodes,
            horizon=world.horizon,
            meter=RegretMeter(scene.beliefs, latents),
        )
    )
    return 1e3 * np.array(clock.wall_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=200)
    args = parser.parse_args()
    began = time.perf_counter()
    for world_spec in ("shortcut", "household"):
        shown = Table(
            "episodes", "exact ms", "ratio", "transformer ms", "ratio", title=f"{world_spec}, 64 runs in lockstep"
        )
        columns = [
            np.array([np.median(part) for part in np.array_split(times(world_spec, planner, args.episodes), 10)])
            for planner in ("exact", "transformer")
        ]
        bounds = np.linspace(0, args.episodes, 11).astype(int)
        for i in range(10):
            cells = [f"{bounds[i]} - {bounds[i + 1] - 1}"]
            for column in columns:
                cells += [f"{column[i]:.2f}", f"{column[i] / column[0]:.2f}"]
            shown.add_row(*cells)
        Console().print(shown)
    Console().print(f"{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
