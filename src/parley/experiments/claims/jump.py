"""`jump`: the latent changes at an unannounced episode, outside the theory: what breaks, who notices, what helps.

The planner that restarts is told neither that the latent may jump nor when. Its test (Shiryaev and Roberts, see
`planners/forgetting.py`) is calibrated by the planner's belief, not on runs of this experiment. Both instructions come
in turn, so that every jump concerns a task that comes up. A delay counts the episodes that begin under the new latent,
the one with the alarm included. Where every sentence has a floor no run stops, and regret can be compared.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley.core.errors import ImpossibleObservation
from parley.core.said import EpisodeRecord
from parley.execute import RunConfig
from parley.experiments.base import (
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    Finding,
    InMemory,
    difference,
    expected_regret,
    wilson,
)
from parley.planners.forgetting import RestartingPlanner
from parley.report.plots import curves_panels
from parley.report.style import GREY

NAME = "jump"
CLAIM = (
    "When the latent of `household` jumps, the sequential test on surprise finds it with a median delay of at most 10 "
    "episodes. In 90% of runs the delay is at most 20. There is at most one false alarm in 1,000 episodes"
)
PLAIN, RESTART, DISCOUNT = "exact", "exact:forget=restart", "exact:forget=0.99"
JUMP, LENGTH = 60, 120
STILL, MOVED = "household", f"household:jump={JUMP}"
FLOOR = "household:floor=0.02"  # any sentence may be said: no run stops, and one surprise is no proof
FLOORED = f"{FLOOR},jump={JUMP}"
RATE = 1e-3  # false alarms an episode
WITHIN = ((10, 0.5), (20, 0.9))  # episodes, and the share of jumps that must be found by then
Kept = Float[np.ndarray, "2 R T"]  # expected regret, NaN from where a run had to stop; alarms


def cells(quick: bool) -> Sequence[RunConfig]:
    """Without a jump, for false alarms; with one; and with a floor, where no run stops."""
    still = RunConfig(STILL, RESTART, episodes=500, runs=120 if quick else 480)
    moved = RunConfig(MOVED, RESTART, episodes=LENGTH, latent="each", runs=90 if quick else 900)
    alone = replace(moved, planner=PLAIN, runs=18 if quick else 90)
    floored = [replace(moved, world=FLOORED, planner=planner) for planner in (PLAIN, RESTART, DISCOUNT)]
    return [still, replace(still, world=FLOOR), moved, alone, *floored]


class Alarms(InMemory):
    """Keeps in which episodes each run's planner restarted."""

    def __init__(self) -> None:
        super().__init__()
        self.alarms: list[np.ndarray] = []

    def episode(self, record: EpisodeRecord, snapshot: object = None) -> None:
        super().episode(record, snapshot)
        quiet = np.zeros(len(record.returns), dtype=bool)
        self.alarms.append(self.planner.alarmed if isinstance(self.planner, RestartingPlanner) else quiet)


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Kept:
    """Regret and alarms; runs that an impossible observation may stop go one by one, latents in turn."""
    if config.planner != PLAIN or config.world != MOVED:
        kept = Alarms()
        regret = expected_regret(config, bar, kept=kept)
        return np.stack([regret, np.array(kept.alarms).T])
    found = np.full((2, config.runs, config.episodes), np.nan)
    for run in range(config.runs):
        one = Alarms()
        try:
            expected_regret(replace(config, runs=1, seed=config.seed + run, latent=str(run % 9)), bar, kept=one)
        except ImpossibleObservation:
            pass
        found[:, run, : len(one.regret)] = np.array(one.regret)[:, 0], np.array(one.alarms)[:, 0]
    return found


def delays(kept: Kept) -> Float[np.ndarray, " R"]:
    """Episodes from the jump to the first alarm since; infinite without an alarm."""
    after = kept[1][:, JUMP:] > 0
    return np.where(after.any(axis=1), after.argmax(axis=1) + 1.0, np.inf)


