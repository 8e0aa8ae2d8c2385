"""`real-memories`: what a memory is worth to a published language model in environments that are not ours.

The model is asked as it is, in words, beside random choices and a learner by rule. It has no memory, all that fits in
4,096 tokens, a summary, or what it retrieves; on top of all that fits there are explorers. In ScienceWorld, where a
decision reads up to a thousand actions, episodes have four steps.

Scores are in units of a world's room: the highest score less the mean of random choices. Written before the ten worlds
were run, after two of them had been (every score 0, undecided). A first run gave all arms 1,024 tokens: hardly any
earlier episode fits there beside the present one, so memories could add nothing. What decides is the mean score with a
memory less without. It is taken over a world's runs, episodes and memories first, then over worlds. The claim holds
where the 95% interval (Student's t, worlds as the sample) lies above 0, and is refuted where it lies below.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.core.errors import BadInput
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding
from parley.experiments.scored import early, late, present, scores
from parley.report.plots import rows_figure
from parley.theory.curves import student

NAME = "real-memories"
CLAIM = "In other people's environments a published chat model, asked as it is, scores more with a memory than without"
MODEL = "hf:smollm2,context=4096"
WORLDS = {  # those of `real-worlds`, with shorter episodes, and their highest returns
    "gym:FrozenLake-v1,horizon=20": 1.0,
    "textworld:coin-collector,level=3,variations=8,horizon=8": 1.0,
    "babyai:GoToObj": 1.0,
    "babyai:GoToLocal": 1.0,
    "textworld:cooking,variations=8,horizon=10": 3.0,
    "babyai:PickupLoc": 1.0,
    "gym:Taxi-v4,seeded_by=variation,horizon=20": 20.0,
    "scienceworld:find-living-thing,easy=true,horizon=4": 100.0,
    "scienceworld:find-animal,easy=true,horizon=4": 100.0,
    "scienceworld:use-thermometer,easy=true,horizon=4": 100.0,
}
RANDOM, RULE, NONE = ("random", "none"), ("habit", "none"), (f"{MODEL},memory=none", "none")
FULL, SUMMARY, RETRIEVAL = MEMORIES = [(f"{MODEL},memory={name}", "none") for name in ("full", "summary", "retrieval")]
EXPLORERS = [(f"{MODEL},memory=full", explorer) for explorer in ("epsilon-greedy:epsilon=0.1", "persistent-proposals")]
ARMS = (RANDOM, RULE, NONE, *MEMORIES, *EXPLORERS)
ALL = "mean of {} worlds"


def cells(quick: bool) -> list[RunConfig]:
    """The arms in the worlds that are installed here; quick: a few episodes of the first two worlds, three arms."""
    worlds = [world for world in list(WORLDS)[: 2 if quick else None] if present(world)]
    return [
        RunConfig(world, planner, explorer, episodes=4 if quick else 16, runs=2, seed=1)
        for planner, explorer in ((RANDOM, NONE, FULL) if quick else ARMS)
        for world in worlds
    ]


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R T+1"]:
    """Scores of every run and episode; the last column holds the cell's seconds."""
    return scores(config, bar, WORLDS[config.world])


def analyse(cells: Sequence[RunConfig], kept: Sequence[Float[np.ndarray, "R T+1"]]) -> Finding:
    """What the memories add to the score; then a row for each arm, over its worlds, and one for each cell."""
    of = {(c.world, c.planner, c.explore): found for c, found in zip(cells, kept, strict=True)}
    more = {key: _more(found, of[key[0], *NONE], of[key[0], *RANDOM]) for key, found in of.items()}
    with_memory = [[more[world, *arm] for arm in MEMORIES if (world, *arm) in more] for world in _worlds(more)]
    mean, low, high = _over([float(np.mean(one)) for one in with_memory])
    what = f"score with a memory less without, in units of a world's room, mean of {len(with_memory)} worlds"
    rows = [_arm(arm, more, of) for arm in dict.fromkeys(key[1:] for key in of)]
    rows += [_row(c, found, more[c.world, c.planner, c.explore]) for c, found in zip(cells, kept, strict=True)]
    verdict = SUPPORTED if low > 0 else NOT_SUPPORTED if high < 0 else UNDECIDED
    return Finding(CLAIM, verdict, mean, (low, high), what, rows)


Key = tuple[str, str, str]


def _worlds(keys: Mapping[Key, object]) -> list[str]:
    return list(dict.fromkeys(world for world, _, _ in keys))


def _more(found: np.ndarray, reference: np.ndarray, chance: np.ndarray) -> float:
    """How much more than the reference is scored, mean over runs and episodes, in units of the world's room."""
    room = 1 - chance[:, :-1].mean()
    return float((found - reference)[:, :-1].mean() / room)


def _over(worlds: Sequence[float]) -> tuple[float, float, float]:
    """The mean over worlds between its 95% limits."""
    if len(worlds) < 2:
        raise BadInput(f"{NAME}: one world has no interval; install the extras of more, e.g. text and minigrid")
    mean = float(np.mean(worlds))
    half = student(0.95, len(worlds) - 1) * float(np.std(worlds, ddof=1)) / len(worlds) ** 0.5
    return mean, mean - half, mean + half


def _arm(arm: tuple[str, str], more: Mapping[Key, float], of: Mapping[Key, np.ndarray]) -> dict[str, Any]:
    """An arm over its worlds: what it scores beyond the model without a memory, and beyond random choices."""
    worlds = [world for world in _worlds(more) if (world, *arm) in more]
    row: dict[str, Any] = {"world": ALL.format(len(worlds)), "planner": arm[0], "explorer": arm[1]}
    beyond = [more[world, *arm] - more[world, *RANDOM] for world in worlds]
    for name, each in (("beyond none", [more[world, *arm] for world in worlds]), ("beyond random", beyond)):
        mean, low, high = _over(each)
        row |= {name: round(mean, 4), f"{name} from": round(low, 4), f"{name} to": round(high, 4)}
    return row | {"wall_s": round(sum(float(of[world, *arm][0, -1]) for world in worlds), 1)}


def _row(config: RunConfig, found: Float[np.ndarray, "R T+1"], more: float) -> dict[str, Any]:
    row: dict[str, Any] = {"world": config.world, "planner": config.planner, "explorer": config.explore}
    row |= {"beyond none": round(more, 4), "score": round(float(found[:, :-1].mean()), 4)}
    return row | {"learnt": round(float((late(found) - early(found)).mean()), 4), "wall_s": round(found[0, -1], 1)}


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """How far each arm is from random choices, over all its worlds."""
    told = [
        {
            "arm": f"{one['planner'].removeprefix(MODEL + ',')}, {one['explorer']}",
            "worlds": one["world"],
            "more": one["beyond random"],
            "interval": [one["beyond random from"], one["beyond random to"]],
        }
        for one in rows
        if "beyond random" in one and one["planner"] != "random"
    ]
    return rows_figure(NAME, "score beyond random choices", told, "arm", "worlds", "more", "interval")
