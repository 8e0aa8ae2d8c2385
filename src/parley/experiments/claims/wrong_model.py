"""`wrong-model`: once its model is rejected, an adaptive explorer explores by force, and regret is sublinear again.

The model is overconfident. All probabilities of the tables that planner and explorer go by are the world's to the third
power, normalised (a temperature of a third). Behind the traps its experts are the right ones all the same. But a
door that jams a few times all but proves to it that the door is locked. Nothing that it does from then on contradicts
that; only the reports betray the model.

Two worlds are shown beside these. In `random` no exploration helps: its experts are a little wrong. Two of its latents
are taken for another one, which explains the observations better under such a model. What the theory grants an
imperfect model is linear in T. In `household`, which reveals itself, the floor is only a cost.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.roles import Explorer
from parley.core.said import EpisodeRecord
from parley.core.tables import Tables
from parley.execute import RunConfig
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding, all_hold, expected_regret
from parley.experiments.families import many_families
from parley.exploration.rejection import GuardedExplorer
from parley.report.plots import rows_figure
from parley.theory.curves import MARGIN, Growth, growth

NAME = "wrong-model"
CLAIM = (
    "Behind traps, with an overconfident model whose experts are right, both adaptive explorers have sublinear "
    "regret. The model is rejected, and exploration is forced from then on. Without the test (`false_alarm=0`) they "
    "have linear regret"
)
POWER = 3
TRAPPED = (
    ("shortcut:jam=0.3", "the back door is open"),
    ("traps", "rare"),
    *((family, "rare") for family in many_families(8) if "planted=true" in family),
)
SHOWN = (("household", "each"), ("random", "each"))  # no part of the claim
WATCHED = ("adaptive", "adaptive-proposals")
UNWATCHED = tuple(f"{explore}:false_alarm=0" for explore in WATCHED)
ANYTIME = "epsilon-greedy:epsilon=1,power=0.5"  # explores by force from the start
EXPERT = "expert:decode=greedy"  # of the model: what it would do if it knew the latent
Kept = Float[np.ndarray, "R 1+T"]  # the first episode after the rejection, or -1; expected regret


def cells(quick: bool) -> Sequence[RunConfig]:
    """Where nothing is forced few runs lose, those that give the truth up: so there are more runs there."""
    episodes, runs = (2_000, 128) if quick else (5_000, 256)
    found = []
    for world, latent in TRAPPED[:2] if quick else TRAPPED + SHOWN:
        for explore in (*WATCHED, *UNWATCHED, *(() if quick else (ANYTIME,))):
            times = 8 if explore in UNWATCHED and (world, latent) in TRAPPED else 1
            cell = RunConfig(world, "exact:decode=greedy", explore, latent=latent, episodes=episodes, runs=times * runs)
            found.append(cell)
        found.append(RunConfig(world, EXPERT, "none", latent=latent, episodes=100, runs=runs))
    return found


def overconfident(tables: Tables) -> Tables:
    """The same family with all probabilities to the third power, normalised."""

    def sharper(law: Float[np.ndarray, "... N"]) -> Float[np.ndarray, "... N"]:
        return law**POWER / (law**POWER).sum(axis=-1, keepdims=True)

    return replace(
        tables,
        initial=sharper(tables.initial),
        transition=sharper(tables.transition),
        emission=sharper(tables.emission),
    )


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Kept:
    used: list[Explorer] = []

    def keep(explorer: Explorer) -> Explorer:
        used.append(explorer)
        return explorer

    tables = assemble.world(config.world).tables
    assert tables is not None
    regret = expected_regret(config, bar, around=keep, believed=overconfident(tables))
    since = used[0].since if isinstance(used[0], GuardedExplorer) else np.full(len(regret), -1)
    return np.column_stack([since, regret])


def analyse(configs: Sequence[RunConfig], kept: Sequence[Kept]) -> Finding:
    """Each world and explorer apart, by how regret grows over the last doublings of the run; all must hold."""
    found = [growth(np.cumsum(k[:, 1:], axis=1)) for k in kept]
    rows = [_row(c, k, grows) for c, k, grows in zip(configs, kept, found, strict=True)]
    trapped = [(c.explore, grows) for c, grows in zip(configs, found, strict=True) if _is_judged(c)]
    judged = [_verdict(grows, explore in WATCHED) for explore, grows in trapped]
    holds = all_hold(judged)
    value, low, high = max((_shown(grows) for explore, grows in trapped if explore in WATCHED), key=lambda e: e[2])
    quantity = "exponent with which a watched explorer's regret grows, in the world and for the explorer with the most"
    return Finding(CLAIM, holds, value, (low, high), quantity, rows)


def _is_judged(config: RunConfig) -> bool:
    return (config.world, config.latent) in TRAPPED and config.explore in WATCHED + UNWATCHED


def _verdict(grows: Growth, watched: bool) -> str:
    """Sublinear where it is watched, linear where it is not; by intervals."""
    if grows.verdict == ("sublinear" if watched else "linear"):
        return SUPPORTED
    contrary = grows.exponent.low >= 1 - MARGIN if watched else grows.exponent.high < 1 - MARGIN
    return NOT_SUPPORTED if contrary else UNDECIDED


def _shown(grows: Growth) -> tuple[float, float, float]:
    """The exponent and its interval as finite numbers; 0 where regret grows no faster than a logarithm."""
    value, low, high = np.clip([grows.exponent.value, grows.exponent.low, grows.exponent.high], 0.0, 9.99)
    return float(value), float(low), float(high)


def _row(config: RunConfig, kept: Kept, grows: Growth) -> dict[str, Any]:
    since, total = kept[:, 0], kept[:, 1:].sum(axis=1)
    value, low, high = _shown(grows)
    rejected = since[since >= 0]
    return {
        "world": config.world,
        "latent": config.latent,
        "planner": config.planner,
        "explore": config.explore,
        "runs": config.runs,
        "T": config.episodes,
        "regret": float(total.mean()),
        "half_width": float(1.96 * total.std(ddof=1) / len(total) ** 0.5),
        "grows": grows.verdict,
        "exponent": value,
        "interval": [low, high],
        "rejected": len(rejected) / len(since),
        "median_episode_of_rejection": float(np.median(rejected)) if len(rejected) else None,
    }


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """How regret grows: 1 is linear."""
    told = [{**one, "world": one["world"].partition(",")[0]} for one in rows if one["planner"] != EXPERT]
    return rows_figure(NAME, "exponent with which regret grows", told, "world", "explore", "exponent", "interval")
