"""`calibration`: which way of hearing a published language model's choice is nearest to the exact planner's.

At decisions of documents (`experiments.judging`) models are asked by sentences, chat models by letters too. Four scores
are compared. They are raw scores, those less a content-free prompt's (Zhao et al. 2021), and less a prompt's without
history (Holtzman et al. 2021). The fourth is the mean of two orders of the menu. Each is taken at temperature 1 and at
the one that fits best in three generated families. These families are not among the worlds that are reported.

The report has the total variation to BAIL and the expected return that choosing the line liked best gives up. It also
has how often the same line is liked best in both orders.

The total variation to BAIL at the fitted temperature decides, mean over worlds, for the chat model. The way that has
the least is held against raw scores of sentences, and against the uniform distribution. Intervals are over worlds. The
first reference was set before the run. The second was added when SmolLM2's cells were known: every fit had asked for
the uniform distribution, which the first reference does not notice.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import Finding, above, all_hold
from parley.experiments.judging import Judged, judge, parts
from parley.report.plots import rows_figure
from parley.theory.posterior import normalised
from parley.worlds.generated.world import EVALUATED

NAME = "calibration"
CLAIM = (
    "Calibrated and averaged over orders, a chat model is nearer to BAIL than by its raw scores of sentences. It is "
    "also nearer than the uniform distribution"
)
WAYS = ("sentences", "letters")
# A base model answers no question by a letter: it is asked by sentences alone.
MODELS = {"SmolLM2": ("hf:smollm2", WAYS), "Gemma 3": ("hf:gemma3", WAYS[:1])}
METHODS = ("raw", "contextual", "pmi", "orders", "contextual, orders", "pmi, orders")
FITTED = tuple(
    f"generated:seed={EVALUATED + 500 + i},kind={kind}" for i, kind in enumerate(("find", "serve", "signals"))
)
WORLDS = (
    *("shortcut", "household", "quest:low_level=false", "keys:low_level=false", "weather"),
    *(f"generated:seed={EVALUATED + 600 + i},kind={kind}" for i, kind in enumerate(("fetch", "lock", "ask"))),
)
TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(32), 29))


def cells(quick: bool) -> Sequence[RunConfig]:
    """The decisions of every model, way and world; those on which temperatures are fitted too."""
    documents, episodes = (2, 2) if quick else (3, 3)
    models = dict(list(MODELS.items())[:1]) if quick else MODELS
    worlds = (*FITTED, *WORLDS[: 2 if quick else None])
    return [
        Judged(world, f"{model},way={way}", episodes=episodes, runs=documents, seed=5)
        for model, ways in models.values()
        for way in ways
        for world in worlds
    ]


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "N W"]:
    """The scores of every decision, as `judging.judge` has them."""
    assert isinstance(config, Judged)
    return judge(config)


def laws(found: Float[np.ndarray, "N W"], method: str, temperature: float) -> Float[np.ndarray, "P N M"]:
    """The distribution of a method in each order (alike in both if they are averaged); 0 beyond the menu."""
    of, (kind, _, orders) = parts(found), method.partition(", ")
    taken = kind if kind in ("contextual", "pmi") else ""
    told = []
    for order in range(2):
        scores = of[f"scores {order}"] - (of[f"{taken} {order}"] if taken else 0.0)
        told.append(normalised(np.where(np.isnan(scores), -np.inf, scores / temperature)))
    return np.array([np.mean(told, axis=0)] * 2 if "orders" in (kind, orders) else told)


def distance(found: Float[np.ndarray, "N W"], method: str, temperature: float) -> float:
    """Mean total variation to BAIL, of the menu's own order."""
    exact = np.nan_to_num(parts(found)["bail"])
    return float(0.5 * np.abs(laws(found, method, temperature)[0] - exact).sum(axis=1).mean())


