"""`tuned-model`: is a published language model a better planner after tuning on generated worlds?

SmolLM2-135M-Instruct has a low-rank adapter of `parley finetune --world generated`. It stands beside itself as it is,
asked as a chat model and by the prompt that the adapter was trained on. The others are random choice, the exact
planner, and `generated`, the small checkpoint of 2.8M parameters that was trained on such worlds from nothing. The
worlds are held-out families of kinds that were trained on, families of kinds that were not (`lock`, `ask`, `levers`),
and `household`, `quest` and `keys`. All arms share latents and random numbers.

Written before it was run: the tuned model with its whole history must lose less than four others on the families. They
are random choice, itself as it is by either prompt, and itself without memory. In at least one of the three worlds it
must lose less than the small checkpoint. Intervals are paired over runs. Losses are in units of what random choice
loses there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, above, all_hold, saved_share
from parley.experiments.base import expected_regret as measured
from parley.report.plots import rows_figure
from parley.theory.curves import student
from parley.worlds.generated.held_out import HELD_OUT
from parley.worlds.generated.world import EVALUATED

NAME = "tuned-model"
CLAIM = (
    "Tuned on generated worlds, SmolLM2 with its whole history is better in families that it never saw. It loses less "
    "than random choice, than itself as it is, and than itself without memory. In `household`, `quest` or `keys` it "
    "loses less than the small checkpoint `generated`"
)
TUNED, PLAIN = "hf:smollm2,adapter=smollm2-planner", "hf:smollm2"
ARMS = {
    "random": "random",
    "exact": "exact",
    "tuned": f"{TUNED},memory=full",
    "tuned, no memory": f"{TUNED},memory=none",
    "as it is, chat": f"{PLAIN},memory=full",
    "as it is, transcript": f"{PLAIN},memory=full,template=stated,chat=false",
    "small": "hf:generated,header=true,normalise=menu",
}
FAMILIES = (
    *(f"generated:seed={EVALUATED + 800 + i}" for i in range(3)),
    *(f"generated:seed={EVALUATED + 810 + i},kind={kind}" for i, kind in enumerate((*HELD_OUT, "levers"))),
)
WORLDS = ("household", "quest:low_level=false", "keys:low_level=false")
BEATS = ("random", "as it is, chat", "as it is, transcript", "tuned, no memory")


def cells(quick: bool) -> Sequence[RunConfig]:
    """Every arm in every world; quick: one family, one kind and one world, in half the runs and episodes."""
    worlds = (FAMILIES[0], FAMILIES[3], WORLDS[0]) if quick else (*FAMILIES, *WORLDS)
    episodes, runs = (3, 4) if quick else (5, 12)
    return [
        RunConfig(world, planner, "none", episodes=episodes, runs=runs, seed=17)
        for world in worlds
        for planner in ARMS.values()
    ]


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R T"]:
    """Expected regret of every run and episode."""
    return measured(config, bar)


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """The parts of the claim, then every arm in every world."""
    titles = {planner: title for title, planner in ARMS.items()}
    of = {(c.world, titles[c.planner]): found for c, found in zip(configs, regrets, strict=True)}
    worlds = list(dict.fromkeys(c.world for c in configs))
    families, others = [w for w in worlds if w in FAMILIES], [w for w in worlds if w in WORLDS]
    parts = [_part(of, families, other, 0.95) for other in BEATS]
    each = [_part(of, [world], "small", 1 - 0.05 / len(others)) for world in others]
    verdicts = [one["verdict"] for one in each]
    some = SUPPORTED if SUPPORTED in verdicts else UNDECIDED if UNDECIDED in verdicts else NOT_SUPPORTED
    least = min(parts, key=lambda one: one["low"])
    rows: list[dict[str, Any]] = [*parts, *each]
    for (world, title), found in of.items():
        totals, scale = found.sum(axis=1), of[world, "random"].sum(axis=1).mean()
        half = student(0.95, len(totals) - 1) * totals.std(ddof=1) / np.sqrt(len(totals)) / scale
        rows.append({"world": world, "arm": title, "share": float(totals.mean() / scale), "half": float(half)})
    verdict = all_hold([*(one["verdict"] for one in parts), some])
    what = f"regret saved against {least['against']!r} on held-out families, in units of what random choice loses"
    return Finding(CLAIM, verdict, least["saved"], (least["low"], least["high"]), what, rows)


def _part(
    of: Mapping[tuple[str, str], Float[np.ndarray, "R T"]], worlds: Sequence[str], other: str, level: float
) -> dict[str, Any]:
    """What the tuned model saves against another arm, mean over worlds."""
    pairs = [(of[world, other], of[world, "tuned"]) for world in worlds]
    mean, (low, high) = saved_share(pairs, [float(of[w, "random"].sum(axis=1).mean()) for w in worlds], level)
    where = worlds[0] if len(worlds) == 1 else f"{len(worlds)} families"
    return {"in": where, "against": other, "saved": mean, "low": low, "high": high, "verdict": above(low, high, 0.0)}


def figure(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Figure:
    return drawn(analyse(configs, regrets).rows)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Every arm but random choice in every world, with intervals."""
    shown = [one for one in rows if "arm" in one and one["arm"] != "random"]
    title = f"{NAME}: regret, random choice = 1"
    return rows_figure(title, "regret in units of random choice's", shown, "world", "arm", "share", "half")
