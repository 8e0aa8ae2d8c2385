"""Whole subgoals of `house` in worker processes, next to bare loops of `env.step` in as many processes.

    python benchmarks/physical.py [--pairs 8] [--launches 3] [--runs 64] [--workers 1 2] [--cohorts K] [--quiet 0.02]

One side of a pair is an episode of `house`, subgoals drawn at random, through the vectorised text environment: Actor,
Reporter, checks, processes and all. The runs are in cohorts as `parley run` has them by default, or in K of them. Each
cohort has a thread, and its share of the processes. The processes of a cohort wait for each other after every subgoal.
The other side executes the same low-level actions, recorded before the clock starts, in the same mazes of the same
processes. Each process calls `HouseMaze.step` on them, one after another, and waits for nobody. That both are in the
same processes matters: what a step takes differs by a few per cent from process to process. Now this, now that side is
timed first; resets are not timed. If other processes took more than a share of all cores during a pair (`--quiet`, read
from /proc), the pair is made again. Printed: subgoals and low-level actions a second, and the median of the ratios of
wall times over several launches of all processes. The median has a 95% bootstrap interval.
"""

import argparse
import math
import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from parley import assemble
from parley.core.draws import Draws
from parley.core.said import LowLevel
from parley.execute import RunConfig
from parley.worlds.kit.workers import WorkersWorld, spread

SEED = 0


class Tape(gym.Wrapper):
    """Keeps the actions of an episode."""

    def reset(self, **how: Any) -> Any:
        self.actions = []
        return self.env.reset(**how)

    def step(self, action: Any) -> Any:
        self.actions.append(action)
        return self.env.step(action)


class Taped:
    """The environments of a worker process; `options["how"]` of an episode is record, whole (as it is) or bare."""

    def __init__(self, latents: np.ndarray, draws: Draws) -> None:
        self.envs = assemble.world("house").make(latents, draws)
        self.tapes = [Tape(one.env.low) for one in self.envs.envs]

    def reset(self, *, seed: Any, options: dict[str, Any]) -> Any:
        self.how = options["how"]
        for one, tape in zip(self.envs.envs, self.tapes, strict=True):
            one.env.low = tape if self.how == "record" else tape.env
        return self.envs.reset(seed=seed, options=options)

    def step(self, subgoals: np.ndarray) -> Any:
        """One subgoal of every run; `bare`: all actions of the episode that was recorded last."""
        if self.how != "bare":
            return self.envs.step(subgoals)
        for tape in self.tapes:
            maze = tape.env
            for action in tape.actions:
                maze.step(action)
        nothing, counts = np.zeros(len(self.tapes)), np.array([len(tape.actions) for tape in self.tapes])
        return nothing, nothing, nothing, nothing, {"menus": [], "low_level": LowLevel(counts, [""] * len(counts))}


class TapedHouse:
    """What a worker process makes its environments of."""

    def make(self, latents: np.ndarray, draws: Draws) -> Taped:
        return Taped(latents, draws)


def others() -> float:
    """Seconds of all cores since the machine started that went to processes which are not of this program."""
    busy = [float(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    mine = 0.0
    for pid in (os.getpid(), *(child.pid for child in multiprocessing.active_children())):
        mine += sum(map(float, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return (sum(busy[:8]) - busy[3] - busy[4] - mine) / os.sysconf("SC_CLK_TCK")  # but idle and waiting for disks


class Launch:
    """Fresh processes, and the cohorts of their runs."""

    def __init__(self, workers: int, runs: int, cohorts: int) -> None:
        world = assemble.world("house")
        self.menu, self.shape = np.array(world.tables.subgoals, dtype=object), (world.horizon, runs, 1)
        latents, self.parts = np.arange(runs) % len(world.latents), np.array_split(np.arange(runs), cohorts)
        places = zip(spread(WorkersWorld(world, TapedHouse, workers), cohorts), self.parts, strict=True)
        self.cohorts = [place.make(latents[part], Draws(SEED, len(part), int(part[0]))) for place, part in places]
        self.pool = ThreadPoolExecutor(cohorts)

    def seconds(self, number: int, how: str) -> tuple[float, int]:
        """Wall time and low-level actions of an episode."""
        said = self.menu[np.random.default_rng(number).integers(len(self.menu), size=self.shape)]
        for envs in self.cohorts:
            envs.reset(options={"episode": number, "how": how})

        def carry_out(envs: gym.vector.VectorEnv, part: np.ndarray) -> int:
            steps = said[:1] if how == "bare" else said
            return sum(int(envs.step(step[part])[-1]["low_level"].actions.sum()) for step in steps)

        began = time.perf_counter()
        actions = sum(self.pool.map(carry_out, self.cohorts, self.parts))
        return time.perf_counter() - began, actions

    def pairs(self, count: int, quiet: float) -> tuple[list[float], float, int]:
        """Ratios of wall times; seconds and low-level actions of our side."""
        ratios, times, taken = [], 0.0, 0
        for number in range(10 * count):
            _, due = self.seconds(number, "record")
            began, elsewhere, found = time.perf_counter(), others(), {}
            for how in ("whole", "bare") if number % 2 else ("bare", "whole"):
                found[how], actions = self.seconds(number, how)
                assert actions == due, "a run is a function of its seed and subgoals"
            noise = (others() - elsewhere) / (time.perf_counter() - began) / (os.cpu_count() or 1)
            if number and noise <= quiet:  # the first pair warms both sides
                ratios.append(found["whole"] / found["bare"])
                times, taken = times + found["whole"], taken + due
            if len(ratios) == count:
                return ratios, times, taken
        raise SystemExit(f"--quiet {quiet}: other processes took more than that in {10 * count - len(ratios)} pairs")

    def close(self) -> None:
        for envs in self.cohorts:
            envs.close()


def measure(workers: int, args: argparse.Namespace) -> None:
    usual = RunConfig(f"house:workers={workers}", "random", runs=args.runs)
    cohorts = args.cohorts or math.ceil(args.runs / usual.resolved(assemble.world(usual.world)).cohort)
    found = []
    for _ in range(args.launches):
        launch = Launch(workers, args.runs, cohorts)
        found.append(launch.pairs(args.pairs, args.quiet))
        launch.close()
    ratios, times = np.array([one[0] for one in found]), sum(one[1] for one in found)
    medians = []
    for i in range(2000):  # launches are drawn, then pairs of each: how a process lies in memory matters
        rng = np.random.default_rng(i)
        drawn = ratios[rng.integers(len(ratios), size=len(ratios))]
        medians.append(np.median(rng.permuted(drawn, axis=1)[:, rng.integers(args.pairs, size=args.pairs)]))
    low, high = np.percentile(medians, [2.5, 97.5])
    subgoals = args.launches * args.pairs * assemble.world("house").horizon * args.runs
    print(
        f"{workers} workers, {args.runs} runs in {cohorts} cohorts, {args.launches} x {args.pairs} pairs. "
        f"{subgoals / times:.0f} subgoals/s, {sum(one[2] for one in found) / times:.0f} actions/s; "
        f"wall time over bare steps {np.median(ratios):.3f} ({low:.3f} to {high:.3f}); "
        f"of each launch {', '.join(f'{m:.3f}' for m in np.median(ratios, axis=1))}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--launches", type=int, default=3)
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cohorts", type=int, default=0, help="0: as `parley run` has them by default")
    parser.add_argument("--quiet", type=float, default=0.02, help="share of all cores that others may take meanwhile")
    args = parser.parse_args()
    for count in args.workers:
        measure(count, args)
