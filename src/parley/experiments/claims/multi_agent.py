"""`multi-agent`: several Actors and one Planner (theory.md 7): regret against T, K, |Z|, and what hearing is worth.

The worlds are `team`, whose |Z| is 2 (K + 1), and the tables of `forage` (K = 3, |Z| = 27). Exploration is uniform over
joint subgoals, designed, adaptive, or absent. With four Actors, and in `forage`, only those that can be computed are
run. The same explorations serve a Planner for each Actor, which does not hear the others (not with four). In `team` one
Actor's part also comes from the expert, with the rest as ever. Every latent is run in turn; means are weighted by the
prior. `random` with two Actors varies |Z| at the same K. Decoding is greedy, as in deployed planners.

Two things are measured that are not part of the claim. One is `adaptive-proposals`. The other is the shipped
transformer beside the exact oracle, both sampled, over its context's episodes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, above, all_hold
from parley.models.checkpoint import Checkpoint
from parley.report.plots import rows_figure
from parley.theory.curves import growth

NAME = "multi-agent"
CLAIM = (
    "In `team` and `forage` greedy decoding without exploration has linear regret, epsilon-greedy and adaptive "
    "exploration sublinear regret, with any number of Actors. One Planner for all Actors loses less than one for each"
)
GREEDY, ALONE = "exact:decode=greedy", "decentralised:decode=greedy"
UNIFORM = "epsilon-greedy:epsilon=1,power=0.5"
DESIGNED, ADAPTIVE, PROPOSALS = f"{UNIFORM},policy=designed", "adaptive", "adaptive-proposals"
FORAGE = "forage:low_level=false"
LEARNED, ORACLE = "transformer", "exact"
_LONE = "a Planner an Actor, "
WANTED = {"none": "linear", UNIFORM: "sublinear", DESIGNED: "sublinear", ADAPTIVE: "sublinear"}


def cells(quick: bool) -> Sequence[RunConfig]:
    """For each K the explorers, the decentralised planners and, for two Actors, each one's part from the expert."""
    found = []
    for actors in (2,) if quick else (2, 3):
        world = f"team:actors={actors}"
        found += [_cell(world, GREEDY, explorer, quick) for explorer in (*WANTED, PROPOSALS)]
        found.append(_cell(world, ALONE, UNIFORM, quick))
        found += [_cell(world, f"with-expert:decode=greedy,actor={k + 1}", UNIFORM, quick) for k in range(actors)]
    found += _learned(quick)
    fewer = {FORAGE: ("none", UNIFORM, ADAPTIVE)} | ({} if quick else {"team:actors=4": ("none", UNIFORM)})
    for world, explorers in fewer.items():
        found += [_cell(world, GREEDY, explorer, quick) for explorer in explorers]
    found.append(_cell(FORAGE, ALONE, UNIFORM, quick))
    sizes = () if quick else (2, 4, 8)
    return found + [_cell(f"random:actors=2,latents={size}", GREEDY, UNIFORM, quick) for size in sizes]


