"""`world-model`: the checkpoint that plans also predicts (He et al. 2024, section 6; theory.md 6).

Held-out documents are read by the shipped transformers and by the exact Bayesian aggregated world model side by side;
at every depth the model predicts on its own predictions.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.errors import BadInput
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, shipped
from parley.models.checkpoint import Checkpoint
from parley.planners.prediction import ExactWorldModel, TransformerWorldModel
from parley.pretraining.documents import sample_documents
from parley.pretraining.foresight import BINS, Foresight, foresight
from parley.pretraining.held_out import HELD_OUT
from parley.report.plots import reliability_figure

NAME = "world-model"
CLAIM = (
    "At depth 1 the shipped transformers' log-loss on held-out observations is at most 0.02 nats above the entropy "
    "floor, and their calibration error at most 0.02, in every tabular world"
)
BOUND = 0.02
EXCESS, HALF, FLOOR, DISTANCE, CALIBRATION, ACCURACY, FIRST, LATE = range(8)  # of what is kept; then the reliability


def cells(quick: bool) -> Sequence[RunConfig]:
    """One for each shipped checkpoint: `runs` documents of its training length."""
    found = []
    for path in shipped():
        episodes = int(Checkpoint.load(path).about["episodes"])
        found.append(RunConfig(path.name, "transformer", "none", episodes=episodes, runs=32 if quick else 256))
    return found


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "H K"]:
    """One row a depth."""
    tables = assemble.world(config.world).tables
    if tables is None:
        raise BadInput(f"world {config.world!r} has no exact tables: this experiment needs them")
    beliefs = assemble.beliefs_of(tables)
    documents = sample_documents(beliefs, config.runs, config.episodes, (config.seed, HELD_OUT))
    model = TransformerWorldModel(assemble.CHECKPOINTS / config.world, tables)
    return np.stack([_row(one) for one in foresight(model, ExactWorldModel(beliefs), documents, tables)])


def _row(one: Foresight) -> Float[np.ndarray, " K"]:
    by_document = one.excess_nats.mean(axis=1)
    half = 1.96 * by_document.std(ddof=1) / np.sqrt(len(by_document))
    late = one.episode >= one.episode.max() // 2
    excess = [one.excess_nats[:, one.episode == 0].mean(), one.excess_nats[:, late].mean()]
    means = [part.mean() for part in (one.floor_nats, one.total_variation)]
    found = [by_document.mean(), half, *means, one.calibration_error, one.correct.mean(), *excess]
    return np.concatenate([found, one.reliability().ravel()])


def analyse(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "H K"]]) -> Finding:
    """The largest excess at depth 1 decides, its interval over documents, and the largest calibration error."""
    rows: list[dict[str, Any]] = []
    for config, depths in zip(configs, kept, strict=True):
        for d, k in enumerate(depths):
            row = {"world": config.world, "depth": d + 1, "documents": config.runs, "excess_nats": float(k[EXCESS])}
            row["interval"] = [float(k[EXCESS] - k[HALF]), float(k[EXCESS] + k[HALF])]
            names = ("floor_nats", "total_variation", "calibration_error", "accuracy", "excess_first", "excess_late")
            rows.append({**row, **dict(zip(names, map(float, k[FLOOR : LATE + 1]), strict=True))})
    first = [row for row in rows if row["depth"] == 1]
    worst = max(first, key=lambda row: row["interval"][1])
    low, high = worst["interval"]
    calibrated = max(row["calibration_error"] for row in first) <= BOUND
    good, bad = high <= BOUND and calibrated, low > BOUND or not calibrated
    verdict = SUPPORTED if good else NOT_SUPPORTED if bad else UNDECIDED
    quantity = "excess log-loss at depth 1 (nats an observation), worst world"
    return Finding(CLAIM, verdict, worst["excess_nats"], (low, high), quantity, rows)


def figure(configs: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "H K"]]) -> Figure:
    """Reliability at depth 1."""
    return reliability_figure(
        f"{NAME}, depth 1", [(c.world, k[0, LATE + 1 :].reshape(BINS, 3)) for c, k in zip(configs, kept, strict=True)]
    )
