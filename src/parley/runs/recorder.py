"""What the loop reports for one cohort, as rows of the run store (docs/formats.md)."""

import io
import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import orjson

from parley.core.roles import State
from parley.core.said import INVALID, EpisodeRecord, Menu, Proposal, StepRecord
from parley.runs.seals import Row, digest, menu_key

EPISODE = (
    "INSERT INTO episodes(run, episode, instruction, explored, return, optimal_value, regret, expected_regret, wall_s, "
    "score) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
STEP = "INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
LOW_LEVEL = "INSERT INTO low_level VALUES (?, ?, ?, ?, ?)"
CUT = "INSERT INTO cuts VALUES (?, ?, ?, ?)"
MENU = "INSERT OR IGNORE INTO menus VALUES (?, ?)"
SEAL = "INSERT INTO seals VALUES (?, ?, ?, ?, ?)"
SNAPSHOT = "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)"
SNAPSHOT_S = 20.0  # how often the state of planner and explorer is kept where steps are not
MOST_MENUS = 100_000  # whose keys are remembered
COMMIT_S = 0.5  # how long finished episodes may wait for their transaction where steps are not kept

Statement = tuple[str, Iterable[tuple[Any, ...]]]


class CohortRecorder:
    """Turns what the loop reports for one cohort into rows."""

    def __init__(
        self, put: Callable[[list[Statement]], None], number: int, first_run: int, num_runs: int, steps: bool
    ) -> None:
        self._put, self._number, self._steps = put, number, steps
        self._runs = list(range(first_run, first_run + num_runs))
        self._waiting: list[Statement] = []
        self._menus: dict[int, tuple[list[Menu], list[str]]] = {}
        self._keys: dict[tuple[tuple[str | None, ...], ...], str] = {}
        self._committed = self._snapshot = time.monotonic()
        self.decisions = self.invalid = 0  # and how many of them rest on no usable answer

    def wants_snapshot(self) -> bool:
        return not self._steps and time.monotonic() - self._snapshot > SNAPSHOT_S

    def step(self, record: StepRecord) -> None:
        n = len(self._runs)
        usable = _usable(record.proposals, n)
        self.decisions += int(record.active.sum())
        self.invalid += sum(active and not ok for active, ok in zip(record.active.tolist(), usable, strict=True))
        if not self._steps:
            return
        menus, wide, new = self._menu_keys(record.menus)
        sources = [p.source for p in record.proposals]
        told = _per_actor([_json_rows(p.probs, w) for p, w in zip(record.proposals, wide, strict=True)])
        source = json.dumps(sources) if len(sources) > 1 and any(sources) else sources[0] or None
        said_by = [source if ok else INVALID for ok in usable]
        said = record.subgoals
        subgoals = said[:, 0].tolist() if said.shape[1] == 1 else [json.dumps(list(row)) for row in said]
        every = zip(
            *(self._runs, [record.episode] * n, [record.step] * n, record.observations.tolist(), subgoals),
            record.explored.astype(int).tolist(),
            [None if by else one for by, one in zip(said_by, told, strict=True)],
            *(said_by, [one if by else None for by, one in zip(said_by, told, strict=True)]),
            _other_laws(record, wide),
            *(menus, record.next_observations.tolist(), (record.rewards + 0.0).tolist()),  # no minus zero
            strict=True,
        )
        rows = [row for row, active in zip(every, record.active.tolist(), strict=True) if active]
        seal = self._seal(record.episode, record.step, rows)
        self._put([*new, (STEP, rows), seal, *self._low_level(record), *self._cuts(record)])

    def _seal(self, episode: int, step: int, rows: Sequence[Row]) -> Statement:
        """The checksum of a lockstep; step 0 is the end of an episode."""
        return (SEAL, [(self._runs[0], episode, step, len(rows), digest(rows))])

    def _cuts(self, record: StepRecord) -> list[Statement]:
        """What the prompts do not show."""
        counts = [p.left_out for p in record.proposals if p.left_out is not None]
        if not counts or not np.any(counts):
            return []
        left_out = np.max(counts, axis=0).tolist()
        told = zip(self._runs, left_out, record.active, strict=True)
        return [(CUT, [(run, record.episode, record.step, n) for run, n, active in told if n and active])]

    def _low_level(self, record: StepRecord) -> list[Statement]:
        if record.low_level is None:
            return []
        counts, events = record.low_level.actions.tolist(), record.low_level.events
        rows = zip(self._runs, counts, events, record.active, strict=True)
        told = [(run, record.episode, record.step, n, event or None) for run, n, event, active in rows if active]
        return [(LOW_LEVEL, told)]

    def _menu_keys(self, menus: list[Menu]) -> tuple[list[str], list[list[int] | None], list[Statement]]:
        """Each run's key into `menus`, by content, widths without padding, and what records those not seen before.

        The widths are None where all runs share a menu, which has no padding.
        """
        known = self._menus.get(id(menus[0]))
        if known is not None and all(a is b for a, b in zip(known[0], menus, strict=True)):
            return known[1], [None] * len(menus), []
        every = [_entries(menu) for menu in menus]
        keys, new = [], {}
        for i in range(max(map(len, every))):
            listed = tuple(rows[i if len(rows) > 1 else 0] for rows in every)
            key = self._keys.get(listed)
            if key is None:
                text = json.dumps(listed[0] if len(listed) == 1 else listed, ensure_ascii=False)
                key = menu_key(text)
                if len(self._keys) < MOST_MENUS:
                    self._keys[listed] = key
                new[key] = text
            keys.append(key)
        wide = [[*map(len, rows)] if len(rows) > 1 else None for rows in every]
        if len(keys) == 1:
            keys = keys * len(self._runs)
            if len(self._menus) >= MOST_MENUS:
                self._menus.clear()
            self._menus[id(menus[0])] = (menus, keys)
        return keys, wide, [(MENU, list(new.items()))] if new else []

    def episode(self, record: EpisodeRecord, snapshot: Sequence[State] | None = None) -> None:
        n = len(self._runs)
        regret = record.optimal_value - record.returns
        rows = zip(
            *(self._runs, [record.episode] * n, record.instructions.tolist(), record.explored.astype(int).tolist()),
            *(
                (record.returns + 0.0).tolist(),
                _known(record.optimal_value),
                _known(regret),
                _known(record.expected_regret),
            ),
            [record.wall_s] * n,
            [None] * n if record.scores is None else [None if s != s else s for s in record.scores.tolist()],
            strict=True,
        )
        listed = list(rows)
        self._waiting += [(EPISODE, listed), self._seal(record.episode, 0, listed)]
        if snapshot is not None:
            self._waiting.append((SNAPSHOT, [(self._number, record.episode + 1, _packed(snapshot))]))
            self._snapshot = time.monotonic()
        if self._steps or snapshot is not None or time.monotonic() - self._committed > COMMIT_S:
            self.flush()

    def flush(self) -> None:
        """Commit the episodes that wait."""
        if self._waiting:
            self._put(self._waiting)
        self._waiting, self._committed = [], time.monotonic()


class Nowhere:
    """Stands in a cohort where its recorder will be once the run directory exists."""

    def step(self, record: object) -> None: ...

    def episode(self, record: object, snapshot: object = None) -> None: ...

    def wants_snapshot(self) -> bool:
        return False


def _usable(proposals: Sequence[Proposal], n: int) -> list[bool]:
    """Of each run, whether all Actors' proposals rest on a usable answer."""
    usable = np.ones(n, dtype=bool)
    for proposal in proposals:
        if proposal.valid is not None:
            usable &= proposal.valid
    return usable.tolist()


def _known(values: np.ndarray) -> list[float | None]:
    return [None] * len(values) if np.isnan(values).any() else (values + 0.0).tolist()


def _entries(menu: Menu) -> list[tuple[str | None, ...]]:
    """The entries of each row of a menu, without the padding that several rows have; None where one is not legal."""
    sentences, legal = menu.sentences.tolist(), menu.legal.tolist()
    if len(sentences) == len(legal) == 1:
        return [tuple(s if ok else None for s, ok in zip(sentences[0], legal[0], strict=True))]
    num_rows, rows = max(len(sentences), len(legal)), []
    sentences, legal = (rows * num_rows if len(rows) == 1 else rows for rows in (sentences, legal))
    for said, allowed in zip(sentences, legal, strict=True):
        width = len(allowed) - (allowed[::-1].index(True) if True in allowed else 0)
        kept = zip(said[:width], allowed[:width], strict=True)
        rows.append(tuple(said[:width]) if False not in allowed[:width] else tuple(s if ok else None for s, ok in kept))
    return rows


def _json_rows(probs: np.ndarray, widths: list[int] | None = None) -> list[str]:
    """Each row as a JSON list with full double precision, by one call; of rows of other widths, one call each."""
    if widths is not None:
        return [orjson.dumps(row[:width]).decode() for row, width in zip(probs.tolist(), widths, strict=True)]
    text = orjson.dumps(np.ascontiguousarray(probs), option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return [f"[{row}]" for row in text[2:-2].split("],[")]


def _other_laws(record: StepRecord, widths: list[list[int] | None]) -> list[str | None]:
    """The distributions that choices came from, as JSON, None where it is the proposal itself."""
    pairs = [(law, p.probs) for law, p in zip(record.laws, record.proposals, strict=True)]
    same = np.ones(len(record.active), dtype=bool)
    for law, probs in pairs:
        if law is not probs:
            same &= (law == probs).all(axis=1)
    if same.all():
        return [None] * len(same)
    told = _per_actor([_json_rows(law, wide) for (law, _), wide in zip(pairs, widths, strict=True)])
    return [None if equal else law for equal, law in zip(same.tolist(), told, strict=True)]


def _per_actor(parts: list[list[str]]) -> list[str]:
    return parts[0] if len(parts) == 1 else [f"[{', '.join(row)}]" for row in zip(*parts, strict=True)]


def _packed(states: Sequence[State]) -> bytes:
    """Planner and explorer state as one npz archive, readable without pickle."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {f"{i}/{name}": value for i, state in enumerate(states) for name, value in state.items()}
    np.savez(buffer, **arrays)
    return buffer.getvalue()