def _cell(world: str, planner: str, explorer: str, quick: bool) -> RunConfig:
    latents = len(assemble.world(world).latents)
    runs = latents * max(2, (96 if quick else 192) // latents)
    episodes = 600 if world == FORAGE else 400 if quick else 2_000
    return RunConfig(world, planner, explorer, episodes=episodes, latent="each", runs=runs)


def _learned(quick: bool) -> list[RunConfig]:
    """The shipped transformer and its oracle over the episodes of its context."""
    episodes, runs = int(Checkpoint.load(assemble.shipped("team")).about["episodes"]), 96 if quick else 768
    return [RunConfig("team", p, "none", episodes=episodes, latent="each", runs=runs) for p in (LEARNED, ORACLE)]


def weighted(config: RunConfig, regret: Float[np.ndarray, "R T"]) -> Float[np.ndarray, "r T"]:
    """The prior's mean over latents, one curve for each round of them."""
    prior = assemble.world(config.world).prior
    return np.einsum("rzt,z->rt", regret.reshape(-1, len(prior), regret.shape[1]), prior)


def _able(config: RunConfig, regret: Float[np.ndarray, "R T"]) -> Float[np.ndarray, "r T"]:
    """The same over the latents in which more can be had than by working: the others lose nothing by greed."""
    latents = assemble.world(config.world).latents
    able = [z for z, name in enumerate(latents) if "nobody" not in name]
    return regret.reshape(-1, len(latents), regret.shape[1])[:, able].mean(axis=1)


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Every part of the claim has its own verdict, from its own interval; the gain of hearing is the estimate."""
    kept = {(c.world, c.planner, c.explore): (c, regret) for c, regret in zip(configs, regrets, strict=True)}
    rows = [_row(config, regret) for config, regret in kept.values()]
    verdicts, gains = [row["holds"] for row in rows if "holds" in row], []
    for world in dict.fromkeys(world for world, planner, _ in kept if planner == ALONE):
        together = weighted(*kept[world, GREEDY, UNIFORM]).sum(axis=1)
        for planner in [p for w, p, e in kept if w == world and p != GREEDY and e == UNIFORM]:
            apart = weighted(*kept[world, planner, UNIFORM]).sum(axis=1)
            gap = apart - together if planner == ALONE else together - apart
            half = 1.96 * float(gap.std(ddof=1)) / np.sqrt(len(gap))
            saved = (float(gap.mean()), float(gap.mean() - half), float(gap.mean() + half))
            rows.append({"world": world, "against": planner, "saved": saved[0], "low": saved[1], "high": saved[2]})
            if planner == ALONE:
                gains.append(saved)
                verdicts.append(above(saved[1], saved[2], 0.0))
    gap = np.subtract(*(weighted(*kept["team", planner, "none"]).mean(axis=1) for planner in (LEARNED, ORACLE)))
    half = 1.96 * float(gap.std(ddof=1)) / np.sqrt(len(gap))
    rows.append({"world": "team", "transformer less oracle, an episode": float(gap.mean())})
    rows[-1] |= {"low": float(gap.mean() - half), "high": float(gap.mean() + half)}
    estimate, low, high = min(gains)
    holds = all_hold(verdicts)
    quantity = "regret of a run saved by one Planner that hears all Actors, least over K"
    return Finding(CLAIM, holds, estimate, (low, high), quantity, rows)


def _row(config: RunConfig, regret: Float[np.ndarray, "R T"]) -> dict[str, Any]:
    """One cell: K, |Z|, regret with its interval, and how it grows where more can be had than by working."""
    world = assemble.world(config.world)
    total = weighted(config, regret).sum(axis=1)
    half = 1.96 * float(total.std(ddof=1)) / np.sqrt(len(total))
    row: dict[str, Any] = {"world": config.world, "planner": config.planner, "explore": config.explore}
    row |= {"K": world.num_actors, "Z": len(world.latents), "T": config.episodes, "regret": float(total.mean())}
    row |= {"low": row["regret"] - half, "high": row["regret"] + half}
    so_far = np.cumsum(weighted(config, regret), axis=1).mean(axis=0)
    row |= {f"by T/{n}": float(so_far[config.episodes // n - 1]) for n in (4, 2)}
    if config.planner == GREEDY and config.explore in WANTED and not config.world.startswith("random"):
        grows = growth(np.cumsum(_able(config, regret), axis=1))
        exponent = [max(x, -99.0) for x in (grows.exponent.value, grows.exponent.low, grows.exponent.high)]
        wrong = "sublinear" if WANTED[config.explore] == "linear" else "linear"
        verdict = {WANTED[config.explore]: SUPPORTED, wrong: NOT_SUPPORTED}.get(grows.verdict, UNDECIDED)
        row |= {"growth": grows.verdict, "exponent": exponent, "holds": verdict}
    return row


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Regret of a run by world: how it is explored, and one Planner for each Actor."""
    told = [
        {
            "world": f"{one['world'].removesuffix(':low_level=false')}, T = {one['T']:,g}",
            "line": (_LONE if one["planner"] == ALONE else "") + one["explore"],
            "regret": one["regret"],
            "interval": [one["low"], one["high"]],
        }
        for one in rows
        if one.get("planner") in (GREEDY, ALONE) and not one["world"].startswith("random")
    ]
    return rows_figure(NAME, "regret of a run", told, "world", "line", "regret", "interval")
