"""`unseen-worlds`: one checkpoint in families, kinds and worlds that it was never trained on.

Every family of the sets `held-out seeds` and `held-out kind` is another world. It is run for 32 episodes with one
latent from its prior. All planners meet the same ones with the same random numbers. Beside it stand the exact planner,
which knows the family, posterior sampling, and choosing at random. Decoding is greedy, as in deployed planners. A
family has a trap where the exact planner, greedy and without exploration, goes on paying under some latent (theory.md
4). `Grown` cells train small checkpoints on few or many families: minutes each on a GPU, hours on a core.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.core.errors import BadInput
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, above, all_hold, at_most, difference
from parley.experiments.base import expected_regret as regret_of
from parley.experiments.grown import CURVE, EPISODES, SEEDS, Grown, curve, grown
from parley.experiments.unseen_families import family_spec, tables_of, trapped, was_trained_on
from parley.report.plots import rows_figure
from parley.theory.curves import bootstrap
from parley.worlds.generated.world import HELD_OUT

NAME = "unseen-worlds"
CLAIM = (
    "In held-out families of kinds that were trained on, memory makes a checkpoint lose less. Adaptive exploration "
    "lowers the loss further where there are traps, and episode 32 costs at most half of episode 1. Memory and the "
    "last also hold for the held-out kind `ask`. They do not all hold for the held-out kind `lock`, nor in "
    "`household`, `keys` and `quest`"
)
HOLDS = (SEEDS, f"{SEEDS}:kind=ask")  # the sets for which the claim says that all parts hold; of others, not all
SHIPPED = ("household", "keys:low_level=false", "quest:low_level=false")
LEARNED = "hf:generated,header=true,normalise=menu,decode=greedy"
ARMS: dict[str, tuple[str, str]] = {
    "no memory": (f"{LEARNED},memory=none", "none"),
    "memory": (LEARNED, "none"),
    "epsilon-greedy": (LEARNED, "epsilon-greedy:epsilon=0.1"),
    "adaptive": (LEARNED, "adaptive-proposals"),
    "exact": ("exact:decode=greedy", "none"),
    "exact, adaptive": ("exact:decode=greedy", "adaptive"),
    "posterior sampling": ("posterior-sampling", "none"),
    "at random": ("random", "none"),
}
CHUNK = 16  # families of a cell: the work lost when it is interrupted
HALF = 0.5
FIRST, MOST = 256, 1024  # held-out families of every line; and of those that decide, at most
LOOKS = 3  # at 256 families, 512 and 1,024: the intervals of the claim hold at all of them together
LEVEL = 1 - 0.05 / LOOKS
OPPOSITE = {SUPPORTED: NOT_SUPPORTED, NOT_SUPPORTED: SUPPORTED, UNDECIDED: UNDECIDED}
DECIDE = ("no memory", "memory", "adaptive")
EPSILON = "epsilon-greedy saves, traps"


@dataclass(frozen=True)
class Property(RunConfig):
    """A cell that says of every family whether it has a trap (1 or 0)."""


@dataclass(frozen=True)
class Seen(RunConfig):
    """A cell that counts the families of the evaluation, by hash of tables and words, that were trained on."""


def cells(quick: bool) -> Sequence[RunConfig]:
    """Every set in chunks, every planner on it; the property of having a trap; in full, the curves."""
    found: list[RunConfig] = []
    sizes = {SEEDS: 16 if quick else FIRST, **{f"{SEEDS}:kind={kind}": 8 if quick else 64 for kind in HELD_OUT}}
    found += [Seen(world, runs=families) for world, families in sizes.items()]
    for world, families in sizes.items():
        for first in range(0, families, CHUNK):
            size = min(CHUNK, families - first)
            found += [_chunk(world, title, first, size) for title in ARMS]
            found.append(Property(world, episodes=EPISODES, runs=size, seed=first))
    shipped = 4 if quick else 24
    found += [RunConfig(world, *arm, episodes=EPISODES, runs=shipped) for world in SHIPPED for arm in ARMS.values()]
    if not quick:
        found += [Grown(SEEDS, "grown", episodes=EPISODES, runs=64, families=n, width=w) for n, w in CURVE]
    return found


def _chunk(world: str, title: str, first: int, size: int = CHUNK) -> RunConfig:
    """A line on some of the families of a set."""
    planner, explore = ARMS[title]
    return RunConfig(world, planner, explore, episodes=EPISODES, runs=size, seed=first)


def further(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Sequence[RunConfig]:
    """As many held-out families again, of the lines of the claim, where those so far leave some of it undecided."""
    of = gathered(configs, regrets)
    number = len(of[SEEDS, "adaptive"])
    if not FIRST <= number < MOST or UNDECIDED not in [row["holds"] for row in _claimed(of)]:
        return []
    found: list[RunConfig] = [Seen(SEEDS, runs=number, seed=number)]
    for first in range(number, 2 * number, CHUNK):
        found += [_chunk(SEEDS, title, first) for title in DECIDE]
        found.append(Property(SEEDS, episodes=EPISODES, runs=CHUNK, seed=first))
    return found


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R T"]:
    """Expected regret, a row for each family (or run of a world that ships)."""
    if isinstance(config, Grown):
        return grown(config, bar)
    if config.world in SHIPPED:
        return regret_of(config, bar)
    specs = [family_spec(config.world, config.seed + i) for i in range(config.runs)]
    if isinstance(config, Property):
        return np.array([[float(trapped(spec, EPISODES))] for spec in specs])
    if isinstance(config, Seen):
        return np.array([[float(sum(was_trained_on(tables_of(spec)) for spec in specs))]])
    one = replace(config, runs=1)
    rows = [regret_of(replace(one, world=spec, seed=config.seed + i), bar) for i, spec in enumerate(specs)]
    return np.concatenate(rows)


Regrets = dict[tuple[str, str], Float[np.ndarray, "R T"]]


def gathered(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Regrets:
    """Regret by set and arm, chunks joined; the arm `trap` holds the property. Raises `BadInput` for seen families."""
    name = {arm: title for title, arm in ARMS.items()}
    chunks: dict[tuple[str, str], list[np.ndarray]] = {}
    for config, regret in zip(configs, regrets, strict=True):
        if isinstance(config, Seen) and regret.any():
            number = int(regret[0, 0])
            raise BadInput(f"world {config.world!r}: {number} of its families are among those that were trained on")
        if not isinstance(config, (Grown, Seen)):
            title = "trap" if isinstance(config, Property) else name[config.planner, config.explore]
            chunks.setdefault((config.world, title), []).append(regret)
    return {key: np.concatenate(parts) for key, parts in chunks.items()}


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Every part of the claim has a verdict on every set."""
    of = gathered(configs, regrets)
    worlds = list(dict.fromkeys(world for world, _ in of))
    rows = [_row(world, title, of[world, title]) for world in worlds for title in ARMS]
    for world in worlds:
        rows += _comparisons(of, world)
    return from_rows(rows + curve(configs, regrets, of[SEEDS, "exact"]))


