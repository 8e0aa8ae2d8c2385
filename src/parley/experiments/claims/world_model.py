"""`world-model`: the checkpoint that plans also predicts (He et al. 2024, section 6; theory.md 6).

Held-out documents are read by the shipped transformers and by the exact Bayesian aggregated world model side by side.
At every depth the model predicts on its own predictions. Depth 1 is taken over all episodes of a document, and episode
by episode as well. The reason is that knowledge of the latent makes late ones easier to predict. Greater depths are
taken over episodes 1, 2, 4, 8, ... of it.

Partially observable are `household` and `keys` (its tables), noisy all of them: `household` misses a thing with
probability 0.2, `weather` mistakes the sky with 0.25. Dynamic is `weather`, whose conditions drift within an episode.

Small models are trained here as well, on observations without labels, in several widths and on several shares rho of
expert episodes. Their worlds are `shortcut` and a `weather` whose path seldom fails; they are reported and decide
nothing. They are measured on documents like those they are trained on. In `weather`, observations teach too little in
so short a time. There the targets are the distributions of observations averaged over the posterior, from weights that
look back.

With rho > 0 the actor that chose a subgoal may have known the latent. So the exact reader that they are compared with
counts it (`ReadingWorldModel`): at depth 1 its loss is the floor. Beyond, it is the same imagining done exactly, which
does not ask why the later subgoals were chosen: no floor.
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
from parley.core.roles import WorldModel
from parley.core.said import EpisodeRecord
from parley.core.spec import parse_spec
from parley.core.tables import Tables
from parley.data.documents import sample_documents
from parley.data.held_out import HELD_OUT
from parley.evaluation.evaluate import matching
from parley.evaluation.foresight import BINS, Foresight, foresight
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, shipped
from parley.models.checkpoint import Checkpoint
from parley.planners.exact import ExactPlanner
from parley.planners.prediction import ExactWorldModel, ReadingWorldModel, TransformerWorldModel
from parley.report.plots import by_column, dots_figure, reliability_figure, save_png
from parley.theory.curves import student
from parley.training.recipe import Recipe
from parley.training.train import pretrain

NAME = "world-model"
CLAIM = (
    "At depth 1 the shipped transformers' log-loss on held-out observations is at most 0.02 nats above the entropy "
    "floor. Their calibration error is at most 0.02. Both hold in every tabular world and in the tables of `keys`"
)
BOUND = 0.02
EXCESS, HALF = range(2)  # of the numbers kept of a row; then the reliability
NAMES = ("floor_nats", "total_variation", "calibration_error", "accuracy")
KEPT = 2 + len(NAMES)
Rows = Float[np.ndarray, "H+T K"]  # one a depth; then one an episode, at depth 1
SHIPPED = "shipped"
DOCUMENTS, FEWER = 128, {"weather": 16}  # held out; in `weather` five imagined steps take long


@dataclass(frozen=True)
class Sweep:
    """The trainings in one world: every width on no expert episodes, one of them on shares of these as well."""

    recipe: Recipe
    widths: tuple[int, ...]
    every: int  # the width that is trained on shares
    rhos: tuple[float, ...]
    seeds: tuple[int, int]  # trainings of each width, and of each share


BASE = Recipe(episodes=8, batch=16, behaviour="uniform", label_weight=0.0)
SWEEPS = {
    "shortcut:open=0.5": Sweep(
        replace(BASE, tokens=800_000, layers=2, learning_rate=6e-3),
        (8, 16, 24, 32),
        16,
        (0.25, 0.5, 0.75, 1.0),
        (3, 2),
    ),
    "weather:lost=0.1": Sweep(
        replace(BASE, tokens=2_000_000, layers=3, learning_rate=4e-3, observations="averaged", initial="look-back"),
        (8, 16, 24, 32),
        32,
        (0.25, 0.5, 0.75, 1.0),
        (1, 1),
    ),
}


@dataclass(frozen=True)
class Observing(RunConfig):
    """A model that is trained first, on observations alone, in documents of `episodes`; then measured on `runs`."""

    width: int = 16
    rho: float = 0.0
    tokens: int = 0

    def recipe(self) -> Recipe:
        recipe = replace(SWEEPS[self.world].recipe, width=self.width, heads=self.width // 8, episodes=self.episodes)
        return replace(recipe, tokens=self.tokens, rho=self.rho, seed=self.seed)


def worlds() -> list[str]:
    """The tabular worlds for which a checkpoint ships, and the tables of `keys`."""
    return [*(path.name for path in shipped()), "keys:low_level=false"]


def checkpoint(world: str) -> Path:
    return assemble.shipped(parse_spec(world, "world")[0])


def cells(quick: bool) -> Sequence[RunConfig]:
    """One for each shipped checkpoint: `runs` documents of its training length; then those that are trained."""
    found: list[RunConfig] = []
    for world in worlds():
        episodes = int(Checkpoint.load(checkpoint(world)).about["episodes"])
        documents = 16 if quick else FEWER.get(world, DOCUMENTS)
        found.append(RunConfig(world, "transformer", "none", episodes=episodes, runs=documents))
    for world, sweep in SWEEPS.items():
        tokens = sweep.recipe.tokens // (10 if quick else 1)
        base = Observing(world, "transformer", "none", sweep.recipe.episodes, 256, tokens=tokens, width=sweep.every)
        kinds = (
            [replace(base, width=width) for width in sweep.widths],
            [replace(base, rho=rho) for rho in sweep.rhos],
        )
        for each, seeds in zip(kinds, sweep.seeds, strict=True):
            found += [] if quick else [replace(one, seed=seed) for one in each for seed in range(seeds)]
        found += [base] if quick else []
    return found


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Rows:
    """A row a depth, and a row an episode."""
    tables = assemble.world(config.world).tables
    if tables is None:
        raise BadInput(f"world {config.world!r} has no exact tables: this experiment needs them")
    if isinstance(config, Observing):
        with tempfile.TemporaryDirectory() as folder:
            pretrain(tables, config.world, out := Path(folder) / "checkpoint", config.recipe())
            return _compared(config, TransformerWorldModel(out, tables), tables, "uniform", config.rho)
    return _compared(config, TransformerWorldModel(checkpoint(config.world), tables), tables, "mixed", 0.0)


def _compared(config: RunConfig, model: WorldModel, tables: Tables, behaviour: str, rho: float) -> Rows:
    beliefs, seed = assemble.beliefs_of(tables), (config.seed, HELD_OUT)
    documents = sample_documents(beliefs, config.runs, config.episodes, seed, rho, behaviour)
    exact = ReadingWorldModel(beliefs, ExactPlanner(beliefs, matching(rho))) if rho else ExactWorldModel(beliefs)
    found = foresight(model, exact, documents, tables, _doubling(config.episodes))
    return np.stack([_row(one) for one in (*found, *(found[0].of_episode(t) for t in range(config.episodes)))])


def _doubling(episodes: int) -> list[int]:
    """The episodes, counted from 0, before which 0, 1, 3, 7, ... others have been heard."""
    return [2**k - 1 for k in range(episodes.bit_length())]


def _row(one: Foresight) -> Float[np.ndarray, " K"]:
    by_document = one.excess_nats.mean(axis=1)
    half = 1.96 * by_document.std(ddof=1) / np.sqrt(len(by_document))
    means = [part.mean() for part in (one.floor_nats, one.total_variation)]
    found = [by_document.mean(), half, *means, one.calibration_error, one.correct.mean()]
    return np.concatenate([found, one.reliability().ravel()])


def analyse(configs: Sequence[RunConfig], kept: Sequence[Rows]) -> Finding:
    """Of what ships, the largest excess at depth 1 decides, its interval over documents, and the largest calibration
    error.

    A model that was trained with several seeds has their mean, and an interval over trainings. Of the episodes, rows
    show those after 0, 1, 3, 7, ... others.
    """
    alike: dict[tuple[str, str], list[tuple[RunConfig, Rows]]] = {}
    for config, found in zip(configs, kept, strict=True):
        alike.setdefault((config.world, _model(config)), []).append((config, found))
    rows: list[dict[str, Any]] = []
    for (world, model), trained in alike.items():
        config, number = trained[0][0], len(trained)
        depths = len(trained[0][1]) - config.episodes
        shown = {f"depth {d + 1}": d for d in range(depths)}
        shown |= {f"episode {t + 1}": depths + t for t in _doubling(config.episodes)}
        for name, at in shown.items():
            each = np.array([found[at, :KEPT] for _, found in trained])
            mean, row = each.mean(axis=0), {"world": world, "model": model, "of": name, "trainings": number}
            half = mean[HALF]
            if number > 1:
                half = student(0.95, number - 1) * each[:, EXCESS].std(ddof=1) / np.sqrt(number)
            row |= {"documents": config.runs, "excess_nats": float(mean[EXCESS])}
            row |= {"interval": [float(mean[EXCESS] - half), float(mean[EXCESS] + half)]}
            rows.append({**row, **dict(zip(NAMES, map(float, mean[2:KEPT]), strict=True))})
    first = [row for row in rows if row["of"] == "depth 1" and row["model"] == SHIPPED]
    worst = max(first, key=lambda row: row["interval"][1])
    low, high = worst["interval"]
    calibrated = max(row["calibration_error"] for row in first) <= BOUND
    good, bad = high <= BOUND and calibrated, low > BOUND or not calibrated
    verdict = SUPPORTED if good else NOT_SUPPORTED if bad else UNDECIDED
    quantity = "excess log-loss at depth 1 (nats an observation), worst world"
    return Finding(CLAIM, verdict, worst["excess_nats"], (low, high), quantity, rows)


def _model(config: RunConfig) -> str:
    return f"trained, width {config.width}, rho {config.rho}" if isinstance(config, Observing) else SHIPPED


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The excess log-loss of what ships, by world and depth."""
    shipped = [
        {**one, "half_width": (one["interval"][1] - one["interval"][0]) / 2}
        for one in rows
        if one["model"] == SHIPPED and one["of"].startswith("depth")
    ]
    names = list(dict.fromkeys(one["world"] for one in shipped))
    columns, halves = by_column(shipped, "world", "of", "excess_nats", "half_width")
    return dots_figure(NAME, "nats an observation above the entropy floor", names, columns, halves)


def keep(configs: Sequence[RunConfig], kept: Sequence[Rows], out: Path) -> None:
    """Reliability at depth 1, and at the greatest depth; of the trained models one a world."""
    save_png(reliability(configs, kept), out / "reliability.png")


def reliability(configs: Sequence[RunConfig], kept: Sequence[Rows]) -> Figure:
    both: list[tuple[str, RunConfig, Rows]] = []
    panels = []
    for c, k in zip(configs, kept, strict=True):
        if not isinstance(c, Observing) or (c.width, c.rho, c.seed) == (SWEEPS[c.world].every, 0.0, 0):
            both.append((f"{c.world}, {_model(c)}", c, k))
    for title, at in (("depth 1", [0] * len(both)), ("the last depth", [len(k) - c.episodes - 1 for _, c, k in both])):
        bins = [(name, k[row, KEPT:].reshape(BINS, 3)) for (name, _, k), row in zip(both, at, strict=True)]
        panels.append((f"{NAME}, {title}", bins))
    return reliability_figure(panels)
