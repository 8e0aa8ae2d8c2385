"""The run store: `run.sqlite`, appended to by one writer, one lockstep a transaction (docs/formats.md)."""

import hashlib
import io
import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from parley.core.errors import ParleyError, RunDamaged
from parley.core.roles import State
from parley.core.said import INVALID, EpisodeRecord, Menu, Proposal, StepRecord
from parley.runs import directory
from parley.runs.log import EpisodesLog, StepsLog

SCHEMA = """
CREATE TABLE IF NOT EXISTS episodes(run INTEGER, episode INTEGER, instruction TEXT, explored INTEGER, return REAL,
    optimal_value REAL, regret REAL, expected_regret REAL, wall_s REAL);
CREATE TABLE IF NOT EXISTS steps(run INTEGER, episode INTEGER, step INTEGER, observation TEXT, subgoal TEXT,
    explored INTEGER, proposal TEXT, proposal_source TEXT, answers TEXT, law TEXT, menu TEXT, next_observation TEXT,
    reward REAL);
CREATE TABLE IF NOT EXISTS low_level(run INTEGER, episode INTEGER, step INTEGER, actions INTEGER, event TEXT);
CREATE TABLE IF NOT EXISTS cuts(run INTEGER, episode INTEGER, step INTEGER, left_out INTEGER);
CREATE TABLE IF NOT EXISTS menus(menu TEXT PRIMARY KEY, subgoals TEXT);
CREATE TABLE IF NOT EXISTS calls(run INTEGER, episode INTEGER, step INTEGER, model TEXT, purpose TEXT,
    prompt_tokens INTEGER, cached_tokens INTEGER, completion_tokens INTEGER, latency_s REAL, attempts INTEGER,
    outcome TEXT, prompt TEXT, answer TEXT, key TEXT, cost REAL);
CREATE TABLE IF NOT EXISTS texts(hash TEXT PRIMARY KEY, text TEXT);
CREATE TABLE IF NOT EXISTS snapshots(cohort INTEGER PRIMARY KEY, episode INTEGER, state BLOB);
"""
EPISODE = "INSERT INTO episodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
STEP = "INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
LOW_LEVEL = "INSERT INTO low_level VALUES (?, ?, ?, ?, ?)"
CUT = "INSERT INTO cuts VALUES (?, ?, ?, ?)"
MENU = "INSERT OR IGNORE INTO menus VALUES (?, ?)"
SNAPSHOT = "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)"
INDEXES = (
    "CREATE UNIQUE INDEX IF NOT EXISTS episodes_key ON episodes(run, episode)",
    "CREATE UNIQUE INDEX IF NOT EXISTS steps_key ON steps(run, episode, step)",
)
SNAPSHOT_S = 20.0  # how often the state of planner and explorer is kept where steps are not
COMMIT_S = 0.5  # how long finished episodes may wait for their transaction where steps are not kept

LAG = 64  # transactions that may wait in memory

Statement = tuple[str, Iterable[tuple[Any, ...]]]


