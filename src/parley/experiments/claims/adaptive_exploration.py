"""`adaptive-exploration`: exploration that is bought only where it is needed, against the paper's and other references.

The worlds are many families, some with traps, and every shipped tabular world. Each latent (one of those that nothing
can tell apart) is run on its own. Weighted by the prior its loss is Bayes regret; its largest entry is the worst case
over z. Random numbers are common to all lines of a world and seed.

References are first run for a tenth of the episodes, which bounds them from below (`adaptive_lines`). They are run for
longer only where that decides nothing. If a margin is then still undecided, its lines get more runs, at most three
times. Each time it is twice as many as their variance asks for, in blocks of a seed each, which may be run side by
side.

The constants that are added to the limits (0.25 of Bayes regret) are large where regret is small. So the finding counts
as well how many criteria hold without them; that is reported and decides nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding
from parley.experiments.claims.adaptive_lines import (
    ADAPTIVE,
    GREEDY,
    LIMIT,
    PROPOSALS,
    SAMPLED,
    SAMPLING,
    apart,
    totals_of,
)
from parley.experiments.claims.adaptive_margins import Judged, Lines, judged, without_slack
from parley.experiments.families import many_families
from parley.report.plots import rows_figure

NAME = "adaptive-exploration"
CLAIM = (
    "On every world the Bayes regret of `adaptive` is at most 1.1 times that of the best reference plus 0.25 (T = "
    "10,000 and 100,000). It is at most 1.5 times the optimum plus 0.1. In the worst case over z it is at most 1.1 "
    "times the best plus 1.0 (T = 10,000). There it is at most half of the best undesigned reference behind traps, "
    "and a tenth on `treasure:n=64`. `adaptive-proposals` has at most twice the Bayes regret of `adaptive` plus 1.0"
)
SHIPPED = ("household", "shortcut", "treasure", "treasure:n=64", "random", "traps", "weather", "team")
FAMILIES = 80  # those from the 41st on were first run when the explorers were finished
RUNS = 32  # of each class, at first; the quick form has fewer, and does not look again
BLOCK = 112  # of each class, in each of the blocks that are added
SEEDS = range(1, 10), range(10, 22), range(22, 28)  # of the blocks that a line may get for each further look
BOOTSTRAPS = 400
SHOWN = {"bayes": "adaptive", "proposals": "adaptive-proposals"}  # criteria of the figure


def cells(quick: bool) -> Sequence[RunConfig]:
    """Both forms and the limit at every T, greedy decoding at the first, what learns more slowly for a tenth of it."""
    families = many_families(FAMILIES)
    worlds = SHIPPED[1:3] + families[1:4] if quick else SHIPPED + families
    spans, runs = ((1_000,), RUNS // 4) if quick else ((10_000, 100_000), RUNS)
    lines = [(key, t) for t in spans for key in (ADAPTIVE, PROPOSALS)]
    lines += [(GREEDY, spans[0]), (SAMPLED, spans[0] // 10), (SAMPLING, spans[0] // 10)]
    found = [_cell(world, key, t, runs) for world in worlds for key, t in lines]
    return found + [replace(_cell(world, LIMIT, t, 1), runs=1) for world in worlds for t in spans]


def _cell(world: str, key: tuple[str, str], episodes: int, runs: int, seed: int = 0) -> RunConfig:
    """`runs` runs of each class."""
    return RunConfig(world, *key, episodes=episodes, latent="each", runs=runs * len(apart(world)[0]), seed=seed)


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R 1"]:
    return totals_of(config, bar)


def further(configs: Sequence[RunConfig], totals: Sequence[np.ndarray]) -> list[RunConfig]:
    """References for longer where a bound decides nothing; after that, in full, more runs where they are needed."""
    found = [one for one in _judge(configs, totals) if one.low < 0]
    runs = configs[0].runs // len(apart(configs[0].world)[0])
    longer = [_cell(one.world, *one.longer, runs) for one in found if one.longer is not None]
    if longer or runs < RUNS:
        return list(dict.fromkeys(longer))
    looks = _looks(configs)
    open_now = [one for one in found if one.high >= 0 and looks[one.world] <= len(SEEDS)]
    worlds = {one.world: SEEDS[looks[one.world] - 1] for one in open_now}
    return list(chain.from_iterable(_more_runs(world, seeds, open_now) for world, seeds in worlds.items()))


def _looks(configs: Sequence[RunConfig]) -> dict[str, int]:
    """How often each world has been looked at, this time included."""
    last = {world: max(c.seed for c in configs if c.world == world) for world in {c.world: 0 for c in configs}}
    return {world: 1 + sum(seed >= seeds[0] for seeds in SEEDS) for world, seed in last.items()}


def _more_runs(world: str, seeds: Sequence[int], open_now: Sequence[Judged]) -> Iterator[RunConfig]:
    """Blocks enough for each open margin of a world to be told from 0, of the lines that it is made of."""
    blocks: dict[tuple[tuple[str, str], int], int] = {}
    for one in open_now:
        if one.world == world:
            had = {line: one.lines_of.runs(*line) for line in one.lines}
            needed = 2 * min(had.values()) * (one.half / max(abs(one.margin), 1e-9)) ** 2
            for line, runs in had.items():
                more = int(np.clip(np.ceil((needed - runs) / BLOCK), 0, len(seeds)))
                blocks[line] = max(more, blocks.get(line, 0))
    for (key, episodes), number in blocks.items():
        yield from (_cell(world, key, episodes, BLOCK, seed) for seed in seeds[:number])


def _judge(configs: Sequence[RunConfig], totals: Sequence[np.ndarray]) -> list[Judged]:
    """Every criterion on every world, with intervals that hold together with 95% (Bonferroni; Student's, of few runs).

    Look k spends 1 / (k (k + 1)) of the 5%: however often one looks, no more than 5% are spent.
    """
    by_world: dict[str, Lines] = {}
    for config, total in zip(configs, totals, strict=True):
        by_world.setdefault(config.world, Lines(config.world)).add(config, total)
    criteria = [one for lines in by_world.values() for one in judged(lines)]
    spent = {world: 0.05 / (look * (look + 1)) for world, look in _looks(configs).items()}
    rng = np.random.default_rng(0)
    picks = {world: [lines.pick(rng) for _ in range(BOOTSTRAPS)] for world, lines in by_world.items()}
    return [one.with_interval(spent[one.world] / len(criteria), picks[one.world]) for one in criteria]


def analyse(configs: Sequence[RunConfig], totals: Sequence[np.ndarray]) -> Finding:
    """The smallest margin over worlds and criteria decides."""
    found = _judge(configs, totals)
    return from_rows([one.as_row() for one in sorted(found, key=lambda one: one.low)])


def from_rows(rows: Sequence[Mapping[str, Any]]) -> Finding:
    """The finding from a row for each criterion on each world."""
    widest: Mapping[str, Any] = max(rows, key=lambda row: len(row))  # a table that was read has no empty cells
    columns = dict.fromkeys(widest)
    found = [{**columns, **row} for row in rows if "criterion" in row]
    worst = min(found, key=lambda one: float(one["interval"][0]))
    refuted = [one for one in found if one["verdict"] == NOT_SUPPORTED]
    verdict = NOT_SUPPORTED if refuted else SUPPORTED if worst["interval"][0] >= 0 else UNDECIDED
    worst = min(refuted, key=lambda one: float(one["interval"][1])) if refuted else worst
    low, high = worst["interval"]
    quantity = "smallest margin below a limit"
    return Finding(CLAIM, verdict, worst["margin"], (low, high), quantity, found + without_slack(found))


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """What the claim limits, world by world at the longest T: Bayes regret less its limit, with the intervals."""
    rows = [one for one in rows if one.get("criterion") in SHOWN]
    longest = max(one["T"] for one in rows)
    told = [
        {
            "world": one["world"].partition(",")[0],  # the kind and the seed of a family
            "explorer": SHOWN[one["criterion"]],
            "above": -one["margin"],
            "interval": [-one["interval"][1], -one["interval"][0]],
        }
        for one in rows
        if one["T"] == longest
    ]
    x = "Bayes regret above its limit (below 0: within it)"
    return rows_figure(f"{NAME}, T = {longest:,.0f}", x, told, "world", "explorer", "above", "interval")