def from_rows(rows: Sequence[Mapping[str, Any]]) -> Finding:
    """One verdict for each set, all its parts together; the claim says of each set whether that is so."""
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if "compared" in row and row["compared"] != EPSILON:
            parts.setdefault(row["set"], []).append(row)
    sets = {name: all_hold([part["holds"] for part in found]) for name, found in parts.items()}
    verdicts = [verdict if name in HOLDS else OPPOSITE[verdict] for name, verdict in sets.items()]
    said = [
        {"set": name, "all parts": verdict, "as claimed": as_claimed}
        for (name, verdict), as_claimed in zip(sets.items(), verdicts, strict=True)
    ]
    (gain,) = (row for row in parts[SEEDS] if row["compared"] == "memory saves")
    quantity = "regret of 32 episodes saved by memory on held-out seeds"
    kept = sorted((dict(row) for row in rows if "all parts" not in row), key=lambda row: "compared" not in row)
    return Finding(CLAIM, all_hold(verdicts), gain["estimate"], (gain["low"], gain["high"]), quantity, said + kept)


def _row(world: str, title: str, regret: Float[np.ndarray, "R T"]) -> dict[str, Any]:
    total = regret.sum(axis=1)
    half = 1.96 * float(total.std(ddof=1)) / np.sqrt(len(total))
    mean, first, last = float(total.mean()), float(regret[:, 0].mean()), float(regret[:, -1].mean())
    row = {"set": world, "planner": title, "families": len(total), "regret": mean}
    return row | {"low": mean - half, "high": mean + half, "episode 1": first, f"episode {EPISODES}": last}


def _comparisons(of: Regrets, world: str) -> list[dict[str, Any]]:
    """Savings by memory, savings by exploration where there are traps, and the loss in the last episode."""
    trap = of[world, "trap"][:, 0] > 0 if (world, "trap") in of else np.ones(len(of[world, "memory"]), dtype=bool)
    found = []
    asked = [("memory saves", "no memory", "memory", np.ones_like(trap))]
    asked += [("adaptive saves, traps", "memory", "adaptive", trap), (EPSILON, "memory", "epsilon-greedy", trap)]
    for what, more, less, chosen in asked:
        if chosen.sum() < 2:
            continue
        both = [of[world, line] for line in (more, less)]
        chosen = chosen[: min(map(len, both))]  # of the lines of the claim there may be more families than of others
        one, other = (regret[: len(chosen)][chosen] for regret in both)
        gain, (low, high) = difference(one, other, LEVEL)
        holds = above(low, high, 0.0)
        row = {"set": world, "compared": what, "families": int(chosen.sum()), "estimate": gain}
        found.append(row | {"low": low, "high": high, "holds": holds})
    adaptive = of[world, "adaptive"]
    left = bootstrap(lambda means: means[0][-1] / max(means[0][0], 1e-12), [adaptive], level=LEVEL)
    row = {"set": world, "compared": f"regret at {EPISODES} over 1, adaptive", "families": len(adaptive)}
    row |= {"estimate": left.value, "low": left.low, "high": left.high, "holds": at_most(left.low, left.high, HALF)}
    found.append(row)
    return found


def _claimed(of: Regrets) -> list[dict[str, Any]]:
    """The rows that decide; what epsilon-greedy saves is reported only."""
    return [row for row in _comparisons(of, SEEDS) if row["compared"] != EPSILON]


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    told = [{**one, "interval": [one["low"], one["high"]]} for one in rows if "planner" in one]
    return rows_figure(NAME, f"regret of {EPISODES} episodes", told, "set", "planner", "regret", "interval")
