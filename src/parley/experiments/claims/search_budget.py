"""`search-budget`: how many model calls a decision a tree needs to come near to expectimax (theory.md 6).

The exact model of `household` hears held-out documents. It is searched twice, before every step after 0, 1, 3, 7 and 15
episodes. One search is in full, every observation counted. The other is by a tree with the proposals of the shipped
checkpoint as prior. A call is the predictions for all subgoals at one history.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from parley import assemble
from parley.core.errors import BadInput
from parley.core.said import EpisodeRecord, Prediction
from parley.data.documents import sample_documents
from parley.data.held_out import HELD_OUT
from parley.evaluation.foresight import reading
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, Finding, at_least
from parley.planners.prediction import ExactWorldModel, TransformerWorldModel
from parley.planners.search import Question, Tree, expectimax
from parley.planners.world_model import Search
from parley.report.plots import by_column, dots_figure
from parley.theory.beliefs import Beliefs

NAME = "search-budget"
CLAIM = (
    "On `household`, with the checkpoint's proposals as prior, a tree search of 1,024 model calls a decision finds at "
    "least 95% of expectimax's value. One of 256 calls finds at least 90%. Both hold at every step of an episode"
)
WORLD = "household"
LEAST = {256: 0.90, 1024: 0.95}  # share of expectimax's value, by calls
CALLS = (64, *LEAST)
HEARD = (0, 1, 3, 7, 15)  # episodes
FOUND, CHOSEN, EXACT = range(3)
Values = Float[np.ndarray, "N M 3"]  # of N documents at M decisions, episode by episode


class Advised(ExactWorldModel):
    """The exact model, but its proposals are those of a checkpoint that has heard the same."""

    def __init__(self, beliefs: Beliefs, adviser: TransformerWorldModel) -> None:
        super().__init__(beliefs)
        self.adviser = adviser

    def predict(
        self, rows: Int[np.ndarray, " n"], subgoals: Int[np.ndarray, "n d"], observations: Int[np.ndarray, "n d"]
    ) -> Prediction:
        advice = self.adviser.predict(rows, subgoals, observations)
        return replace(super().predict(rows, subgoals, observations), proposals=advice.proposals)


def cells(quick: bool) -> Sequence[RunConfig]:
    """One a budget, with the same documents."""
    runs, episodes = 8 if quick else 16, HEARD[-1] + 1
    return [RunConfig(WORLD, f"world-model:budget={calls}", "none", episodes=episodes, runs=runs) for calls in CALLS]


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Values:
    """What the tree finds, the value of the subgoal that it chooses, and expectimax's value."""
    tables = assemble.world(config.world).tables
    if tables is None:
        raise BadInput(f"world {config.world!r} has no exact tables: this experiment needs them")
    beliefs, number = assemble.beliefs_of(tables), np.arange(config.runs)
    documents = sample_documents(beliefs, config.runs, config.episodes, (config.seed, HELD_OUT))
    adviser = TransformerWorldModel(assemble.shipped(WORLD), tables)
    advised = Advised(beliefs, adviser)
    whole = ExactWorldModel(beliefs, advised.filter)
    found = []
    for episode, h in reading((advised, adviser), documents, tables):
        if episode in HEARD:
            pay = tables.reward.T[documents.instructions[:, episode]]
            tree = Tree(advised, Question(pay, tables.horizon - h, Search().cut), _calls(config))
            tree.grow()
            exact = expectimax(whole, Question(pay, tables.horizon - h))
            chosen = exact[number, tree.values.argmax(axis=1)]
            found.append(np.stack([tree.values.max(axis=1), chosen, exact.max(axis=1)], axis=-1))
    return np.stack(found, axis=1)


def _calls(config: RunConfig) -> int:
    return int(assemble.PLANNERS.find(config.planner).arguments["budget"])


def analyse(configs: Sequence[RunConfig], kept: Sequence[Values]) -> Finding:
    """The worst step decides: what the tree finds, less the share asked for; intervals over documents."""
    rows: list[dict[str, Any]] = []
    margins: list[tuple[float, float, float]] = []
    for config, values in zip(configs, kept, strict=True):
        calls, by_step = _calls(config), values.reshape(len(values), len(HEARD), -1, 3)
        for h in range(by_step.shape[2]):
            here = by_step[:, :, h].mean(axis=1)
            row: dict[str, Any] = {
                "calls": calls,
                "step": h + 1,
                "documents": len(here),
                "expectimax": here[:, EXACT].mean(),
            }
            for name, what in (("found", FOUND), ("chosen", CHOSEN)):
                share, half = _share(here[:, what], here[:, EXACT])
                row |= {f"{name}_share": share, f"{name}_interval": [share - half, share + half]}
                if calls in LEAST and what == FOUND:
                    margins.append((share - half - LEAST[calls], share - LEAST[calls], share + half - LEAST[calls]))
            rows.append(row)
    low, value, high = min(margins)
    verdict = NOT_SUPPORTED if min(m[2] for m in margins) < 0 else at_least(low, high, 0.0)
    quantity = "share of expectimax's value less the share asked for, worst step and budget"
    return Finding(CLAIM, verdict, value, (low, high), quantity, rows)


def _share(mine: Float[np.ndarray, " N"], whole: Float[np.ndarray, " N"]) -> tuple[float, float]:
    """The ratio of two means, with the half width of its 95% interval (delta method)."""
    share = mine.mean() / whole.mean()
    error = (mine - share * whole).std(ddof=1) / whole.mean() / np.sqrt(len(mine))
    return float(share), 1.96 * float(error)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The shortfall from expectimax's value, by step."""
    missing = [
        {
            "step": f"step {one['step']:g}",
            "calls": f"{one['calls']:,g} calls",
            "missing": 100 * (1 - one["found_share"]),
            "half_width": 50 * (one["found_interval"][1] - one["found_interval"][0]),
        }
        for one in rows
    ]
    names = list(dict.fromkeys(one["step"] for one in missing))
    columns, halves = by_column(missing, "step", "calls", "missing", "half_width")
    return dots_figure(NAME, "percent of expectimax's value that is not found", names, columns, halves)