def analyse(configs: Sequence[RunConfig], kept: Sequence[Kept]) -> Finding:
    """The share of jumps found by then less the share asked for, the worse of the two; and false alarms, by Wilson."""
    of = {(c.world, c.planner): k for c, k in zip(configs, kept, strict=True)}
    rates, found = {world: _alarms(of[world, RESTART]) for world in (STILL, FLOOR)}, delays(of[MOVED, RESTART])
    rate, shares = rates[STILL], [_share(found, episodes) for episodes, _ in WITHIN]
    margins = [tuple(x - least for x in share) for share, (_, least) in zip(shares, WITHIN, strict=True)]
    low, value, high = min(margins)
    fine, bad = low >= 0 and rate[2] <= RATE, high < 0 or rate[0] > RATE
    verdict = SUPPORTED if fine else NOT_SUPPORTED if bad else UNDECIDED
    rows: list[dict[str, Any]] = []
    for world, jumping in ((STILL, MOVED), (FLOOR, FLOORED)):
        late, alarms = delays(of[jumping, RESTART]), of[world, RESTART][1]
        row = {"world": jumping, "episodes_without_jump": alarms.size, "false_alarms": int(alarms.sum())}
        row |= {"false_alarms_an_episode": rates[world][1], "interval": [rates[world][0], rates[world][2]]}
        row |= {"jumps": len(late), "median_delay": _quantile(late, 0.5), "delay_of_90_percent": _quantile(late, 0.9)}
        for episodes, _ in WITHIN:
            lower, share, upper = _share(late, episodes)
            row |= {f"found_within_{episodes}": share, f"found_within_{episodes}_interval": [lower, upper]}
        rows.append(row)
    rows += [_row(c, k) for c, k in zip(configs, kept, strict=True)]
    plain, restart = (np.asarray(of[FLOORED, p][0][:, JUMP:]) for p in (PLAIN, RESTART))
    gap, interval = difference(plain, restart)
    rows.append({"saved_by_restarting_after_the_jump": gap, "interval": list(interval)})
    quantity = "share of jumps found in time less the share asked for, the worse of 10 and 20 episodes"
    return Finding(CLAIM, verdict, value, (low, high), quantity, rows)


def _row(config: RunConfig, kept: Kept) -> dict[str, Any]:
    """Regret before and after, of an episode at the very end, and how many runs had to stop."""
    regret, stopped = kept[0], np.isnan(kept[0]).any(axis=1)
    row: dict[str, Any] = {"world": config.world, "planner": config.planner, "runs": config.runs}
    row |= {"stopped": int(stopped.sum())}
    if stopped.any():
        first = np.isnan(regret[stopped]).argmax(axis=1)
        return {**row, "stopped_episodes_after_the_jump": float(np.median(first)) - JUMP + 1}
    parts = {"regret_before": regret[:, :JUMP], "regret_after": regret[:, JUMP:]}
    for name, part in parts.items():
        total = part.sum(axis=1)
        row |= {name: float(total.mean()), f"{name}_half_width": float(1.96 * total.std(ddof=1) / len(total) ** 0.5)}
    return {**row, "regret_of_an_episode_at_the_end": float(regret[:, -10:].mean())}


def _alarms(kept: Kept) -> tuple[float, float, float]:
    """The share of episodes with an alarm."""
    return wilson(int(kept[1].sum()), kept[1].size)


def _share(found: Float[np.ndarray, " R"], episodes: int) -> tuple[float, float, float]:
    """The share of jumps found by then."""
    return wilson(int((found <= episodes).sum()), len(found))


def _quantile(found: Float[np.ndarray, " R"], share: float) -> float | None:
    value = float(np.quantile(found, share, method="inverted_cdf"))
    return value if np.isfinite(value) else None


def figure(configs: Sequence[RunConfig], kept: Sequence[Kept]) -> Figure:
    """Regret where no run stops, and the share of jumps found so far."""
    curves = [(c.planner, np.cumsum(k[0], axis=1)) for c, k in zip(configs, kept, strict=True) if c.world == FLOORED]
    found = delays(next(k for c, k in zip(configs, kept, strict=True) if (c.world, c.planner) == (MOVED, RESTART)))
    so_far = JUMP + found[:, None] <= np.arange(1, LENGTH + 1)
    panels = [
        (f"{NAME} at episode {JUMP}: regret", "cumulative expected regret", curves),
        (f"{NAME} at episode {JUMP}: found", "share of jumps found", [(RESTART, so_far)]),
    ]
    drawn = curves_panels("episode", panels)
    for ax in drawn.axes:
        ax.axvline(JUMP, ls=":", lw=1, color=GREY)
    return drawn
