"""What Parley's loop costs around somebody else's environment: a run, and a bare loop of the same environment.

    python benchmarks/open_worlds.py [--runs 4] [--episodes 3] [--rounds 5] [WORLD ...]

Both take the same actions in the same order: those that the random planner chose are played again, with `reset` and
`step` alone (which list what can be done, as in the run). The rounds alternate. The run has all around it: planner,
explorer, sampling, menus, and the log with every menu and proposal. Printed are the shortest wall times, which other
programs disturb least, and what the run takes of this process's CPU time more than the bare loop, as a share of that.
"""

import argparse
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from parley import assemble
from parley.core.draws import Draws
from parley.execute import RunConfig, run
from parley.runs.hooks import Hook, Hooks

WORLDS = ("textworld:coin-collector,level=5,horizon=20", "textworld:cooking,horizon=20", "scienceworld:boil,horizon=20")


class Clock(Hook):
    """Wall and CPU time from the beginning of a run, when its environments are made, to its end."""

    def begin(self, out: Path, manifest: Any) -> None:
        self.began = now()

    def end(self, manifest: Any) -> None:
        self.took = now() - self.began


def now() -> np.ndarray:
    """Wall and CPU seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def logged(world: str, runs: int, episodes: int, seed: int, out: Path) -> tuple[np.ndarray, list[tuple]]:
    """The times of a run, and what it did."""
    clock = Clock()
    run(RunConfig(world, "random", episodes=episodes, runs=runs, seed=seed), out, hooks=Hooks({"clock": clock}))
    db = sqlite3.connect(out / "run.sqlite")
    rows = db.execute("SELECT episode, run, step, subgoal FROM steps ORDER BY episode, step, run").fetchall()
    db.close()
    return clock.took, rows


def bare(world: str, runs: int, seed: int, rows: list[tuple]) -> np.ndarray:
    """The times of the same episodes with `reset` and `step` of the environment alone."""
    made, draws = assemble.world(world), Draws(seed, runs)
    envs = [made.text_env(int(z)) for z in assemble.draw_latents(made, draws, None)]
    began, here, seeds = now(), -1, list[int]()
    for episode, number, _, subgoal in rows:
        if episode != here:  # all begin, as in a run
            here, seeds = episode, [int(np.random.default_rng(s).integers(2**31)) for s in draws.seeds(episode)]
            for env, seed_of in zip(envs, seeds, strict=True):
                env.low.reset(seed=seed_of)
        envs[number].low.step(subgoal)
    took = now() - began
    for env in envs:
        env.close()
    return took


def main() -> None:
    """Print a line a world."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("worlds", nargs="*", default=WORLDS)
    for name, default in (("runs", 4), ("episodes", 3), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    for world in args.worlds or WORLDS:
        rounds: list[tuple[np.ndarray, np.ndarray]] = []
        with tempfile.TemporaryDirectory() as folder:
            for r in range(args.rounds + 1):
                whole, rows = logged(world, args.runs, args.episodes, 1, Path(folder) / str(r))
                rounds.append((whole, bare(world, args.runs, 1, rows)))
        whole, alone = np.array(rounds[1:]).min(axis=0)  # the first round makes games and warms up
        cpu = np.median([one[1] - other[1] for one, other in rounds[1:]]) / alone[0]
        each = 1000 * alone[0] / len(rows)
        print(
            f"{world}: {len(rows)} steps of {each:.2f} ms alone; in a run {100 * (whole[0] / alone[0] - 1):+.1f}% wall "
            f"time, {100 * cpu:+.1f}% CPU time",
            flush=True,
        )


if __name__ == "__main__":
    main()
