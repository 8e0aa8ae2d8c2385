"""Whole subgoals of `house` in worker processes, next to bare loops of `env.step` in as many processes.

    python benchmarks/physical.py [--pairs 8] [--launches 3] [--runs 64] [--workers 1 2] [--cohorts K]

One side of a pair is an episode of `house`, subgoals drawn at random, through the vectorised text environment: Actor,
Reporter, checks, processes and all. The runs are in cohorts as `parley run` has them by default, each in a thread and
with its share of the processes, or in K of them; the processes of a cohort wait for each other after every subgoal.
The other is as many processes that do the very same low-level actions in the very same mazes from the same places, so
that the physics is the same: each has recorded, before the clock starts, the actions of its worker's runs, and then
calls `HouseMaze.step` on them, one after another, waiting for nobody. Both are timed alternately, environments made and
processes warm; resets are not timed. Printed: subgoals and low-level actions a second, and the median of the ratios
of wall times over several launches of all processes, with a 95% bootstrap interval.
"""

import argparse
import math
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gymnasium as gym
import numpy as np

from parley import assemble
from parley.core.draws import Draws
from parley.execute import RunConfig
from parley.worlds.workers import spread

SPAWN = multiprocessing.get_context("spawn")
SEED = 0


class Tape(gym.Wrapper):
    """Keeps the seed and the actions of an episode, and does them again."""

    def reset(self, **how: Any) -> Any:
        self.how, self.actions = how, []
        return self.env.reset(**how)

    def step(self, action: Any) -> Any:
        self.actions.append(action)
        return self.env.step(action)


def bare(pipe, latents: np.ndarray, first_run: int) -> None:
    """A process that hears the subgoals of some runs, finds out their actions, and does those alone when it is told."""
    envs = assemble.world("house").make(latents, Draws(SEED, len(latents), first_run))
    for one in envs.envs:
        one.env.low = Tape(one.env.low)
    tapes = [one.env.low for one in envs.envs]
    while (told := pipe.recv()) is not None:
        number, said = told
        envs.reset(options={"episode": number})
        for step in said:
            envs.step(step)
        mazes = [(tape.env, tape.actions) for tape in tapes]
        for tape in tapes:
            tape.env.reset(**tape.how)
        pipe.send(sum(len(actions) for _, actions in mazes))
        pipe.recv()
        for maze, actions in mazes:
            for action in actions:
                maze.step(action)
        pipe.send("done")


def bare_seconds(pipes, rows: list[np.ndarray], number: int, said: np.ndarray) -> tuple[float, int]:
    """Wall time of the bare actions of an episode over the processes behind `pipes`, and how many these are."""
    for pipe, mine in zip(pipes, rows, strict=True):
        pipe.send((number, said[:, mine]))
    actions = sum(pipe.recv() for pipe in pipes)
    began = time.perf_counter()
    for pipe in pipes:
        pipe.send("go")
    for pipe in pipes:
        pipe.recv()
    return time.perf_counter() - began, actions


def seconds(pool: ThreadPoolExecutor, cohorts: list, parts: list[np.ndarray], number: int, said: np.ndarray):
    """Wall time and low-level actions of an episode of these subgoals; `reset` is not timed."""
    for envs in cohorts:
        envs.reset(options={"episode": number})

    def carry_out(envs, part: np.ndarray) -> int:
        return sum(int(envs.step(step)[-1]["low_level"].actions.sum()) for step in said[:, part])

    began = time.perf_counter()
    actions = sum(pool.map(carry_out, cohorts, parts))
    return time.perf_counter() - began, actions


def launch(workers: int, runs: int, pairs: int, number_of_cohorts: int) -> tuple[list[float], float, int]:
    """Ratios of wall times of fresh processes; seconds and low-level actions of our side."""
    world = assemble.world(f"house:workers={workers}")
    latents = np.arange(runs) % len(world.latents)
    parts = np.array_split(np.arange(runs), number_of_cohorts)
    places = spread(world, number_of_cohorts)
    cohorts = [place.make(latents[part], Draws(SEED, len(part), int(part[0]))) for place, part in zip(places, parts)]
    menu, pool = np.array(world.tables.subgoals, dtype=object), ThreadPoolExecutor(number_of_cohorts)
    rows, pipes = np.array_split(np.arange(runs), workers), []
    for mine in rows:
        ours, theirs = SPAWN.Pipe()
        SPAWN.Process(target=bare, args=(theirs, latents[mine], int(mine[0])), daemon=True).start()
        pipes.append(ours)
    ratios, times, taken = [], 0.0, 0
    for number in range(pairs + 1):
        said = menu[np.random.default_rng(number).integers(len(menu), size=(world.horizon, runs, 1))]
        ours, actions = seconds(pool, cohorts, parts, number, said)
        theirs, same = bare_seconds(pipes, rows, number, said)
        assert actions == same, "a run is a function of its seed and subgoals"
        if number:  # the first pair warms both sides
            ratios.append(ours / theirs)
            times, taken = times + ours, taken + actions
    for pipe in pipes:
        pipe.send(None)
    for envs in cohorts:
        envs.close()
    return ratios, times, taken


def measure(workers: int, args: argparse.Namespace) -> None:
    usual = RunConfig(f"house:workers={workers}", "random", runs=args.runs)
    cohorts = args.cohorts or math.ceil(args.runs / usual.resolved(assemble.world(usual.world)).cohort)
    found = [launch(workers, args.runs, args.pairs, cohorts) for _ in range(args.launches)]
    ratios, times = np.array([one[0] for one in found]), sum(one[1] for one in found)
    medians = []
    for i in range(2000):  # launches are drawn, then pairs of each: how a process lies in memory matters
        rng = np.random.default_rng(i)
        drawn = ratios[rng.integers(len(ratios), size=len(ratios))]
        medians.append(np.median(rng.permuted(drawn, axis=1)[:, rng.integers(args.pairs, size=args.pairs)]))
    low, high = np.percentile(medians, [2.5, 97.5])
    subgoals = args.launches * args.pairs * assemble.world("house").horizon * args.runs
    print(
        f"{workers} workers, {args.runs} runs in {cohorts} cohorts, {args.launches} x {args.pairs} pairs: "
        f"{subgoals / times:.0f} subgoals/s, {sum(one[2] for one in found) / times:.0f} actions/s; "
        f"wall time over bare steps {np.median(ratios):.3f} ({low:.3f} to {high:.3f})",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--launches", type=int, default=3)
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cohorts", type=int, default=0, help="0: as `parley run` has them by default")
    args = parser.parse_args()
    for count in args.workers:
        measure(count, args)
