"""The numbers of every finished episode of a run directory: read once, then only what has been added."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parley.core.calls import CACHED, OK
from parley.core.errors import RunDamaged
from parley.report.summary import Curves, expert_doubt
from parley.view.log import Log, Row, opened

MOST_EPISODES = 40_000_000  # runs times episodes
UNKNOWN = "9e999"  # SQL has no NaN; null is read as this, and then taken for one
SPENT = ("prompt_tokens", "cached_tokens", "completion_tokens", "latency_s", "cost", "calls", "failed")
DETAILS: tuple[str, ...] = ("run", "episode", "instruction", "explored", "return", "optimal_value", "regret")
DETAILS += ("expected_regret", "wall_s", "score")


@dataclass
class Reading:
    """How far a table was read: its last row, and what that row said, to find out whether rows were taken back."""

    rowid: int = 0
    last: Row | None = None


@dataclass
class Grid:
    """Arrays over runs and episodes, NaN where an episode is not finished or a number is not known.

    `fill(out)` reads what is new; where rows were taken back, as by resuming from a snapshot, it begins again.
    """

    manifest: dict[str, Any]
    numbers: dict[str, Float[np.ndarray, "R T"]] = field(default_factory=dict)
    spent: dict[str, Float[np.ndarray, "R T"]] = field(default_factory=dict)
    read: dict[str, Reading] = field(default_factory=dict)
    measure: str = ""  # the column that regret is read from; empty where the log has no regret
    elsewhere: Float[np.ndarray, " S"] | None = None  # spent by calls that belong to no episode, as a probe

    def __post_init__(self) -> None:
        self.num_runs = max(1, len(self.manifest["latents"]))
        self.row: Int[np.ndarray, "R T"] = np.zeros((self.num_runs, 0), dtype=np.int32)  # 0: not finished
        self.explored = np.zeros((self.num_runs, 0), dtype=bool)
        self.faults = np.zeros((self.num_runs, 0), dtype=np.uint16)
        self.stamp = 0  # grows with every change

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        arrays = [self.row, self.explored, self.faults, *self.numbers.values(), *self.spent.values()]
        return sum(array.nbytes for array in arrays)

    @property
    def finished(self) -> int:
        """Episodes that are finished, over all runs."""
        return int(np.count_nonzero(self.row))

    def fill(self, out: Path) -> bool:
        """Read what is new; whether there was anything."""
        with opened(out) as log:
            if not log.has("episodes"):
                raise RunDamaged(f"{str(out / 'run.sqlite')!r} holds no table of episodes: it is no log of a run")
            for table in list(self.read):
                self._require(log, table)
            changed = self._episodes(log)
            changed |= self._sparse(log, "calls", ("outcome", *SPENT[:5]), self._spend)
            changed |= self._sparse(log, "low_level", ("event",), self._stumble)
        self.stamp += changed
        return changed

    def _require(self, log: Log, table: str) -> None:
        """Forget everything where the row that was read last is another one now."""
        if table in self.read and self._signature(log, table, self.read[table].rowid) != self.read[table].last:
            for kept in (self.read, self.numbers, self.spent):
                kept.clear()
            self.elsewhere, stamp = None, self.stamp
            self.__post_init__()
            self.stamp = stamp + 1

    @staticmethod
    def _signature(log: Log, table: str, rowid: int) -> Row | None:
        query = f"{log.select(table, ('run', 'episode', 'wall_s', 'latency_s'))} WHERE rowid = ?"
        found: Row | None = log.db.execute(query, (rowid,)).fetchone()
        return found

    def _episodes(self, log: Log) -> bool:
        """New rows of `episodes`, which may be many: the fewest columns, and no object made twice."""
        at, new = self.read.get("episodes", Reading()), log.last("episodes")
        if new <= at.rowid:
            return False
        known = log.columns("episodes")
        if not at.rowid:
            query = f"{log.select('episodes', ('expected_regret', 'regret'))} WHERE rowid = ?"
            expected, regret = log.db.execute(query, (new,)).fetchone()
            self.measure = "expected_regret" if expected is not None else "regret" if regret is not None else ""
        names = ["return", *([self.measure] if self.measure else []), *(["score"] if "score" in known else [])]
        wanted = ["rowid", "run", "episode", "explored", *(f'IFNULL("{name}", {UNKNOWN})' for name in names)]
        query = f"SELECT {', '.join(wanted)} FROM episodes WHERE rowid > ? AND rowid <= ?"
        for rows in log.rows(query, (at.rowid, new)):
            block = np.fromiter(chain.from_iterable(rows), float, len(rows) * len(wanted)).reshape(len(rows), -1)
            self._take(block, names)
        self.read["episodes"] = Reading(new, self._signature(log, "episodes", new))
        return True

    def _take(self, block: Float[np.ndarray, "n c"], names: Sequence[str]) -> None:
        rowid, run, episode, explored = block[:, :4].T
        if not ((run >= 0) & (run < self.num_runs) & (episode >= 0) & (run % 1 == 0) & (episode % 1 == 0)).all():
            raise RunDamaged("run.sqlite: it holds runs or episodes that its manifest does not know")
        self._reserve(int(episode.max()) + 1)
        at = run.astype(np.intp), episode.astype(np.intp)
        self.row[at], self.explored[at] = rowid, explored > 0
        for name, values in zip(names, block[:, 4:].T, strict=True):
            if name not in self.numbers:
                self.numbers[name] = np.full(self.row.shape, np.nan)
            self.numbers[name][at] = np.where(np.isfinite(values), values, np.nan)

    def _sparse(self, log: Log, table: str, wanted: tuple[str, ...], add: Callable[..., None]) -> bool:
        """New rows of a table that has few of them, or none."""
        at, new = self.read.get(table, Reading()), log.last(table)
        if new <= at.rowid:
            return False
        query = f"{log.select(table, ('run', 'episode', *wanted))} WHERE rowid > ? AND rowid <= ?"
        for rows in log.rows(query, (at.rowid, new)):
            run, episode, *others = zip(*rows, strict=True)
            at_run, at_episode = np.array(run, dtype=float), np.array(episode, dtype=float)
            placed = (at_run >= 0) & (at_run < self.num_runs) & (at_episode >= 0)
            self._reserve(int(at_episode[placed].max(initial=-1)) + 1)
            add(placed, (at_run[placed].astype(np.intp), at_episode[placed].astype(np.intp)), *others)
        self.read[table] = Reading(new, self._signature(log, table, new))
        return True

    def _reserve(self, episodes: int) -> None:
        """Room for so many episodes, doubled where it must grow."""
        room = self.row.shape[1]
        if episodes <= room:
            return
        planned = self.manifest["config"].get("episodes")
        wide = max(episodes, min(planned if isinstance(planned, int) else episodes, max(2 * room, 1024)))
        if self.num_runs * wide > MOST_EPISODES:
            raise RunDamaged(f"run.sqlite: {self.num_runs:,} x {wide:,} episodes are more than the viewer holds")
        grow = ((0, 0), (0, wide - room))
        self.row, self.explored, self.faults = (np.pad(a, grow) for a in (self.row, self.explored, self.faults))
        self.numbers = {name: np.pad(a, grow, constant_values=np.nan) for name, a in self.numbers.items()}
        self.spent = {name: np.pad(a, grow) for name, a in self.spent.items()}

    def _spend(self, placed: np.ndarray, at: tuple[np.ndarray, np.ndarray], outcome: Any, *counts: Any) -> None:
        if self.elsewhere is None:
            self.spent, self.elsewhere = {name: np.zeros(self.row.shape) for name in SPENT}, np.zeros(len(SPENT))
        failed = np.array([said not in (OK, CACHED) for said in outcome], dtype=float)
        known = [np.nan_to_num(np.array(column, dtype=float), posinf=0, neginf=0) for column in counts]
        for i, values in enumerate((*known, np.ones(len(failed)), failed)):
            np.add.at(self.spent[SPENT[i]], at, values[placed])
            self.elsewhere[i] += values[~placed].sum()
        np.add.at(self.faults, at, failed[placed].astype(np.uint16))

    def _stumble(self, placed: np.ndarray, at: tuple[np.ndarray, np.ndarray], event: Any) -> None:
        wrong = np.array([one is not None for one in event])[placed]
        np.add.at(self.faults, (at[0][wrong], at[1][wrong]), 1)

    def total(self, name: str) -> float:
        """What all calls took together."""
        if self.elsewhere is None:
            return 0.0
        return float(self.spent[name].sum() + self.elsewhere[SPENT.index(name)])

    def rows_and_width(self) -> tuple[Int[np.ndarray, " R"], int]:
        """The runs that have finished any episode, and how many episodes all of these have finished."""
        if not self.row.shape[1]:
            return np.zeros(0, dtype=np.intp), 0
        unfinished = self.row == 0
        done = np.where(unfinished.any(axis=1), unfinished.argmax(axis=1), self.row.shape[1])
        rows = np.flatnonzero(done)
        return rows, int(done[rows].min()) if len(rows) else 0

    def measured(self, rows: np.ndarray, width: int) -> tuple[str, Float[np.ndarray, "R T"]]:
        """Expected regret where it is known of all episodes, else regret, else the score, else the return."""
        for name in (self.measure, "score"):
            values = self.of(name, rows, width)
            if values.size and not np.isnan(values).any():
                return name.replace("_", " "), values
        return "return", self.of("return", rows, width)

    def of(self, name: str, rows: np.ndarray, width: int) -> Float[np.ndarray, "R T"]:
        """One number of these runs and of their first episodes; NaN where the log does not have it."""
        if name in self.numbers:
            return self.numbers[name][rows, :width]
        return np.full((len(rows), width), np.nan)

    def curves(self, out: Path, label: str = "") -> Curves:
        """The data behind the tables and figures of a report (`report.summary.Curves.read`), from the rows that were
        read."""
        (rows, width), config = self.rows_and_width(), self.manifest["config"]
        measure, values = self.measured(rows, width)
        doubt: Any = 0.0
        if "expert" in self.manifest and width and len(rows) == self.num_runs:
            doubt = expert_doubt(self.manifest, self._instructions(out, rows, width))
        explored = self.explored[rows, :width].astype(float)
        label = label or f"{config['planner']}, {config['explore']}"
        return Curves(label, self.manifest, measure, values, self.of("return", rows, width), explored, doubt)

    def _instructions(self, out: Path, rows: np.ndarray, width: int) -> np.ndarray:
        told = np.empty(self.row.shape, dtype=object)
        with opened(out) as log:
            for some in log.rows(log.select("episodes", ("run", "episode", "instruction"))):
                run, episode, said = zip(*some, strict=True)
                told[np.array(run), np.array(episode)] = said
        return told[rows, :width]

    def details(self, out: Path, cells: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
        """All that the log says of finished episodes, (run, episode)s, in their order."""
        rowids = [int(self.row[run, episode]) for run, episode in cells]
        with opened(out) as log:
            wanted = ("rowid", *DETAILS)
            query = f"{log.select('episodes', wanted)} WHERE rowid IN ({', '.join(map(str, rowids))})"
            found = {row[0]: dict(zip(wanted[1:], row[1:], strict=True)) for row in log.db.execute(query)}
        return [found[rowid] for rowid in rowids if rowid in found]
