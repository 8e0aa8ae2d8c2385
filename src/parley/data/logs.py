"""Another planner's logs as documents: its steps as recorded, with the labels of the expert of the run's true latent.

A document is the first T_p episodes of a run. A planner chooses its later subgoals by what it heard in them. Cut off
from them, those subgoals would be evidence about z that no exact oracle counts.
"""

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import BadInput, RunDamaged
from parley.data.documents import Documents, follow
from parley.runs.directory import read_manifest, storage
from parley.runs.shards import connect
from parley.theory.beliefs import Beliefs


def read_logs(run: Path, beliefs: Beliefs, num_episodes: int, part: int) -> Documents:
    """One document for each run in the directory `run`, which is only read; `part` says who acted.

    Raises `BadInput` where steps were not recorded, episodes are missing or cut short, or the world is another one.
    """
    t, manifest = beliefs.tables, read_manifest(run)
    latents, horizon = manifest["latents"], t.horizon
    if manifest["config"].get("record") != "steps":
        raise BadInput(f"logs {str(run)!r}: only episodes were recorded; run again with --record steps")
    unknown = sorted(set(latents) - set(t.latents))
    if unknown:
        raise BadInput(f"logs {str(run)!r}: latent {unknown[0]!r} is not one of world {t.name!r}'s")
    told, steps = _rows(run, num_episodes)
    shape = (len(latents), num_episodes)
    _whole([row[:2] for row in told], np.ndindex(shape), run, "episode")
    _whole([row[:3] for row in steps], ((r, e, h + 1) for r, e, h in np.ndindex(*shape, horizon)), run, "step")
    try:
        seen, later = (t.observation_words.encode(_column(steps, i)).reshape(*shape, horizon) for i in (3, 5))
        subgoals = t.joint(_parts(steps, t.num_actors)).reshape(*shape, horizon)
        instructions = t.instruction_words.encode(_column(told, 2)).reshape(shape)
    except BadInput as wrong:
        raise BadInput(f"logs {str(run)!r} are of another world: {wrong}") from None
    z = np.array([t.latents.index(name) for name in latents])
    observations, who = np.concatenate([seen[:, :, :1], later], axis=2), np.full(shape, part)
    heard = Documents(z, instructions, observations, subgoals, np.empty((*shape, horizon, 0)), who)
    followed = follow(beliefs, heard)
    if (followed.likelihood == 0).any():
        r, e, h = np.argwhere(followed.likelihood == 0)[0]
        raise BadInput(
            f"logs {str(run)!r} are of another world: in run {r}, episode {e}, observation {h + 1}, "
            f"{t.observations[observations[r, e, h]]!r}, is impossible"
        )
    return replace(heard, labels=followed.labels)


def _rows(run: Path, num_episodes: int) -> tuple[list[Any], list[Any]]:
    """The first episodes of all runs, and their steps, in order."""
    with storage(run), closing(connect(run / "run.sqlite")) as db:
        told = db.execute(
            "SELECT run, episode, instruction FROM episodes WHERE episode < ? ORDER BY run, episode", (num_episodes,)
        )
        steps = db.execute(
            "SELECT run, episode, step, observation, subgoal, next_observation FROM steps WHERE episode < ? "
            "ORDER BY run, episode, step",
            (num_episodes,),
        )
        return told.fetchall(), steps.fetchall()


def _whole(found: list[tuple[int, ...]], expected: Iterable[tuple[int, ...]], run: Path, what: str) -> None:
    """Every run must have said everything, once."""
    wanted = list(expected)
    if found == wanted:
        return
    missing = set(wanted) - set(found)
    if not missing:
        raise RunDamaged(f"logs {str(run)!r}: an {what} is recorded twice or for a run that does not exist")
    names = ", ".join(f"{name} {i}" for name, i in zip(("run", "episode", "step"), min(missing), strict=False))
    raise BadInput(f"logs {str(run)!r} lack {names}: expected as many whole episodes as a document has, in every run")


def _column(rows: list[Any], place: int) -> np.ndarray:
    return np.array([*(row[place] for row in rows), None], dtype=object)[:-1]


def _parts(rows: list[Any], actors: int) -> np.ndarray:
    """Subgoals as rows of K sentences."""
    try:
        said = [json.loads(row[4]) if actors > 1 else [row[4]] for row in rows]
        return np.array(said, dtype=object).reshape(len(rows), actors)
    except (TypeError, ValueError):
        raise BadInput(f"a subgoal is not that of {actors} Actors") from None
