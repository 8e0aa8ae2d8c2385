"""`demo-ratio`: what the share of optimal demonstrations does to the planner (He et al. 2024, Section 5; theory.md 2).

Two shares, kept apart. Of *labels*: a part of the steps is labelled with subgoals that are not optimal. Of
*trajectories*: a share rho of the episodes was acted by the expert of z, so that what is chosen becomes evidence and
the planner deludes itself. Models of several sizes are trained until held-out documents say that nothing more is
gained, and stand next to the exact oracle with the matching evidence. Trained from scratch; published LLMs of any size
were not run (the planner `hf:` takes them).
"""

import tempfile
from collections.abc import Callable, Sequence
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
from parley.experiments.base import Finding, above, expected_regret
from parley.experiments.pretraining_error import Training
from parley.pretraining.converge import converge
from parley.pretraining.evaluate import matching, pretraining_error
from parley.report.plots import loglog_figure
from parley.theory.posterior import Evidence

NAME = "demo-ratio"
CLAIM = (
    "Trained on a share rho of expert trajectories, 0.25 <= rho < 1, a model is closer to the oracle that counts its "
    "own choices as evidence than to the one that does not"
)
WORLDS = ("shortcut", "household", "treasure")
NUM_EVALUATED = 128
MATCHING, OTHER, HALF, REGRET, ORACLE = range(5)  # of what is kept of a cell


@dataclass(frozen=True)
class Demonstrated(Training):
    """A training on demonstrations of which a share is optimal."""


def cells(quick: bool) -> Sequence[Demonstrated]:
    worlds, widths = (WORLDS[:1], (16,)) if quick else (WORLDS, (8, 16, 32, 64))
    number, episodes = (256, 8) if quick else (1024, 16)
    base = Demonstrated("", "transformer", "none", episodes=episodes, runs=64, documents=number)
    shares = [(rho, 0.0) for rho in (0.0, 0.25, 0.5, 0.75)]
    shares += [(0.0, wrong) for wrong in ((0.5,) if quick else (0.25, 0.5, 0.75, 1.0))]
    return [
        replace(base, world=world, width=width, rho=rho, label_error=wrong)
        for world in worlds
        for width in widths
        for rho, wrong in shares
    ]


def measure(config: Demonstrated, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "1 5"]:
    """Train and compare: distance to the matching and to the other oracle, and regret next to the matching one's."""
    tables = assemble.world(config.world).tables
    if tables is None:
        raise BadInput(f"world {config.world!r} has no exact tables: this experiment needs them")
    beliefs = assemble.beliefs_of(tables)
    other = Evidence() if config.rho else None
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "checkpoint"
        recipe = replace(config.recipe(), behaviour="uniform")
        converge(beliefs, config.world, config.documents, recipe, out, config.label_error)
        mine = pretraining_error(out, beliefs, NUM_EVALUATED, evidence=matching(config.rho))
        far = pretraining_error(out, beliefs, NUM_EVALUATED, evidence=other) if other else mine
        gap = far.total_variation.mean(axis=1) - mine.total_variation.mean(axis=1)
        plain = RunConfig(**{name: getattr(config, name) for name in RunConfig.__dataclass_fields__})
        regret = expected_regret(replace(plain, planner=f"transformer:checkpoint={out}"), bar)
    planner = f"exact:evidence=environment+demonstrator,rho={config.rho}" if config.rho else "exact"
    best = expected_regret(replace(plain, planner=planner), lambda record, runs: None)
    half = 1.96 * gap.std(ddof=1) / np.sqrt(len(gap))
    return np.array([[mine.mean, far.mean, half, regret.sum(axis=1).mean(), best.sum(axis=1).mean()]])


def analyse(configs: Sequence[Demonstrated], kept: Sequence[Float[np.ndarray, "1 5"]]) -> Finding:
    """The smallest advantage of the matching oracle over all trainings decides; intervals are over documents."""
    rows: list[dict[str, Any]] = []
    gaps: list[tuple[float, float, float]] = []
    for c, k in zip(configs, kept, strict=True):
        row = {"world": c.world, "width": c.width, "rho": c.rho, "label_error": c.label_error, "error": k[0, MATCHING]}
        if c.rho:
            gap, half = float(k[0, OTHER] - k[0, MATCHING]), float(k[0, HALF])
            gaps.append((gap - half, gap, gap + half))
            row |= {"error_to_other": k[0, OTHER], "closer_by": gap, "interval": [gap - half, gap + half]}
        rows.append({**row, "regret": k[0, REGRET], "oracle_regret": k[0, ORACLE]})
    low, gap, high = min(gaps)
    return Finding(CLAIM, above(low, high, 0.0), gap, (low, high), "smallest advantage in total variation", rows)


def figure(configs: Sequence[Demonstrated], kept: Sequence[Float[np.ndarray, "1 5"]]) -> Figure:
    """Error by width, one series a share."""
    series: dict[str, list[tuple[float, float]]] = {}
    for c, k in zip(configs, kept, strict=True):
        label = f"{c.world}, rho {c.rho:g}" if not c.label_error else f"{c.world}, {c.label_error:.0%} wrong labels"
        series.setdefault(label, []).append((c.width, float(k[0, MATCHING])))
    return loglog_figure(NAME, "width", "total variation to the matching oracle", series)
