"""`demo-ratio`: what the share of optimal demonstrations does to the planner (He et al. 2024, Section 5; theory.md 2).

Two shares, kept apart. Of *labels*: a part of the steps is labelled with subgoals that are not optimal. Of
*trajectories*: a share rho of the episodes was acted by the expert of z. So choices become evidence, and the planner
deludes itself. Models of several sizes are trained until held-out documents say that nothing more is gained (or for
`STEPS`). They stand next to the exact oracle with the matching evidence, or the matching errors. They are trained from
scratch; published LLMs of any size were not run (the planner `hf:` takes them).
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
from parley.evaluation.evaluate import matching, pretraining_error
from parley.execute import RunConfig
from parley.experiments.base import Finding, above, all_hold, expected_regret
from parley.experiments.claims.pretraining_error import Training
from parley.report.plots import loglog_panels
from parley.theory.curves import student
from parley.theory.posterior import Evidence
from parley.training.converge import converge

NAME = "demo-ratio"
CLAIM = (
    "A model is trained on a share rho of expert trajectories, 0.25 <= rho < 1. It is closer to the oracle that "
    "counts its own choices as evidence than to the oracle that does not. In `traps` regret at rho = 0.5 is below "
    "that at 0 and at 1. In `shortcut` and `treasure` it rises from 0 to 0.5, and on to 1"
)
STEPS = {"traps": 600, "shortcut:open=0.5": 400, "treasure:n=2": 500}  # of a training, at most, in each world
WORLDS = tuple(STEPS)
WIDTHS = (8, 16, 24, 32)
RHOS, WRONG = (0.0, 0.25, 0.5, 0.75, 1.0), (0.25, 0.5, 0.75, 1.0)  # expert trajectories; labels that are not optimal
SIGNS = {"traps": -1, "shortcut:open=0.5": 1, "treasure:n=2": 1}  # of regret at rho = 0.5 less that at rho = 0
SEEDS = (0, 1, 2)  # of trainings and their documents; one in the quick form
NUM_EVALUATED = 512
NEARLY_ALL = 1 - 1e-6  # for rho = 1, where what a planner hears after its own choice may be what no latent allows
QUANTITIES = ("error", "error_to_other", "closer_by", "regret", "oracle_regret", "delusion")  # of a cell
Measured = Float[np.ndarray, "Q 2"]  # each with the half-width of its 95% interval


@dataclass(frozen=True)
class Demonstrated(Training):
    """A training on demonstrations, where a share of them is optimal."""

    @property
    def matching(self) -> str:
        """The exact planner that a perfectly trained model would be."""
        if self.label_error:
            return f"exact:label_error={self.label_error}"
        share = min(self.rho, NEARLY_ALL)
        return f"exact:evidence=environment+demonstrator,rho={share}" if self.rho else "exact"


def cells(quick: bool) -> Sequence[Demonstrated]:
    worlds, widths = (WORLDS[:1], (16,)) if quick else (WORLDS, WIDTHS)
    base = Demonstrated("", "transformer", "none", episodes=8, runs=2048, documents=256 if quick else 2048)
    plain = [replace(base, world=world, width=width) for world in worlds for width in widths]
    demonstrated = [replace(one, rho=rho) for one in plain for rho in RHOS]
    once = [*demonstrated, *(replace(one, label_error=error) for one in plain for error in WRONG)]
    return [replace(one, seed=seed) for seed in (SEEDS[:1] if quick else SEEDS) for one in once]


def measure(config: Demonstrated, bar: Callable[[EpisodeRecord, int], None]) -> Measured:
    """Train and compare: distance to the matching oracle and to the plain one; regret of the model and of both.

    Intervals are over documents and, of regrets, over runs, which share their random numbers: not over trainings.
    """
    tables = assemble.world(config.world).tables
    if tables is None:
        raise BadInput(f"world {config.world!r} has no exact tables: this experiment needs them")
    beliefs = assemble.beliefs_of(tables)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "checkpoint"
        converge(
            beliefs,
            config.world,
            config.documents,
            config.recipe(),
            out,
            config.label_error,
            most_steps=STEPS[config.world],
        )
        held_out = (out, beliefs, NUM_EVALUATED)
        near = pretraining_error(*held_out, evidence=matching(config.rho), label_error=config.label_error)
        far = pretraining_error(*held_out, evidence=Evidence())
        plain = RunConfig(**{name: getattr(config, name) for name in RunConfig.__dataclass_fields__})
        regret = expected_regret(replace(plain, planner=f"transformer:checkpoint={out}"), bar).sum(axis=1)
    oracle, undeluded = (
        expected_regret(replace(plain, planner=planner), lambda record, runs: None).sum(axis=1)
        for planner in (config.matching, "exact")
    )
    mine, other = near.total_variation.mean(axis=1), far.total_variation.mean(axis=1)
    found = (mine, other, other - mine, regret, oracle, regret - undeluded)
    return np.array([(one.mean(), 1.96 * one.std(ddof=1) / np.sqrt(len(one))) for one in found])


def analyse(configs: Sequence[Demonstrated], kept: Sequence[Measured]) -> Finding:
    """A row a training. `delusion` is the loss beyond the exact planner that takes no choice for evidence."""
    rows: list[dict[str, Any]] = []
    for c, k in zip(configs, kept, strict=True):
        row: dict[str, Any] = {"world": c.world, "width": c.width, "rho": c.rho, "label_error": c.label_error}
        for name, (mean, half) in zip(QUANTITIES, k.tolist(), strict=True):
            if c.rho or c.label_error or not name.startswith(("error_to", "closer")):
                row |= {name: mean, f"{name}_interval": [mean - half, mean + half]}
        rows.append(row | {"seed": c.seed})
    return from_rows(rows)


def from_rows(rows: Sequence[Mapping[str, Any]]) -> Finding:
    """The smallest advantage of the matching oracle over trainings with 0.25 <= rho < 1, and the shape of regret."""
    trained = [dict(row) for row in rows if "error" in row]
    gaps = [(*one["closer_by_interval"], one["closer_by"]) for one in trained if 0 < one["rho"] < 1]
    low, high, gap = min(gaps)
    shape = [_moves(trained, world, *shares) for world in WORLDS for shares in ((0.0, 0.5), (0.5, 1.0))]
    shape = [one for one in shape if one]
    verdict = all_hold([above(low, high, 0.0), *(one["verdict"] for one in shape)])
    return Finding(CLAIM, verdict, gap, (low, high), "smallest advantage in total variation", shape + trained)


def _moves(rows: Sequence[Mapping[str, Any]], world: str, start: float, end: float) -> dict[str, Any]:
    """How regret changes between two shares, mean over trainings of the same width and seed; nothing without them.

    The interval has both errors: Student's over trainings, and that of the evaluation, whose runs all trainings share.
    """
    of = {
        (one["rho"], one["width"], one.get("seed", 0)): (one["regret"], one["regret_interval"])
        for one in rows
        if one["world"] == world and not one["label_error"]
    }
    pairs = [(of[start, *key], of[end, *key]) for rho, *key in of if rho == start and (end, *key) in of]
    if not pairs:
        return {}
    change = np.array([after - before for (before, _), (after, _) in pairs])
    halves = np.array([[(high - low) / 2 for _, (low, high) in pair] for pair in pairs])
    evaluated = float(np.hypot(*halves.mean(axis=0)))
    trained = student(0.95, len(change) - 1) * change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else 0.0
    mean, half = float(change.mean()), float(np.hypot(evaluated, trained))
    sign = SIGNS[world] if end < 1 else 1
    verdict = above(sign * mean - half, sign * mean + half, 0.0)
    found = {"in": world, "from rho": start, "to rho": end, "trainings": len(change), "change": mean}
    return found | {"low": mean - half, "high": mean + half, "verdict": verdict}


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Error by width, one panel a world, one series a share."""
    panels: dict[str, dict[str, list[tuple[float, ...]]]] = {}
    for one in [one for one in rows if "error" in one]:
        label = f"{one['label_error']:.0%} wrong labels" if one["label_error"] else f"rho {one['rho']:g}"
        low, high = one["error_interval"]
        series = panels.setdefault(f"{NAME}: {one['world']}", {}).setdefault(label, [])
        series.append((one["width"], one["error"], (high - low) / 2))
    return loglog_panels("width", "total variation to the matching oracle", panels)
