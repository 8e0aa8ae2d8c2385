"""How a run goes wrong: which of the five failure signatures of theory.md section 8 its log shows, if any.

Unusable answers come first, in any world. With tables, the planner is held against the exact one that hears the same
log (`with_tables`). Without tables, only a run's own outcomes are known (`without_tables`).
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.planners.world_model import WorldModelPlanner
from parley.report.one_line import one_line
from parley.report.room import no_room
from parley.report.signatures import (
    EXCESS_TRIALS,
    HEALTHY,
    INVALID,
    LATE,
    PRETRAINING,
    UNKNOWN,
    UNUSABLE,
    Diagnosis,
    Evidence,
)
from parley.report.statistics import Places, against_chance, left_behind, places_of, statistics
from parley.report.summary import readable_manifest, reading
from parley.report.with_tables import predictions, with_tables
from parley.report.without_tables import without_tables
from parley.runs.directory import agreeing, storage
from parley.runs.log import LoggedEpisode, StepsLog
from parley.theory.beliefs import Beliefs


def diagnose(
    out: Path, beliefs: Beliefs | None, again: WorldModelPlanner | None = None, tables_too: bool = True
) -> Diagnosis:
    """The signature of the run in `out`, which must have recorded its steps.

    `again` is the run's planner, made anew, where it plans in predictions: it is asked for them once more. `tables_too`
    False decides without the world's tables even where there are any. Raises `BadInput`.
    """
    manifest = readable_manifest(out)
    if manifest["config"]["record"] != "steps":
        raise BadInput(f"{out}: steps were not recorded; repeat the run with --record steps")
    if len(manifest["menus"] or [[]]) > 1:
        raise BadInput(f"{out}: runs of several Actors are not diagnosed")
    num = len(manifest["latents"])
    with storage(out), agreeing(out):
        told = list(_episodes(StepsLog(out / "run.sqlite", 0, num)))
    if len(told) < 8:
        raise BadInput(f"{out}: {len(told)} episodes that all runs have ended: a diagnosis takes 8 at least")
    if not all(np.isfinite(step.rewards[step.active]).all() for episode in told for step in episode.steps):
        raise BadInput(f"{out}: rewards that are no finite numbers: nothing can be said of such a run")
    places = places_of(told, num)
    found = _checked(_signature(out, told, manifest, beliefs, again, tables_too), places, len(told))
    measured = found.statistics | statistics(places, len(told))
    liked = one_line(step for episode in told for step in episode.steps)
    also = [liked.sentence()] if liked and liked.named else []
    if said := no_room(out / "run.sqlite", manifest["config"]):
        also.append(said)
    return replace(found, statistics=measured, explorer=manifest["config"]["explore"], also="; ".join(also))


def _checked(found: Diagnosis, places: Places, episodes: int) -> Diagnosis:
    """A run that nothing was found wrong with, against chance and against its own log."""
    if found.signature not in (HEALTHY, UNKNOWN):
        return found
    chance = against_chance(places, episodes, LATE)
    explores = chance is not None and chance.explored > 0.5
    if chance is not None and (chance.worse or (found.signature == UNKNOWN and explores and chance.no_better)):
        name = EXCESS_TRIALS if explores else PRETRAINING
        said = f"late episodes return {chance.late:.3g}, random first subgoals {chance.random:.3g}, by its own log"
        return replace(found, signature=name, because=said, statistics=found.statistics | chance.as_dict)
    left = [(run, place) for run, own in enumerate(places) for place in own.values() if left_behind(place, episodes)]
    runs = {run for run, _ in left if places[run]}
    if len(runs) > len(places) / 2:
        said = f"{len(runs)} of {len(places)} runs leave the first subgoal that did best by their own log, for good"
        look = [(run, place.episodes[-1]) for run, place in left[:5]]
        return replace(found, signature=PRETRAINING, because=said, look_at=look)
    return found


def _signature(
    out: Path,
    told: list[LoggedEpisode],
    manifest: dict[str, Any],
    beliefs: Beliefs | None,
    again: WorldModelPlanner | None,
    tables_too: bool,
) -> Diagnosis:
    num, unusable = len(manifest["latents"]), _unusable(told)
    if unusable.signature != HEALTHY:
        return unusable
    how = "greedy" if "decode=greedy" in manifest["config"]["planner"] else "sample"
    if beliefs is None or not tables_too:
        unit = _unit(out) if beliefs is None and "expert" not in manifest else 1.0
        return without_tables(told, num, how, manifest["config"]["latent"] in (None, "each"), unit)
    if again is not None:
        found = predictions(told, num, beliefs, again)
        if found.signature != HEALTHY:
            return found
    truth = np.array([beliefs.tables.latents.index(name) for name in manifest["latents"]])
    return with_tables(told, beliefs, truth, how, again is not None)


def _unit(out: Path) -> float:
    """The highest return, by which returns are divided; where nobody knows it, how far those of the run are apart."""
    with reading(out) as reader:
        returns, scores = reader.columns("return", "score")
    known = np.isfinite(scores) & (scores != 0)
    if known.any():
        return float((returns[known] / scores[known]).max())
    return float(np.ptp(returns)) or 1.0


def _episodes(log: StepsLog) -> Iterator[LoggedEpisode]:
    t = 0
    while (episode := log.episode(t)) is not None and episode.complete:
        yield episode
        t += 1


def _unusable(told: list[LoggedEpisode]) -> Diagnosis:
    """The share of answers that chose nothing of the menu, against `INVALID` (Wilson's lower limit)."""
    total, bad, where, shares = 0, 0, list[tuple[int, int]](), []
    for t, episode in enumerate(told):
        before = total, bad
        for step in episode.steps:
            valid = step.proposals[0].valid
            wrong = step.active & ~valid if valid is not None else np.zeros_like(step.active)
            total, bad = total + int(step.active.sum()), bad + int(wrong.sum())
            where += [(int(run), t) for run in np.flatnonzero(wrong)]
        shares.append((bad - before[1]) / max(total - before[0], 1))
    share, z = bad / total, 1.96
    low = (share + z**2 / (2 * total) - z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))) / (
        1 + z**2 / total
    )
    said = f"{share:.1%} of the planner's answers choose nothing of the menu"
    evidence = Evidence("share of answers that choose nothing of the menu", {"of all runs": np.array(shares)}, INVALID)
    name, look = UNUSABLE if low > INVALID else HEALTHY, list(dict.fromkeys(where))[:5]
    return Diagnosis(name, said, {"invalid": share}, look, evidence)
