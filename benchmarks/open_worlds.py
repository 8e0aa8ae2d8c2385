"""What Parley's loop costs around somebody else's environment: the time of a run that is not spent in the environment.

    python benchmarks/open_worlds.py [--runs 4] [--episodes 12] [--rounds 5] [WORLD ...]

A bare loop of the same environment makes it, and calls `reset` and `step` with the same choices. They list what can be
done. A run calls the same, and has around it planner, explorer, sampling, menus, and the log with every menu and
proposal. Both are timed in one and the same run, call by call, so that whatever else the machine does slows both.
Printed: the share by which the whole is longer, the median over the rounds and their range.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from parley import assemble
from parley.execute import RunConfig, run
from parley.worlds.kit.text_env import TextEnv

WORLDS = ("textworld:coin-collector,level=5,horizon=20", "textworld:cooking,horizon=20", "scienceworld:boil,horizon=15")


def timed(spent: list[float], does: Callable[[], Any]) -> Any:
    """Do it, and add the time that it took."""
    began = time.perf_counter()
    try:
        return does()
    finally:
        spent.append(time.perf_counter() - began)


class Timed:
    """A low-level environment that adds up the time spent in it."""

    def __init__(self, low: Any, spent: list[float]) -> None:
        self.low, self.spent = low, spent

    def reset(self, **how: Any) -> Any:
        return timed(self.spent, lambda: self.low.reset(**how))

    def step(self, action: Any) -> Any:
        return timed(self.spent, lambda: self.low.step(action))

    def close(self) -> None:
        self.low.close()


def measured(spec: str, runs: int, episodes: int, seed: int, out: Path) -> tuple[float, list[float]]:
    """The time of a run from its call to its end, and of each call of the environment, its making too."""
    spent: list[float] = []
    made = assemble.world(spec)

    def text_env(latent: int) -> TextEnv:
        env = timed(spent, lambda: made.text_env(latent))
        env.low = Timed(env.low, spent)
        return env

    parts = assemble.parts_of(replace(made, text_env=text_env), "random", "none")
    config = RunConfig(spec, "random", episodes=episodes, runs=runs, seed=seed)
    began = time.perf_counter()
    run(config, out, parts=parts)
    return time.perf_counter() - began, spent


def main() -> None:
    """Print a line a world."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("worlds", nargs="*", default=WORLDS)
    for name, default in (("runs", 4), ("episodes", 12), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    for world in args.worlds or WORLDS:
        more, each = [], []
        with tempfile.TemporaryDirectory() as folder:
            for r in range(args.rounds + 1):
                whole, spent = measured(world, args.runs, args.episodes, r, Path(folder) / str(r))
                if r:  # the first round makes games and warms up
                    more.append(100 * (whole / sum(spent) - 1))
                    each.append(1000 * sum(spent) / len(spent))
        print(
            f"{world}: {len(spent)} calls of {statistics.median(each):.1f} ms; "
            f"the run takes {statistics.median(more):+.1f}% [{min(more):+.1f}%, {max(more):+.1f}%]",
            flush=True,
        )


if __name__ == "__main__":
    main()
