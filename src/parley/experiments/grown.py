"""Small checkpoints, trained on few or many generated families, and how their gap to the exact planner falls."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import difference
from parley.experiments.base import expected_regret as regret_of
from parley.experiments.unseen_families import family_spec
from parley.theory.curves import bootstrap
from parley.training.families import TOGETHER
from parley.training.generalist import pretrain_generated
from parley.training.pages import length
from parley.training.recipe import Recipe

EPISODES = 32
SEEDS = "generated"  # the set of families of kinds that were trained on
CURVE = ((64, 64), (1024, 64), (16_384, 64), (16_384, 32))  # families and width of the checkpoints of the curve


@dataclass(frozen=True)
class Grown(RunConfig):
    """A cell that trains a checkpoint on `families` families and runs it on held-out seeds."""

    families: int = 0
    width: int = 64
    tokens: int = 172_032_000  # 7,000 steps

    @property
    def seen(self) -> int:
        """Different families that it is trained on."""
        recipe = self.recipe()
        read = self.tokens // (recipe.batch * length(recipe.episodes)) * (recipe.batch // TOGETHER)
        return min(self.families, read) if self.families else read

    def recipe(self) -> Recipe:
        return Recipe(
            episodes=EPISODES, tokens=self.tokens, width=self.width, layers=4, heads=4, batch=32, learning_rate=2e-3
        )


def grown(config: Grown, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R T"]:
    """Expected regret of a checkpoint that is trained for it, a row for each held-out family."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "checkpoint"
        pretrain_generated(out, config.recipe(), config.families)
        planner = f"hf:{out},header=true,normalise=menu,decode=greedy"
        specs = [family_spec(config.world, i) for i in range(config.runs)]
        rows = [
            regret_of(RunConfig(spec, planner, episodes=EPISODES, runs=1, seed=i), bar) for i, spec in enumerate(specs)
        ]
    return np.concatenate(rows)


def curve(
    configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]], exact: Float[np.ndarray, "R T"]
) -> list[dict[str, Any]]:
    """The gap to the exact planner of what was trained on few and many families, and how it falls."""
    rows, points, gaps = [], [], []
    for config, regret in zip(configs, regrets, strict=True):
        if isinstance(config, Grown):
            best = exact[: len(regret)]
            gap, (low, high) = difference(regret, best)
            points.append((config.seen, config.width))
            gaps.append((regret - best).sum(axis=1))
            row = {"set": SEEDS, "trained on": config.seen, "width": config.width, "tokens": config.tokens}
            rows.append(row | {"gap to exact": gap, "low": low, "high": high})
    return rows + _fits(np.array(points), np.array(gaps).T) if points else rows


def _fits(points: Float[np.ndarray, "P 2"], gaps: Float[np.ndarray, "R P"]) -> list[dict[str, Any]]:
    """Least squares of log gap on log families and log width; intervals by resampling the families of the test."""
    log = np.log(points.astype(float))
    design = np.column_stack([np.ones(len(log)), log])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise BadInput(f"trained on {points.tolist()}: a fit needs two numbers of families and two widths at least")
    found = []
    for i, name in enumerate(("families", "width")):

        def exponent(means: list[np.ndarray], i: int = i) -> float:
            return float(np.linalg.lstsq(design, np.log(np.maximum(means[0], 1e-9)), rcond=None)[0][i + 1])

        fit = bootstrap(exponent, [gaps])
        row = {"set": SEEDS, "fitted": f"exponent of {name} in the gap to exact", "points": len(points)}
        found.append(row | {"estimate": fit.value, "low": fit.low, "high": fit.high})
    return found
