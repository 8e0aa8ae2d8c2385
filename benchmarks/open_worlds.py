"""What Parley's loop costs around somebody else's environment: the time of a run that is not spent in the environment.

    python benchmarks/open_worlds.py [--runs 4] [--episodes 12] [--rounds 5] [WORLD ...]
    python benchmarks/open_worlds.py --workers 2 --runs 64 --episodes 2 [WORLD ...]

A bare loop of the same environment with the same choices spends its time in `reset` and `step` (which list what can be
done). A run calls the same, and has around it planner, explorer, sampling, menus, and the log with every menu and
proposal. Both are timed in one and the same run, call by call, so that whatever else the machine does slows both.
Printed: the share by which the whole is longer, the median over the rounds with its 95% interval.

With `--workers` the environments are in processes. A bare loop in as many processes then repeats the run's choices,
each with its share of the runs. Both go in turns, and the wall times are compared.
"""

import argparse
import multiprocessing
import sqlite3
import statistics
import tempfile
import time
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from parley import assemble
from parley.core.draws import Draws
from parley.execute import RunConfig, run
from parley.runs.hooks import Hook, Hooks
from parley.worlds.kit.text_env import TextEnv

WORLDS = ("textworld:coin-collector,level=5,horizon=20", "textworld:cooking,horizon=20", "scienceworld:boil,horizon=15")


class Timed:
    """A low-level environment that adds up the time spent in it."""

    def __init__(self, low: Any, spent: list[float]) -> None:
        self.low, self.spent = low, spent

    def reset(self, **how: Any) -> Any:
        return self._timed(lambda: self.low.reset(**how))

    def step(self, action: Any) -> Any:
        return self._timed(lambda: self.low.step(action))

    def close(self) -> None:
        self.low.close()

    def _timed(self, does: Any) -> Any:
        began = time.perf_counter()
        try:
            return does()
        finally:
            self.spent.append(time.perf_counter() - began)


class Clock(Hook):
    """Wall time from the beginning of a run, when its environments are made, to its end."""

    def begin(self, out: Path, manifest: Any) -> None:
        self.began = time.perf_counter()

    def end(self, manifest: Any) -> None:
        self.took = time.perf_counter() - self.began


def measured(spec: str, runs: int, episodes: int, seed: int, out: Path) -> tuple[float, list[float]]:
    """The time of a run, and of each call of the environment."""
    spent: list[float] = []
    made = assemble.world(spec)

    def text_env(latent: int) -> TextEnv:
        env = made.text_env(latent)
        env.low = Timed(env.low, spent)
        return env

    parts = assemble.parts_of(replace(made, text_env=text_env), "random", "none")
    clock = Clock()
    config = RunConfig(spec, "random", episodes=episodes, runs=runs, seed=seed)
    run(config, out, parts=parts, hooks=Hooks({"clock": clock}))
    return clock.took, spent


def spread(spec: str, runs: int, episodes: int, seed: int, out: Path, workers: int) -> tuple[float, float]:
    """The wall time of a run with its environments in processes, and that of bare loops with the same choices."""
    clock = Clock()
    config = RunConfig(f"{spec},workers={workers}", "random", episodes=episodes, runs=runs, seed=seed)
    run(config, out, hooks=Hooks({"clock": clock}))
    latents = assemble.draw_latents(assemble.world(spec), Draws(seed, runs), None).tolist()
    with sqlite3.connect(out / "run.sqlite") as log:
        told = log.execute("SELECT run, episode, subgoal FROM steps ORDER BY episode, step, run").fetchall()
    shares = [[(r, t, g) for r, t, g in told if r * workers // runs == w] for w in range(workers)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(len, shares, chunksize=1)  # they have started
        return clock.took, max(pool.starmap(bare, [(spec, latents, share) for share in shares], chunksize=1))


def bare(spec: str, latents: list[int], choices: list[tuple[int, int, str]]) -> float:
    """The wall time of making the environments of some runs, and of these (run, episode, action) in them."""
    world = assemble.world(spec)
    began = time.perf_counter()
    envs = {r: world.text_env(latents[r]).low for r in sorted({r for r, _, _ in choices})}  # type: ignore[attr-defined]
    for _, episode in groupby(choices, key=lambda choice: choice[1]):
        for env in envs.values():
            env.reset(seed=0)
        for r, _, action in episode:
            envs[r].step(action)
    for env in envs.values():
        env.close()
    return time.perf_counter() - began


def middle(values: list[float]) -> str:
    """The median with its 95% interval by 2,000 resamples."""
    draws = np.random.default_rng(0).choice(values, (2000, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    return f"{statistics.median(values):+.1f}% [{low:+.1f}%, {high:+.1f}%]"


def main() -> None:
    """Print a line a world."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("worlds", nargs="*", default=WORLDS)
    for name, default in (("runs", 4), ("episodes", 12), ("rounds", 5), ("workers", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    for world in args.worlds or WORLDS:
        more, each = [], []
        with tempfile.TemporaryDirectory() as folder:
            for r in range(args.rounds + 1):
                how = (world, args.runs, args.episodes, r, Path(folder) / str(r))
                if args.workers:
                    whole, alone = spread(*how, args.workers)
                    each.append(alone)
                else:
                    whole, spent = measured(*how)
                    alone = sum(spent)
                    each.append(1000 * alone / len(spent))
                if r:  # the first round makes games and warms up
                    more.append(100 * (whole / alone - 1))
        told = f"{args.runs} runs over {args.workers} processes, bare {statistics.median(each[1:]):.1f} s"
        if not args.workers:
            told = f"{len(spent)} calls of {statistics.median(each[1:]):.1f} ms"
        print(f"{world}: {told}; the run takes {middle(more)}, {args.rounds} rounds", flush=True)


if __name__ == "__main__":
    main()