class RunStore:
    """A run directory open for writing. Cohorts and ledgers hand over statements; one thread at a time commits."""

    def __init__(self, out: Path, manifest: dict[str, Any]) -> None:
        self.out, self.manifest = out, manifest
        self._record_steps = manifest["config"]["record"] == "steps"
        with directory.storage(out):
            self._db = sqlite3.connect(out / "run.sqlite", check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(SCHEMA)
        self._waiting: deque[list[Statement]] = deque()
        self._given = self._written = 0  # transactions so far
        self._order, self._committing = threading.Lock(), threading.Lock()
        self._wrong: BaseException | None = None
        self._more, self._closing = threading.Event(), False
        self._writer = threading.Thread(target=self._write, name="run-store", daemon=True)
        self._writer.start()
        self._recorders: list[CohortRecorder] = []

    @classmethod
    def create(cls, out: Path, **entries: Any) -> "RunStore":
        """A new run directory; `entries` (config, latents, horizon, ...) go into its manifest."""
        return cls(out, directory.begin(out, entries))

    @classmethod
    def open(cls, out: Path) -> "RunStore":
        """An existing run directory, to continue; refuses a damaged or foreign one."""
        manifest = directory.read_manifest(out)
        with directory.storage(out):
            if (out / "run.sqlite").exists():
                check = sqlite3.connect(out / "run.sqlite")
                found = check.execute("PRAGMA quick_check").fetchone()[0]
                check.close()
                if found != "ok":
                    raise RunDamaged(f"{str(out / 'run.sqlite')!r} is damaged: {found}")
        return cls(out, manifest)

    def recorder(self, number: int, first_run: int, num_runs: int) -> "CohortRecorder":
        """The recorder of cohort `number`."""
        recorder = CohortRecorder(self, number, first_run, num_runs, self._record_steps)
        self._recorders.append(recorder)
        return recorder

    def log(self, number: int, first_run: int, num_runs: int) -> "StepsLog | EpisodesLog":
        """What was recorded of cohort `number`; where only episodes are, those after the snapshot are taken back."""
        path = self.out / "run.sqlite"
        with directory.storage(self.out):
            if self._record_steps:
                return StepsLog(path, first_run, num_runs)
            log = EpisodesLog(path, number)
            last = first_run + num_runs - 1
            undo = "DELETE FROM episodes WHERE run BETWEEN ? AND ? AND episode >= ?"
            self.put([(undo, [(first_run, last, log.first_episode)])])
            return log

    def put(self, statements: list[Statement], wait: bool = False) -> None:
        """Hand over one transaction, and where asked `wait` until it is committed.

        Raises what kept it, or without waiting an earlier one, from being written.
        """
        self._raise_if_wrong()
        with self._order:
            self._waiting.append(statements)
            self._given += 1
            mine = self._given
        if not wait and len(self._waiting) <= LAG:
            self._more.set()
            return
        # Who waits commits, for all others that wait as well: cheaper than a change of threads for each.
        with self._committing:
            if self._written < mine:
                self._commit_all()
        self._raise_if_wrong()

    def _raise_if_wrong(self) -> None:
        if self._wrong is not None:
            with directory.storage(self.out):
                raise self._wrong

    def _write(self) -> None:
        """Commit in the background what nobody waits for."""
        while not self._closing:
            self._more.wait()
            self._more.clear()
            with self._committing:
                self._commit_all()

    def _commit_all(self) -> None:
        """One transaction of all that was handed over, in order; only with `_committing` held."""
        group = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if group and self._wrong is None:
            self._commit([statement for statements in group for statement in statements])
        self._written += len(group)

    def _commit(self, statements: list[Statement]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for sql, rows in statements:
                self._db.executemany(sql, rows)
            self._db.execute("COMMIT")
        except BaseException as wrong:
            self._wrong = wrong
            if self._db.in_transaction:
                try:
                    self._db.execute("ROLLBACK")
                except sqlite3.Error:
                    pass  # a full disk may have rolled back already; the last committed transaction stands

    def close(self, status: str = "finished", **totals: Any) -> dict[str, Any]:
        """Write out what waits, build the indexes of a finished run, and say in the manifest how it ended."""
        try:
            for recorder in self._recorders:
                recorder.flush()
        except ParleyError:
            pass  # raised again below, once the writer has stopped
        self._closing = True
        self._more.set()
        self._writer.join()
        self._commit_all()  # the writer may have seen that it is over before it saw what was handed over last
        try:
            self._raise_if_wrong()
            if status == "finished":
                with directory.storage(self.out):
                    for sql in (*INDEXES, "DELETE FROM snapshots", "PRAGMA wal_checkpoint(TRUNCATE)"):
                        self._db.execute(sql)
        except ParleyError:
            if status == "finished":
                raise
        finally:
            self._db.close()
        wall_s = self.manifest.get("totals", {}).get("wall_s", 0.0) + totals.pop("wall_s", 0.0)
        self.manifest = {**self.manifest, "status": status, "totals": {"wall_s": wall_s, **totals}}
        directory.write_manifest(self.out, self.manifest)
        return self.manifest


class CohortRecorder:
    """Turns what the loop reports for one cohort into rows."""

    def __init__(self, store: RunStore, number: int, first_run: int, num_runs: int, steps: bool) -> None:
        self._store, self._number, self._steps = store, number, steps
        self._runs = list(range(first_run, first_run + num_runs))
        self._waiting: list[Statement] = []
        self._menus: dict[int, tuple[list[Menu], list[str]]] = {}
        self._committed = self._snapshot = time.monotonic()

    def wants_snapshot(self) -> bool:
        return not self._steps and time.monotonic() - self._snapshot > SNAPSHOT_S

    def step(self, record: StepRecord) -> None:
        if not self._steps:
            return
        n = len(self._runs)
        menus, new = self._menu_keys(record.menus)
        sources = [p.source for p in record.proposals]
        told = _per_actor([_json_rows(p.probs) for p in record.proposals])
        same = np.logical_and.reduce(
            [(law == p.probs).all(axis=1) for law, p in zip(record.laws, record.proposals, strict=True)]
        )
        laws = [None] * n if same.all() else _per_actor([_json_rows(law) for law in record.laws])
        source = json.dumps(sources) if len(sources) > 1 and any(sources) else sources[0] or None
        said_by = [source if ok else INVALID for ok in _usable(record.proposals, n)]
        said = record.subgoals
        subgoals = said[:, 0].tolist() if said.shape[1] == 1 else [json.dumps(list(row)) for row in said]
        rows: Iterable[tuple[Any, ...]] = zip(
            *(self._runs, [record.episode] * n, [record.step] * n, record.observations.tolist(), subgoals),
            record.explored.tolist(),
            [None if by else one for by, one in zip(said_by, told, strict=True)],
            *(said_by, [one if by else None for by, one in zip(said_by, told, strict=True)]),
            [None if equal else law for equal, law in zip(same.tolist(), laws, strict=True)],
            *(menus, record.next_observations.tolist(), record.rewards.tolist()),
            strict=True,
        )
        if not record.active.all():
            rows = [row for row, active in zip(rows, record.active, strict=True) if active]
        self._store.put([*new, (STEP, list(rows)), *self._low_level(record), *self._cuts(record)])

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

    def _menu_keys(self, menus: list[Menu]) -> tuple[list[str], list[Statement]]:
        """Each run's key into `menus`, by content, and the statement that records those not seen before."""
        known = self._menus.get(id(menus[0]))
        if known is not None and all(a is b for a, b in zip(known[0], menus, strict=True)):
            return known[1], []
        texts = []
        for i in range(max(len(menu.sentences) for menu in menus)):
            rows = [(menu, min(i, len(menu.sentences) - 1)) for menu in menus]
            listed = [[s if ok else None for s, ok in zip(m.sentences[r], m.legal[r], strict=True)] for m, r in rows]
            texts.append(json.dumps(listed[0] if len(listed) == 1 else listed, ensure_ascii=False))
        keys = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]
        whole = keys * len(self._runs) if len(keys) == 1 else keys
        if len(keys) == 1:
            self._menus[id(menus[0])] = (menus, whole)
        return whole, [(MENU, list(dict(zip(keys, texts, strict=True)).items()))]

    def episode(self, record: EpisodeRecord, snapshot: Sequence[State] | None = None) -> None:
        n = len(self._runs)
        regret = record.optimal_value - record.returns
        rows = zip(
            *(self._runs, [record.episode] * n, record.instructions.tolist(), record.explored.tolist()),
            *(record.returns.tolist(), _known(record.optimal_value), _known(regret), _known(record.expected_regret)),
            [record.wall_s] * n,
            strict=True,
        )
        self._waiting.append((EPISODE, list(rows)))
        if snapshot is not None:
            self._waiting.append((SNAPSHOT, [(self._number, record.episode + 1, _packed(snapshot))]))
            self._snapshot = time.monotonic()
        if self._steps or snapshot is not None or time.monotonic() - self._committed > COMMIT_S:
            self.flush()

    def flush(self) -> None:
        """Commit the episodes that wait."""
        if self._waiting:
            self._store.put(self._waiting)
        self._waiting, self._committed = [], time.monotonic()


def _usable(proposals: Sequence[Proposal], n: int) -> list[bool]:
    """Of each run, whether all Actors' proposals rest on a usable answer."""
    usable = np.ones(n, dtype=bool)
    for proposal in proposals:
        if proposal.valid is not None:
            usable &= proposal.valid
    return usable.tolist()


def _known(values: np.ndarray) -> list[float | None]:
    return [None] * len(values) if np.isnan(values).any() else values.tolist()


def _json_rows(probs: np.ndarray) -> list[str]:
    """Each row as a JSON list with full double precision, by one call."""
    text = orjson.dumps(np.ascontiguousarray(probs), option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return [f"[{row}]" for row in text[2:-2].split("],[")]


def _per_actor(parts: list[list[str]]) -> list[str]:
    return parts[0] if len(parts) == 1 else [f"[{', '.join(row)}]" for row in zip(*parts, strict=True)]


def _packed(states: Sequence[State]) -> bytes:
    """Planner and explorer state as one npz archive, readable without pickle."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {f"{i}/{name}": value for i, state in enumerate(states) for name, value in state.items()}
    np.savez(buffer, **arrays)
    return buffer.getvalue()