def fitted(several: Sequence[Float[np.ndarray, "N W"]], method: str) -> float:
    """The temperature at which a method is nearest to BAIL, mean over worlds."""
    means = [np.mean([distance(found, method, t) for found in several]) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(means))])


def row(found: Float[np.ndarray, "N W"], method: str, temperature: float) -> dict[str, float]:
    """The reported quantities of a method in a world."""
    told, of = laws(found, method, 1.0), parts(found)
    best, exact = told.argmax(axis=2), np.nan_to_num(of["bail"])
    legal = ~np.isnan(of["bail"])
    uniform = legal / legal.sum(axis=1, keepdims=True)
    loss = np.nan_to_num(of["loss"])
    alone = laws(found, "raw" if method == "orders" else method.partition(",")[0], 1.0).argmax(axis=2)
    counts = np.bincount(best[0], minlength=exact.shape[1])
    return {
        "tv": distance(found, method, 1.0),
        "tv fitted": distance(found, method, temperature),
        "tv uniform": float(0.5 * np.abs(uniform - exact).sum(axis=1).mean()),
        "loss": float(np.take_along_axis(loss, best[0][:, None], axis=1).mean()),
        "loss uniform": float((uniform * loss).sum(axis=1).mean()),
        "agreement": float((alone[0] == alone[1]).mean()),
        "one line": float(counts.max() / counts.sum()),
    }


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "N W"]]) -> Finding:
    """The way that is nearest to BAIL, against raw scores of sentences and the uniform distribution; all as rows."""
    of = {(c.planner, c.world): found for c, found in zip(configs, regrets, strict=True)}
    rows, distances = list[dict[str, Any]](), dict[tuple[str, str], list[float]]()
    for title, (model, ways) in MODELS.items():
        for way in ways:
            spec = f"{model},way={way}"
            worlds = [world for planner, world in of if planner == spec and world not in FITTED]
            for method in METHODS if worlds else ():
                temperature = fitted([of[spec, world] for world in FITTED], method)
                told = {"model": title, "way": way, "method": method, "temperature": temperature}
                each = [row(of[spec, world], method, temperature) for world in worlds]
                mean = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
                rows.append({**told, "world": "mean", **mean})
                rows += [{**told, "world": world, **one} for world, one in zip(worlds, each, strict=True)]
                if title == "SmolLM2":
                    distances[way, method] = [one["tv fitted"] for one in each]
                    uniform = [one["tv uniform"] for one in each]
    best = min(distances, key=lambda key: float(np.mean(distances[key])))
    gains = [_gain(reference, distances[best]) for reference in (distances["sentences", "raw"], uniform)]
    holds = all_hold([above(low, high, 0.0) for _, (low, high) in gains])
    value, interval = min(gains, key=lambda gain: gain[1][0])
    what = f"total variation to BAIL that {best[0]}, {best[1]} saves, against the better reference"
    return Finding(CLAIM, holds, value, interval, what, rows)


def _gain(reference: Sequence[float], mine: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """The mean difference over worlds, with its 95% interval."""
    gain = np.array(reference) - np.array(mine)
    mean, half = float(gain.mean()), 1.96 * float(gain.std(ddof=1)) / len(gain) ** 0.5
    return mean, (mean - half, mean + half)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Means over worlds, less the uniform distribution's; below 0 is nearer to BAIL."""
    told = []
    for name in dict.fromkeys(f"{one['model']}, {one['way']}, {one['method']}" for one in rows):
        of = [
            one for one in rows if one["world"] != "mean" and f"{one['model']}, {one['way']}, {one['method']}" == name
        ]
        for key, title in (("tv", "temperature 1"), ("tv fitted", "fitted temperature")):
            mean, interval = _gain([one[key] for one in of], [one["tv uniform"] for one in of])
            told.append({"method": name, "at": title, "more": mean, "interval": list(interval)})
    x = "total variation to BAIL, more than the uniform distribution"
    return rows_figure(NAME, x, told, "method", "at", "more", "interval")
