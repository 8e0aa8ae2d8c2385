"""`real-memories`: what a memory is worth to a published language model in environments that are not ours.

The model is asked as it is, in words, beside random choices. It has no memory, all that fits into its context, a
summary, or what it retrieves. On top of all that fits there are explorers.

Written before it was run. What decides is the mean score of all episodes with a memory, less that of the same runs
without. It is a mean over worlds and the three memories. The claim holds where the 95% interval lies above 0, and is
refuted where it lies below.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding
from parley.experiments.scored import averaged, early, late, scores
from parley.report.plots import rows_figure

NAME = "real-memories"
CLAIM = "In other people's environments a published chat model, asked as it is, scores more with a memory than without"
MODEL = "hf:smollm2,context=1024"
WORLDS = {"gym:FrozenLake-v1,horizon=20": 1.0, "textworld:coin-collector,level=3,variations=8,horizon=8": 1.0}
RANDOM = ("random", "none")
NONE = (f"{MODEL},memory=none", "none")
MEMORIES = [(f"{MODEL},memory={memory}", "none") for memory in ("full", "summary", "retrieval")]
EXPLORERS = [(f"{MODEL},memory=full", explorer) for explorer in ("epsilon-greedy:epsilon=0.1", "persistent-proposals")]


def cells(quick: bool) -> list[RunConfig]:
    """Random choices and the model, in two worlds; quick: a few episodes of the first, without and with its history."""
    arms = [RANDOM, NONE, MEMORIES[0]] if quick else [RANDOM, NONE, *MEMORIES, *EXPLORERS]
    return [
        RunConfig(world, planner, explorer, episodes=4 if quick else 16, runs=2 if quick else 4, seed=1)
        for world in list(WORLDS)[: 1 if quick else None]
        for planner, explorer in arms
    ]


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R T+1"]:
    """Scores of every run and episode; the last column holds the cell's seconds."""
    return scores(config, bar, WORLDS[config.world])


def analyse(cells: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R T+1"]]) -> Finding:
    """What the memories add to the score, and every arm as a row: with what it adds to random choice, too."""
    of = {(c.world, c.planner, c.explore): found for c, found in zip(cells, kept, strict=True)}
    memories = [key for key in of if key[1:] in MEMORIES]
    mean, low, high = averaged([_more(of[key], of[key[0], *NONE]) for key in memories])
    what = "score with a memory less without, same runs, mean over worlds, memories and episodes"
    rows = [_row(c, found, of[c.world, *RANDOM]) for c, found in zip(cells, kept, strict=True)]
    verdict = SUPPORTED if low > 0 else NOT_SUPPORTED if high < 0 else UNDECIDED
    return Finding(CLAIM, verdict, mean, (low, high), what, rows)


def _more(found: Float[np.ndarray, "R T+1"], reference: Float[np.ndarray, "R T+1"]) -> Float[np.ndarray, " R"]:
    """How much more a run scores, mean over episodes."""
    return np.asarray((found - reference)[:, :-1].mean(axis=1))


def _row(config: RunConfig, found: Float[np.ndarray, "R T+1"], chance: Float[np.ndarray, "R T+1"]) -> dict[str, Any]:
    row: dict[str, Any] = {"world": config.world, "planner": config.planner, "explorer": config.explore}
    row["score"] = round(float(found[:, :-1].mean()), 4)
    for name, difference in (("learnt", late(found) - early(found)), ("beyond random", _more(found, chance))):
        mean, low, high = averaged([difference])
        row |= {name: round(mean, 4), f"{name} from": round(low, 4), f"{name} to": round(high, 4)}
    return row | {"wall_s": round(float(found[0, -1]), 1)}


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """How far each arm is from random choices, world by world."""
    told = [
        {
            "world": one["world"].partition(",")[0],
            "arm": f"{one['planner'].removeprefix(MODEL + ',')}, {one['explorer']}",
            "more": one["beyond random"],
            "interval": [one["beyond random from"], one["beyond random to"]],
        }
        for one in rows
        if one["planner"] != "random"
    ]
    return rows_figure(NAME, "score more than random choices", told, "arm", "world", "more", "interval")
