"""`real-models`: how Bayesian is a published language model, asked for the next subgoal with its history?

The paper's planner is a language model that performs Bayesian aggregated imitation learning (BAIL) over its history.
Here published models, as they are, plan in worlds with exact tables, beside the exact planner and random choice. They
plan without memory, with the whole history, with a summary, and with explorers on top of the whole history.

Measured of each are regret and the total variation of its proposals to BAIL at the same history. Three statistics come
from Krishnamurthy et al. (2024). Suffix failure: in the second half of a run, the best first subgoal is never taken.
K MinFrac: how evenly first subgoals are spread. One line: the share of the first subgoal that is taken most.

Written before it was run: the claim is that a model uses its history. What decides is the regret that the
chat model saves by its whole history, in units of the regret of random choice, mean over worlds. The interval is over
paired runs. Below 0.05 the claim is refuted: nothing is learnt from such a history.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.draws import Draws
from parley.core.roles import Explorer
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import Finding, at_least, expected_regret, saved_share, wilson
from parley.experiments.beside import Beside
from parley.report.plots import by_column, dots_figure
from parley.worlds.generated.world import EVALUATED

NAME = "real-models"
CLAIM = "A published chat model, asked as it is, uses its history: it loses less with it than without"
LEAST = 0.05  # of the regret of random choice
MODELS = {"SmolLM2": "hf:smollm2", "Gemma 3": "hf:gemma3"}
CHAT = "SmolLM2"
REFERENCES = {"random": "random", "exact": "exact"}
MEMORIES = ("none", "full", "summary")
EXPLORERS = ("epsilon-greedy:epsilon=0.2", "persistent-proposals")
WORLDS = {  # how many episodes of each
    "signs:n=4": 12,
    "bandit": 12,
    "shortcut": 8,
    "household": 8,
    "quest:low_level=false": 8,
    f"generated:seed={EVALUATED + 700},kind=lock": 8,
}
RUNS = 20


def arms(model: str) -> list[tuple[str, str]]:
    """Planner and explorer of every arm of a model."""
    found = [(f"{model},memory={memory}", "none") for memory in MEMORIES]
    return found + [(f"{model},memory=full", explorer) for explorer in EXPLORERS]


def cells(quick: bool) -> Sequence[RunConfig]:
    """References, then arms; quick: the chat model without and with its history, in the two smallest worlds."""
    worlds = dict(list(WORLDS.items())[:2]) if quick else WORLDS
    models = [MODELS[CHAT]] if quick else list(MODELS.values())
    told = [(planner, "none") for planner in REFERENCES.values()]
    told += [arm for model in models for arm in (arms(model)[:2] if quick else arms(model))]
    return [
        RunConfig(world, planner, explorer, episodes=episodes, runs=8 if quick else RUNS, seed=11, latent="each")
        for world, episodes in worlds.items()
        for planner, explorer in told
    ]


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R T 4"]:
    """Expected regret of every run and episode, and what `Beside` found."""
    world, beside = assemble.world(config.world), list[Beside]()
    assert world.tables is not None
    beliefs = assemble.beliefs_of(world.tables)
    latents = assemble.draw_latents(world, Draws(config.seed, config.runs), config.latent)

    def around(explorer: Explorer) -> Explorer:
        beside.append(Beside(explorer, beliefs, latents))
        return beside[0]

    regret = expected_regret(config, bar, around=around)
    return np.concatenate([regret[..., None], beside[0].found], axis=2)


def row(found: Float[np.ndarray, "R T 4"], scale: float, num_subgoals: int) -> dict[str, float]:
    """The numbers of an arm; `scale` is the regret of random choice."""
    regret, distance, right, first = np.moveaxis(found, 2, 0)
    totals, num_episodes = regret.sum(axis=1), regret.shape[1]
    failed = int((right[:, num_episodes // 2 :].max(axis=1) == 0).sum())
    low, share, high = wilson(failed, len(found))
    counts = np.array([np.bincount(one.astype(int), minlength=num_subgoals) for one in first])
    return {
        "regret": float(totals.mean()),
        "regret half": float(1.96 * totals.std(ddof=1) / np.sqrt(len(totals))),
        "of random": float(totals.mean() / scale),
        "distance": float(distance.mean()),
        "suffix failure": share,
        "suffix failure low": low,
        "suffix failure high": high,
        "K MinFrac": float((num_subgoals * counts.min(axis=1) / num_episodes).mean()),
        "one line": float((counts.max(axis=1) / num_episodes).mean()),
    }


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T 4"]]) -> Finding:
    """What the whole history saves, and every arm as a row."""
    of = {(c.world, c.planner, c.explore): found for c, found in zip(configs, regrets, strict=True)}
    worlds, rows = list(dict.fromkeys(c.world for c in configs)), list[dict[str, Any]]()
    sizes = {world: _num_subgoals(world) for world in worlds}
    for (world, planner, explorer), found in of.items():
        scale = float(of[world, "random", "none"][..., 0].sum(axis=1).mean())
        rows.append({"world": world, "planner": planner, "explorer": explorer, **row(found, scale, sizes[world])})
    chat = [[of[world, f"{MODELS[CHAT]},memory={m}", "none"][..., 0] for m in ("none", "full")] for world in worlds]
    scales = [float(of[world, "random", "none"][..., 0].sum(axis=1).mean()) for world in worlds]
    mean, (low, high) = saved_share([(without, whole) for without, whole in chat], scales)
    what = "regret that the whole history saves against none, in units of what random choice loses, mean over worlds"
    return Finding(CLAIM, at_least(low, high, LEAST), mean, (low, high), what, rows)


def _num_subgoals(world: str) -> int:
    tables = assemble.world(world).tables
    assert tables is not None
    return tables.num_subgoals


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    scale = {one["world"]: one["regret"] for one in rows if one["planner"] == "random"}
    shares = [
        {
            **one,
            "line": f"{one['planner']}, {one['explorer']}",
            "half_width": one["regret half"] / scale[one["world"]],
        }
        for one in rows
        if one["planner"] != "random"
    ]
    names = list(dict.fromkeys(one["line"] for one in shares))
    columns, halves = by_column(shares, "line", "world", "of random", "half_width")
    title = f"{NAME}: regret, random choice = 1"
    return dots_figure(title, "regret in units of random choice's", names, columns, halves)
