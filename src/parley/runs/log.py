"""Reading a run's log: to continue it, and to show it."""

import io
import json
import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import RunDamaged
from parley.core.roles import State
from parley.core.said import INVALID, Menu, Opening, Proposal, StepRecord
from parley.core.tables import Sentences
from parley.runs.cells import check_column, check_row, menu_of, numbers_of, short
from parley.runs.directory import agreeing, storage
from parley.runs.seals import digest, menu_key
from parley.runs.shards import connect

# The columns of a step as they are sealed.
STEPS = (
    "run, episode, step, observation, subgoal, explored, proposal, proposal_source, answers, law, menu, "
    "next_observation, reward"
)
EPISODES = "run, episode, instruction, explored, return, optimal_value, regret, expected_regret, wall_s, score"
EPISODE, STEP = 1, 2  # where these stand among them
NAMES = tuple(STEPS.split(", "))


def read_menus(db: sqlite3.Connection) -> dict[str, list[Any]]:
    """The menus of a log by their keys, which are made from their text."""
    found = {}
    for key, text in db.execute("SELECT menu, subgoals FROM menus"):
        found[key] = menu_of(text)
        if key != menu_key(text):
            raise RunDamaged(
                f"run.sqlite holds a menu under the key {short(key)}, which is not its own: it was altered"
            )
    return found


def known_menu(menus: dict[str, list[Any]], key: str) -> list[Any]:
    """The menu of a key that a step names."""
    if key not in menus:
        raise RunDamaged(f"run.sqlite has no menu {short(key)}, which a step names")
    return menus[key]


class Seals:
    """The checksums of a log's locksteps, cohort by cohort; a log of an earlier version has none: nothing is checked.

    `first` and `num` say which runs, of one cohort or several.
    """

    def __init__(self, db: sqlite3.Connection, first: int, num: int) -> None:
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'seals'"
        self._found: dict[int, dict[int, dict[int, tuple[int, str]]]] = {}  # by cohort, episode, step
        self._seen: set[tuple[int, int]] = set()  # cohort and step, of the episode that is read
        if not db.execute(query).fetchone()[0]:
            return
        query = "SELECT first_run, episode, step, rows, digest FROM seals WHERE first_run BETWEEN ? AND ?"
        for cohort, t, h, rows, seal in db.execute(query, (first, first + num - 1)):
            self._found.setdefault(cohort, {}).setdefault(t, {})[h] = (rows, seal)

    def end(self, episode: int) -> None:
        """Raise `RunDamaged` where an episode, read to its end, has fewer steps than were written."""
        for cohort, sealed in self._found.items():
            lost = sorted(h for h in sealed.get(episode, {}) if h > 0 and (cohort, h) not in self._seen)
            if lost:
                raise RunDamaged(f"runs from {cohort}, episode {episode}: step {lost[0]} was written and is gone")
        self._seen.clear()

    def check(self, episode: int, step: int, rows: Sequence[Any]) -> None:
        """Raise `RunDamaged` where the rows of a lockstep are not those that were written."""
        firsts = sorted(self._found)
        if not firsts:
            return
        for place, own in groupby(rows, key=lambda row: bisect_right(firsts, row[0]) - 1):
            self._check(firsts[max(place, 0)], episode, step, list(own))

    def _check(self, cohort: int, episode: int, step: int, rows: list[Any]) -> None:
        self._seen.add((cohort, step))
        count, seal = self._found[cohort].get(episode, {}).get(step, (0, ""))
        where = f"runs from {cohort}, episode {episode}" + (f", step {step}" if step else "")
        if count != len(rows):
            raise RunDamaged(f"{where}: the log holds {len(rows)} rows of {count} that were written")
        if seal != digest(rows):
            raise RunDamaged(f"{where}: the log was altered since it was written: its checksum is another")


@dataclass
class LoggedEpisode:
    """One episode of a cohort as far as it was recorded."""

    opening: Opening
    steps: list[StepRecord] = field(default_factory=list)
    complete: bool = False


