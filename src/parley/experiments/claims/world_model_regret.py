"""`world-model-regret`: planning in a model's predictions against imitation, with the same checkpoint and explorer.

The rows take the model-based planner's regret apart. The same search in the exact model shows the part that is due to
the model's errors. All histories of the exact model instead of a tree show the part of the search. The exact planner
with an explorer that buys exploration where it is needed shows the part of exploration. The rest is the price of
learning at all.

`adaptive` by itself would execute the exact posterior's subgoals with any planner, and all planners would be equal.
Here it makes the same trials, and executes the planner's own proposals between them.

A second checkpoint, trained here, has seen no expert: trajectories of uniform subgoals, and no labels. Its references
are the exact model, and a planner cloned from that behaviour, which needs no training: it is `random`.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.errors import BadInput
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, Finding, at_most, expected_regret, shipped
from parley.experiments.claims.epsilon_greedy import sizes
from parley.models.checkpoint import Checkpoint
from parley.report.plots import rows_figure
from parley.theory.bounds import regret_bound
from parley.theory.curves import expanded_tail
from parley.training.recipe import PRESETS
from parley.training.train import pretrain

NAME = "world-model-regret"
CLAIM = (
    "Planning in the model's predictions has at most 1.1 times the regret of imitation, in every tabular world. Both "
    "use the same checkpoint and explorer (epsilon-greedy, adaptive). Without any expert in the pretraining data it "
    "has at most 1.2 times the regret of planning in the exact model. Its regret is also at most half that of a "
    "planner cloned from the data"
)
MODEL, IMITATION, CLONE = "world-model:budget=64", "transformer", "random"
EXACT_MODEL, ALL_HISTORIES = "world-model:model=exact,budget=64", "world-model:model=exact,search=expectimax"
PLANNERS = (MODEL, IMITATION, EXACT_MODEL, ALL_HISTORIES)
LEARNING = ("exact:decode=greedy", "adaptive")  # the reference that explores where it is needed
RATE = "epsilon-greedy:epsilon=1,power=0.5"  # the theory's t ** -1/2 alone: its constants ask for 1 at these lengths
ADAPTIVE = "adaptive:between=proposals"
DECIDING = (RATE, ADAPTIVE)
REPORTED = ("none", "adaptive-proposals")  # but where planning takes long
LONG = "household"
RUNS = {"treasure": 320, "shortcut": 128, "random": 256, "traps": 512, LONG: 54}  # at least 2 a latent
LIMITS = ((IMITATION, 1.1),)
LIMITS_NO_EXPERT = ((EXACT_MODEL, 1.2), (CLONE, 0.5))
NO_EXPERT = "no expert in the data"
TRAINED_HERE = ("shortcut", "household")  # worlds in which a checkpoint is trained without labels
BATCH = 8  # documents a step: fewer than the presets', since there are fewer tokens
TOO_DEEP = ("weather",)  # 7 subgoals and 6 sentences over five steps: too many imagined histories for each decision
LEAST = 1e-9
Totals = dict[str, Float[np.ndarray, "R Z"]]  # by planner


@dataclass(frozen=True)
class Unlabelled(RunConfig):
    """A run with a checkpoint that is trained first, on so many tokens of uniform behaviour, without labels."""

    tokens: int = 0


def cells(quick: bool) -> Sequence[RunConfig]:
    """`exact` references of the unlabelled cells stand among the others: same world, explorer, runs and seed."""
    found: list[RunConfig] = []
    for path in (path for path in shipped() if path.name not in TOO_DEEP):
        episodes = int(Checkpoint.load(path).about["episodes"])
        number = len(assemble.world(path.name).latents)
        runs = number * max(2, (32 if quick else RUNS.get(path.name, 64)) // number)
        base = RunConfig(path.name, "", "", episodes=episodes, latent="each", runs=runs)
        found.append(replace(base, planner=LEARNING[0], explore=LEARNING[1]))
        explorers = (RATE,) if quick else DECIDING if path.name == LONG else (*DECIDING, *REPORTED)
        found += [replace(base, planner=p, explore=e) for e in explorers for p in (*PLANNERS, CLONE)]
        if path.name in TRAINED_HERE[: 1 if quick else None]:
            plain = {name: getattr(base, name) for name in RunConfig.__dataclass_fields__}
            tokens = PRESETS[path.name].tokens // (10 if quick else 3)
            plain |= {"planner": MODEL, "explore": RATE}
            found.append(Unlabelled(**plain, tokens=tokens))
    return found


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R T"]:
    """Expected regret; of an unlabelled cell after training its checkpoint."""
    if not isinstance(config, Unlabelled):
        return expected_regret(config, bar)
    tables = assemble.world(config.world).tables
    if tables is None:
        raise BadInput(f"world {config.world!r} has no exact tables: this experiment needs them")
    recipe = replace(PRESETS[config.world], tokens=config.tokens, behaviour="uniform", label_weight=0.0, batch=BATCH)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "checkpoint"
        pretrain(tables, config.world, out, recipe)
        return expected_regret(replace(config, planner=f"{config.planner},checkpoint={out}"), bar)


def analyse(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
    """Regret of the model-based planner less so many times that of a reference, run by run, latents by their prior.

    The largest upper limit decides, among the explorers of the claim.
    """
    cell: dict[tuple[str, str], Totals] = {}
    early: dict[tuple[str, str], Totals] = {}  # after half of the episodes
    lengths: dict[str, int] = {}
    for c, r in zip(configs, regrets, strict=True):
        name = NO_EXPERT if isinstance(c, Unlabelled) else c.planner
        number = len(assemble.world(c.world).latents)
        for kept, last in ((early, c.episodes // 2), (cell, c.episodes)):
            kept.setdefault((c.world, c.explore), {})[name] = r[:, :last].sum(axis=1).reshape(-1, number)
        lengths[c.world] = c.episodes
    rows: list[dict[str, Any]] = []
    margins: list[tuple[float, float, float]] = []
    for (world, explore), totals in cell.items():
        for mine, limits in ((MODEL, LIMITS), (NO_EXPERT, LIMITS_NO_EXPERT)):
            if mine not in totals:
                continue
            prior = assemble.world(world).prior
            row = {"world": world, "explore": explore, "runs_a_latent": len(totals[mine]), "model_based": mine}
            row |= {
                "regret": _mean(totals[mine], prior)[0],
                **_growth(early[world, explore][mine], totals[mine], prior),
            }
            if explore == RATE:
                row |= {"bound": regret_bound(lengths[world], *sizes(world))}
            for reference, times in limits:
                mean, half = _mean(totals[mine] - times * totals[reference], prior)
                row |= {reference: _mean(totals[reference], prior)[0]}
                row |= {f"above_{times}_times": mean, f"above_{times}_times_interval": [mean - half, mean + half]}
                if explore in DECIDING:
                    margins.append((mean - half, mean, mean + half))
            rows.append({**row, **_parts(totals[mine], totals, cell[world, LEARNING[1]][LEARNING[0]], prior)})
    low, value, high = max(margins, key=lambda margin: margin[2])
    verdict = NOT_SUPPORTED if max(margin[0] for margin in margins) > 0 else at_most(low, high, 0.0)
    quantity = "regret less the limit set by its reference, worst world and reference"
    return Finding(CLAIM, verdict, value, (low, high), quantity, rows)


def _growth(half: np.ndarray, whole: np.ndarray, prior: Float[np.ndarray, " Z"]) -> dict[str, Any]:
    """The slope of log regret in log t over the last half, with a bootstrap 95% interval over rounds of the latents."""
    again = np.random.default_rng(0).integers(len(whole), size=(1000, len(whole)))
    later, before = (np.maximum(total[again].mean(axis=1) @ prior, LEAST) for total in (whole, half))
    tail = expanded_tail(0.95, len(whole))
    low, high = np.quantile(np.log2(later / before), [tail, 1 - tail])
    slope = np.log2(max(_mean(whole, prior)[0], LEAST) / max(_mean(half, prior)[0], LEAST))
    return {"slope": float(slope), "slope_interval": [float(low), float(high)]}


def _parts(mine: np.ndarray, totals: Totals, learning: np.ndarray, prior: Float[np.ndarray, " Z"]) -> dict[str, Any]:
    """What the regret is due to: each part is the difference of two planners, and as a share of the whole."""
    chain = (mine, totals[EXACT_MODEL], totals[ALL_HISTORIES], learning)
    whole = _mean(mine, prior)[0]
    found: dict[str, Any] = {}
    for name, (more, less) in zip(("model", "search", "exploration"), pairwise(chain), strict=True):
        mean, half = _mean(more - less, prior)
        found |= {f"due_to_{name}": mean, f"due_to_{name}_half_width": half, f"share_{name}": mean / max(whole, LEAST)}
    return found | {"due_to_learning": _mean(learning, prior)[0]}


def _mean(totals: Float[np.ndarray, "R Z"], prior: Float[np.ndarray, " Z"]) -> tuple[float, float]:
    """The mean with latents weighted by the prior, and the half width of its 95% interval."""
    error = np.sqrt(prior**2 @ totals.var(axis=0, ddof=1) / len(totals))
    return float(prior @ totals.mean(axis=0)), 1.96 * float(error)


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The margins that the claim sets: below 0 the limit holds."""
    told = []
    for one in rows:
        limits = LIMITS if one["model_based"] == MODEL else LIMITS_NO_EXPERT
        for reference, times in limits:
            told.append(
                {
                    "cell": f"{one['world']}: {one['explore']}",
                    "limit": f"{one['model_based']} less {times:g} times {reference}",
                    "above": one[f"above_{times}_times"],
                    "interval": one[f"above_{times}_times_interval"],
                }
            )
    return rows_figure(NAME, "regret less its limit", told, "cell", "limit", "above", "interval")
