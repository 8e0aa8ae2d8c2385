"""Whole subgoals of `house` in worker processes, next to bare loops of `env.step` in as many processes.

    python benchmarks/physical.py [--pairs 5] [--runs 16] [--workers 1 2]

One side of a pair is an episode of `house:workers=N`, subgoals drawn at random, through the vectorised text
environment: Actor, Reporter, processes and all. The other is as many low-level actions as it took, drawn at random
before the clock starts, spread evenly over N processes, each of which steps one `HouseMaze`. Both are timed
alternately, environments made and processes warm. Printed: subgoals and low-level actions a second, and the median of
the ratios of wall times with a 95% bootstrap interval.
"""

import argparse
import multiprocessing
import time

import numpy as np

from parley import assemble
from parley.core.draws import Draws
from parley.worlds.house import Mansion
from parley.worlds.house_env import HouseMaze

SPAWN = multiprocessing.get_context("spawn")


def bare(pipe) -> None:
    """A process that steps its environment as often as it is told."""
    env, rng = HouseMaze(Mansion(), Mansion().plans[0]), np.random.default_rng(0)
    env.reset(seed=0)
    while steps := pipe.recv():
        actions = rng.uniform(-1, 1, (steps, 2))
        pipe.send("ready")
        pipe.recv()
        for action in actions:
            env.step(action)
        pipe.send("done")


def bare_seconds(pipes, actions: int) -> float:
    """Wall time of `actions` bare steps over the processes behind `pipes`."""
    for pipe in pipes:
        pipe.send(max(actions // len(pipes), 1))
    for pipe in pipes:
        pipe.recv()
    began = time.perf_counter()
    for pipe in pipes:
        pipe.send("go")
    for pipe in pipes:
        pipe.recv()
    return time.perf_counter() - began


def episode(envs, menu: np.ndarray, number: int, horizon: int) -> tuple[float, int]:
    """Wall time and low-level actions of one episode of random subgoals; `reset` is not timed."""
    rng, seconds, actions = np.random.default_rng(number), 0.0, 0
    envs.reset(options={"episode": number})
    for _ in range(horizon):
        said = menu[rng.integers(len(menu), size=(envs.num_envs, 1))]
        began = time.perf_counter()
        *_, info = envs.step(said)
        seconds += time.perf_counter() - began
        actions += int(info["low_level"].actions.sum())
    return seconds, actions


def measure(workers: int, runs: int, pairs: int) -> None:
    world = assemble.world(f"house:workers={workers}")
    envs = world.make(np.arange(runs) % len(world.latents), Draws(0, runs))
    menu = np.array(world.tables.subgoals, dtype=object)
    ends = [SPAWN.Pipe() for _ in range(workers)]
    for _, theirs in ends:
        SPAWN.Process(target=bare, args=(theirs,), daemon=True).start()
    pipes = [ours for ours, _ in ends]
    episode(envs, menu, 0, world.horizon), bare_seconds(pipes, 1000)  # both sides warm
    ratios, times, taken = [], 0.0, 0
    for number in range(1, pairs + 1):
        seconds, actions = episode(envs, menu, number, world.horizon)
        ratios.append(seconds / bare_seconds(pipes, actions))
        times, taken = times + seconds, taken + actions
    for pipe in pipes:
        pipe.send(0)
    envs.close()
    medians = [np.median(np.random.default_rng(i).choice(ratios, len(ratios))) for i in range(2000)]
    low, high = np.percentile(medians, [2.5, 97.5])
    subgoals = pairs * world.horizon * runs
    print(
        f"{workers} workers, {runs} runs, {pairs} pairs: {subgoals / times:.0f} subgoals/s, "
        f"{taken / times:.0f} actions/s; wall time over bare steps {np.median(ratios):.2f} ({low:.2f} to {high:.2f})",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    for count in args.workers:
        measure(count, args.runs, args.pairs)