class StepsLog:
    """Steps in order, of a cohort or several, to be heard again (`loop.Log`); episodes are asked for one by one.

    An episode is complete where all these runs have ended it.
    """

    first_episode = 0
    states: list[State] | None = None

    def __init__(self, path: Path, first_run: int, num_runs: int) -> None:
        self._db, self._first, self._num, self._out = connect(path), first_run, num_runs, path.parent
        self._path, self._end = path, 2**62
        between = (first_run, first_run + num_runs - 1)
        self._instructions: dict[int, Sentences] = {}
        query = "SELECT episode, run, instruction FROM episodes WHERE run BETWEEN ? AND ? ORDER BY episode, run"
        for episode, rows in groupby(self._db.execute(query, between), key=itemgetter(0)):
            listed = list(rows)
            check_column("instruction", [row[2] for row in listed])
            self._instructions[episode] = np.array([row[2] for row in listed], dtype=object)
        self._menus = read_menus(self._db)
        self._seals = Seals(self._db, first_run, num_runs)
        query = f"SELECT {STEPS} FROM steps WHERE run BETWEEN ? AND ? ORDER BY episode, step, run"
        self._steps = groupby(self._db.execute(query, between), key=itemgetter(EPISODE))
        self._next: tuple[int, Iterator[Any]] | None = next(self._steps, None)
        last = self._db.execute("SELECT MAX(episode) FROM steps WHERE run BETWEEN ? AND ?", between).fetchone()[0]
        if last is not None:
            check_column("episode", [last])
        # The episode that has begun and not ended; None if there is no such episode.
        self.unfinished: int | None = None if last is None or last in self._instructions else int(last)
        if self._next is None:
            self._db.close()

    def without(self, episode: int) -> "StepsLog":
        """The same from the beginning, as if nothing were recorded of `episode` and what follows it."""
        again = StepsLog(self._path, self._first, self._num)
        again._end = episode
        return again

    def episode(self, episode: int) -> LoggedEpisode | None:
        """What was recorded of `episode`, None where nothing was."""
        with storage(self._out), agreeing(self._out):
            return self._episode(episode)

    def _episode(self, episode: int) -> LoggedEpisode | None:
        if self._next is None or self._next[0] != episode or episode >= self._end:
            if episode < self._end:
                self._seals.end(episode)
            return None
        records = [self._record(list(rows)) for _, rows in groupby(self._next[1], key=itemgetter(STEP))]
        self._next = next(self._steps, None)
        self._seals.end(episode)
        if self._next is None:
            self._db.close()
        instructions = self._instructions.get(episode)
        complete = instructions is not None and len(instructions) == self._num
        opening = Opening(episode, instructions if instructions is not None else np.empty(0), records[0].observations)
        return LoggedEpisode(opening, records, complete)

    def _record(self, rows: list[Any]) -> StepRecord:
        """One lockstep; runs without a row had ended before it."""
        episode, step = rows[0][EPISODE], rows[0][STEP]
        for row in rows:
            check_row(NAMES, row)
        self._seals.check(episode, step, rows)
        rows = [(row[1], row[2], row[0], *row[3:9], *row[10:]) for row in rows]  # without the probabilities
        index = np.array([row[2] - self._first for row in rows])
        if len(set(index.tolist())) != len(rows) or index.min() < 0 or index.max() >= self._num:
            raise RunDamaged(
                f"steps of episode {episode}, step {step} are recorded twice or for runs that do not exist"
            )
        active = np.zeros(self._num, dtype=bool)
        active[index] = True

        def spread(values: list[Any], fill: Any) -> np.ndarray:
            column = np.full(self._num, fill, dtype=object)
            column[index] = np.array([*values, None], dtype=object)[:-1]
            return column

        menus = [known_menu(self._menus, row[9]) for row in rows]
        actors = len(menus[0]) if isinstance(menus[0][0], list) else 1
        said = [json.loads(row[4]) if actors > 1 else [row[4]] for row in rows]
        told = [numbers_of(row[6] if row[7] is None else row[8], "proposal") for row in rows]
        subgoals = np.full((self._num, actors), "", dtype=object)
        subgoals[index] = np.array(said, dtype=object)
        source = next((row[7] for row in rows if row[7] not in (None, INVALID)), "")
        valid = spread([row[7] != INVALID for row in rows], True).astype(bool)
        proposals, shown = [], []
        for k in range(actors):
            listed = [menu[k] if actors > 1 else menu for menu in menus]
            shown.append(_menu(listed, index, self._num))
            probs = np.zeros((self._num, shown[k].sentences.shape[1]))
            probs[:, 0] = 1.0
            for i, row in zip(index.tolist(), told, strict=True):
                given = row[k] if actors > 1 else row
                probs[i] = 0.0
                probs[i, : len(given)] = given
            proposals.append(Proposal(probs, source, valid))
        rewards = np.zeros(self._num)
        rewards[index] = [row[11] for row in rows]
        explored = np.zeros(self._num, dtype=bool)
        explored[index] = [row[5] for row in rows]
        observations, heard = spread([row[3] for row in rows], ""), spread([row[10] for row in rows], "")
        return StepRecord(episode, step, observations, subgoals, explored, proposals, [], heard, rewards, active, shown)


def _menu(listed: list[list[str | None]], index: np.ndarray, num: int) -> Menu:
    """The menus of a lockstep, as one shared menu where they are equal."""
    legal = [[sentence is not None for sentence in menu] for menu in listed]
    words = [[sentence or "" for sentence in menu] for menu in listed]
    if all(menu == listed[0] for menu in listed):
        return Menu(np.array(words[:1], dtype=object), np.array(legal[:1]))
    longest = max(map(len, words))
    sentences = np.full((num, longest), "", dtype=object)
    allowed = np.zeros((num, longest), dtype=bool)
    allowed[:, 0] = True  # of runs that have ended something must be
    for i, row, ok in zip(index.tolist(), words, legal, strict=True):
        sentences[i, : len(row)], allowed[i, : len(row)] = row, ok
    return Menu(sentences, allowed)


class EpisodesLog:
    """Where only episodes are kept: the newest snapshot of a cohort's planner and explorer (`loop.Log`)."""

    def __init__(self, path: Path, number: int) -> None:
        db = connect(path)
        row = db.execute("SELECT episode, state FROM snapshots WHERE cohort = ?", (number,)).fetchone()
        db.close()
        self.first_episode: int = 0 if row is None else row[0]
        self.states: list[State] | None = None if row is None else _unpacked(row[1])

    def episode(self, episode: int) -> None:
        """Nothing is heard again: episodes after the snapshot are run once more."""


def _unpacked(blob: bytes) -> list[State]:
    states: list[State] = [{}, {}]
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
            for key in archive.files:
                part, name = key.split("/", 1)
                states[int(part)][name] = archive[key]
    except (ValueError, OSError, KeyError, IndexError) as wrong:
        raise RunDamaged(f"a snapshot cannot be read: {wrong}") from wrong
    return states
