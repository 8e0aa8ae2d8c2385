"""`pretraining-error`: how the planner's error falls with the data, and what it costs (He et al. 2024, 5.3).

Models of several widths are trained on N_p documents of T_p episodes until held-out documents say that nothing more is
gained. Their total variation to the exact oracle is fitted as (N_p T_p)^b. Each then plans with epsilon-greedy
exploration. Its loss beyond the exact planner, an episode, is fitted against its error: the term linear in T.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.errors import BadInput
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, expected_regret
from parley.report.plots import loglog_figure
from parley.theory.curves import loglog_slope
from parley.training.converge import converge
from parley.training.recipe import Recipe

NAME = "pretraining-error"
CLAIM = "Until the model's size binds, the error falls like (N_p T_p)^b with b within 0.15 of -0.5"
EXPONENT, WIDTH = -0.5, 0.15
BINDS = 1.5  # a width binds where the next larger one's error is smaller by this factor
ERROR, HALF, LOSS, STEPS, PARAMETERS, COST = range(6)  # of the numbers kept of a cell; then the cost of every run


@dataclass(frozen=True)
class Training(RunConfig):
    """A cell: a training, and the runs of the planner that came of it."""

    documents: int = 64
    width: int = 32
    rho: float = 0.0
    label_error: float = 0.0

    def recipe(self) -> Recipe:
        heads = max(1, self.width // 16)
        batch = max(4, 1024 // (8 * self.episodes))
        return Recipe(
            episodes=self.episodes,
            width=self.width,
            layers=2,
            heads=heads,
            batch=batch,
            learning_rate=6e-3,
            rho=self.rho,
            behaviour="uniform",
            seed=self.seed,
        )


def cells(quick: bool) -> Sequence[Training]:
    base = Training("shortcut", "transformer", "epsilon-greedy:epsilon=0.1", runs=64, episodes=8)
    if quick:
        return [replace(base, documents=n, width=16, seed=s) for n in (16, 64, 256) for s in range(3)]
    numbers = (32, 128, 512, 2048)
    found = [replace(base, documents=n, width=32, seed=s) for n in numbers for s in range(3)]
    found += [replace(base, documents=n, width=8, seed=s) for n in numbers for s in range(2)]
    # The same product N_p T_p, from shorter and longer documents.
    return found + [replace(base, documents=4096 // t, width=32, seed=s, episodes=t) for t in (4, 32) for s in range(2)]


def measure(config: Training, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "1 K"]:
    """Train, evaluate, and run: error, half width, loss, steps, parameters, then the extra regret of every run."""
    tables = assemble.world(config.world).tables
    if tables is None:
        raise BadInput(f"world {config.world!r} has no exact tables: this experiment needs them")
    with tempfile.TemporaryDirectory() as folder:
        out, beliefs = Path(folder) / "checkpoint", assemble.beliefs_of(tables)
        trained = converge(beliefs, config.world, config.documents, config.recipe(), out, config.label_error)
        error = trained.about["error"]["uniform"]
        plain = RunConfig(**{name: getattr(config, name) for name in RunConfig.__dataclass_fields__})
        mine = expected_regret(replace(plain, planner=f"transformer:checkpoint={out}"), bar)
        best = expected_regret(replace(plain, planner="exact"), lambda record, runs: None)
    kept = [error["mean"], error["half_width"], trained.held_out_loss, trained.steps, trained.about["parameters"]]
    return np.concatenate([kept, (mine - best).mean(axis=1)])[None]


def binding(errors: dict[int, dict[int, np.ndarray]]) -> dict[int, set[int]]:
    """Of each width, the numbers of documents at which the next larger width does much better: there the size binds."""
    widths = sorted(errors)
    bound: dict[int, set[int]] = {width: set() for width in widths}
    for width, larger in zip(widths, widths[1:], strict=False):
        bound[width] = {n for n, e in errors[width].items() if e.mean() > BINDS * errors[larger][n].mean()}
    return bound


def analyse(configs: Sequence[Training], kept: Sequence[Float[np.ndarray, "1 K"]]) -> Finding:
    """Least squares in logarithms of the mean error over seeds; the interval is a bootstrap over seeds."""
    standard = [(c, k[0]) for c, k in zip(configs, kept, strict=True) if c.episodes == configs[0].episodes]
    errors: dict[int, dict[int, np.ndarray]] = {}
    for width in sorted({c.width for c, _ in standard}):
        of = [(c.documents, k[ERROR]) for c, k in standard if c.width == width]
        errors[width] = {n: np.array([e for m, e in of if m == n]) for n in sorted({m for m, _ in of})}
    bound = binding(errors)
    rows: list[dict[str, Any]] = []
    for width, by_number in errors.items():
        free = {n: e for n, e in by_number.items() if n not in bound[width]}
        if len(free) > 1:
            fit = loglog_slope(np.array(list(free)) * float(configs[0].episodes), list(free.values()))
            rows.append({"width": width, "exponent": fit.value, "interval": [fit.low, fit.high], "points": len(free)})
    slope, (low, high) = rows[-1]["exponent"], rows[-1]["interval"]
    cost, between = cost_of_error(kept)
    rows.append({"regret of an episode per unit of error": cost, "interval": list(between)})
    for c, k in zip(configs, kept, strict=True):
        rows.append({**_row(c, k[0]), "size_binds": c.documents in bound.get(c.width, set())})
    inside = EXPONENT - WIDTH <= low and high <= EXPONENT + WIDTH
    outside = high < EXPONENT - WIDTH or low > EXPONENT + WIDTH
    verdict = SUPPORTED if inside else NOT_SUPPORTED if outside else UNDECIDED
    return Finding(CLAIM, verdict, slope, (low, high), "exponent of N_p T_p, largest width", rows)


def _row(c: Training, k: np.ndarray) -> dict[str, Any]:
    names = ("error", "half_width", "held_out_loss", "steps", "parameters")
    found = {"documents": c.documents, "episodes": c.episodes, "width": c.width, "seed": c.seed}
    return {**found, **dict(zip(names, map(float, k[:COST]), strict=True)), "extra_regret": float(k[COST:].mean())}


def cost_of_error(kept: Sequence[Float[np.ndarray, "1 K"]]) -> tuple[float, tuple[float, float]]:
    """Extra regret of an episode per unit of error, through the origin, over all trainings, with its interval."""
    x = np.array([k[0, ERROR] for k in kept])
    y = np.array([k[0, COST:].mean() for k in kept])
    slope = float(x @ y / (x @ x))
    spread = np.sqrt(((y - slope * x) ** 2).sum() / max(1, len(x) - 1) / (x @ x))
    return slope, (slope - 1.96 * float(spread), slope + 1.96 * float(spread))


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    trained = [one for one in rows if "documents" in one]
    series: dict[str, list[tuple[float, ...]]] = {}
    for one in trained:
        label = f"width {one['width']:g}"
        if one["episodes"] != trained[0]["episodes"]:
            label += f", T_p = {one['episodes']:g}"
        series.setdefault(label, []).append((one["documents"] * one["episodes"], one["error"], one["half_width"]))
    return loglog_figure(NAME, "N_p T_p", "total variation to the oracle", series, EXPONENT)
