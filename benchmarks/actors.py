"""What a decision costs with K Actors: learned planners and factored exact ones linearly, enumeration exponentially.

    python benchmarks/actors.py [--rounds 30] [--runs 64]

Families of 8 latents, for K = 1 to 8. `factored`: 12 statuses, 4 parts a menu, folded at random. `transformer`: 4
layers of width 64, weights as after 3,000 tokens, 2 parts a menu. `enumerated`, up to K = 4: the exact planner on the
product of the same menus as `factored`. Timed is the hearing of an outcome and the K proposals after it; the planners
take turns, and their process's CPU time counts. An episode of K Actors has K + 1 lines a step. In a context that is
kept growing, a transformer's attention adds to this. `transformer` has heard about 200 lines with every K,
`transformer, 11 episodes` as many episodes. In both, the cache, whose room doubles, does not grow in the decision that
is timed. Printed: medians of the rounds. Also the slope of log time in log K over K = 2 to 8, with a 95% bootstrap
interval over rounds. The slope is at most 1 where cost is linear beside a constant.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from parley.core.draws import Draws
from parley.core.factored import Factored
from parley.core.roles import Planner
from parley.core.said import Menu, Opening, Outcome
from parley.core.tables import Tables
from parley.planners.exact import ExactPlanner
from parley.planners.factored import FactoredPlanner
from parley.planners.transformer import TransformerPlanner
from parley.theory.beliefs import Beliefs
from parley.training.recipe import Recipe
from parley.training.train import pretrain
from parley.worlds.tabular.random_family import random_family

MOST, ENUMERATED = 8, 4
LINES, EPISODES = 200, 11  # of context; neither passes 256 tokens, where the cache grows, within a timed decision


def factored(actors: int) -> Factored:
    """A family of 12 statuses, in which every part leads to a status drawn at random."""
    summary = random_family(latents=8, subgoals=12, seed=1)
    fold = np.random.default_rng(actors).integers(0, 12, (8, actors, 12, 4))
    return Factored(summary, (tuple(f"part {m}" for m in range(4)),) * actors, fold)


def transformer(actors: int, folder: Path) -> tuple[Planner, Tables]:
    """A planner with a checkpoint that has hardly been trained."""
    tables = random_family(latents=8, subgoals=2, horizon=2, actors=actors)
    episodes = max(EPISODES, LINES // (2 + tables.horizon * (actors + 1))) + 1
    recipe = Recipe(episodes=episodes, tokens=3_000, width=64, layers=4, heads=4, batch=8)
    pretrain(tables, "random", folder / str(actors), recipe)
    return TransformerPlanner(folder / str(actors)), tables


class Decisions:
    """A planner that hears, step after step, that everybody did the first thing on the menu."""

    def __init__(
        self, planner: Planner, tables: Tables, menus: tuple[tuple[str, ...], ...], runs: int, before: int = 0
    ) -> None:
        self.planner, self.tables, self.runs, self.before = planner, tables, runs, before
        self.menus = [Menu.shared(menu) for menu in menus]
        self.parts = np.tile(np.array([menu[0] for menu in menus], dtype=object), (runs, 1))

    def seconds(self) -> float:
        """CPU time of one decision in the middle of an episode."""
        said = [
            np.full(self.runs, names[0], dtype=object) for names in (self.tables.instructions, self.tables.observations)
        ]
        heard = (self.parts, said[1], np.zeros(self.runs), np.ones(self.runs, dtype=bool))
        self.planner.start(Draws(0, self.runs))
        for e in range(self.before):
            self.planner.hear(Opening(e, *said))
            for h in range(self.tables.horizon):
                self.planner.hear(Outcome(e, h + 1, *heard))
        self.planner.hear(Opening(self.before, *said))
        self.decide()
        began = time.process_time()
        self.planner.hear(Outcome(self.before, 1, *heard))
        self.decide()
        return time.process_time() - began

    def decide(self) -> None:
        for k, menu in enumerate(self.menus):
            self.planner.propose(menu, self.parts[:, :k])


def slope(times: np.ndarray) -> tuple[float, float, float]:
    """Of log median time in log K from K = 2 on, with its interval; `times` are (rounds, K)."""
    x = np.log(np.arange(2, times.shape[1] + 1))
    x = x - x.mean()
    rows = np.random.default_rng(0).integers(0, len(times), (2000, len(times)))
    found = np.log(np.median(times[rows][:, :, 1:], axis=1)) @ x / (x @ x)
    point = float(np.log(np.median(times[:, 1:], axis=0)) @ x / (x @ x))
    return (point, *map(float, np.quantile(found, [0.025, 0.975])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--runs", type=int, default=64)
    args = parser.parse_args()
    alike = f"transformer, {EPISODES} episodes"
    kinds: dict[str, list[Decisions]] = {"factored": [], "enumerated": [], "transformer": [], alike: []}
    with tempfile.TemporaryDirectory() as folder:
        for actors in range(1, MOST + 1):
            family = factored(actors)
            kinds["factored"].append(Decisions(FactoredPlanner(family), family.summary, family.menus, args.runs))
            if actors <= ENUMERATED:
                tables = family.tables()
                kinds["enumerated"].append(Decisions(ExactPlanner(Beliefs(tables)), tables, family.menus, args.runs))
            learned, tables = transformer(actors, Path(folder))
            lines = 2 + tables.horizon * (actors + 1)  # of an episode
            for kind, before in (("transformer", LINES // lines), (alike, EPISODES)):
                kinds[kind].append(Decisions(learned, tables, tables.menus, args.runs, before))
    for name, planners in kinds.items():
        for one in planners:
            one.seconds()  # its first answers
        times = np.array([[one.seconds() for one in planners] for _ in range(args.rounds)])
        listed = ", ".join(f"{1e3 * t:.2f}" for t in np.median(times, axis=0))
        point, low, high = slope(times)
        Console().print(f"{name}: ms for K = 1, 2, ...: {listed}", soft_wrap=True)
        Console().print(f"    slope {point:.2f} (95% {low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
