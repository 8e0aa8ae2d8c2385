"""The table of runs: one row a run directory, read as far as it must be and no further."""

import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import ParleyError
from parley.core.spec import parse_spec
from parley.report.summary import OWN, mean_band
from parley.runs.shards import files_of
from parley.view.found import Found
from parley.view.grid import Grid
from parley.view.states import DAMAGED, RUNNING, Pace, changed_at, manifest_of, status_of

MOST_BYTES = 96 << 20  # of grids that are kept in memory
PATIENCE = 50  # of the time that a running run's numbers take, so many times is waited until they are counted again
POINTS = 48  # of the small curve in a row
ALL_CONFIG = ("world", "planner", "explore", "memory", "episodes", "runs", "seed", "latent", "instructions", "record")


@dataclass
class Seen:
    """The facts about one run directory."""

    out: Path
    lock: threading.Lock = field(default_factory=threading.Lock)
    stamp: tuple[Any, ...] = ()  # of the files, when they were read last
    row: dict[str, Any] = field(default_factory=dict)
    grid: Grid | None = None
    used: float = 0.0
    counted: tuple[int, float, float] = (-1, 0.0, 0.0)  # the grid's stamp at the last count, when, and how long it took
    pace: Pace = field(default_factory=Pace)


class Runs:
    """All run directories that were found; grids of those looked at lately stay in memory."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self._seen: dict[str, Seen] = {}
        self._lock = threading.Lock()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="parley-view")

    def close(self) -> None:
        """Read nothing more in the background."""
        self._reader.shutdown(wait=False, cancel_futures=True)

    def seen(self, name: str) -> Seen:
        """The facts about a run. Raises `BadInput` where no run has that name."""
        out = self.found.run(name)
        with self._lock:
            if name not in self._seen or self._seen[name].out != out:
                self._seen[name] = Seen(out)
            return self._seen[name]

    def row(self, name: str) -> dict[str, Any]:
        """The row of a run as it is now, its numbers read where they changed."""
        seen = self.seen(name)
        with seen.lock:
            stamp = _stamp(seen.out)
            if stamp != seen.stamp or seen.row.get("status") == RUNNING:
                seen.row = self._read(name, seen)
                seen.stamp = stamp
            return seen.row

    def rows(self, within_s: float) -> Iterable[dict[str, Any]]:
        """All rows, newest first; those that there was no time to read say so (`numbers` is null)."""
        until = time.monotonic() + within_s
        by_age = sorted(self.found.runs.items(), key=lambda item: -changed_at(item[1]))
        for name, out in by_age:
            known = self._seen.get(name)
            if known and known.stamp == _stamp(out):
                yield self.row(name)
                continue
            left_s = until - time.monotonic()
            reading = self._reader.submit(self.row, name) if left_s > 0 else None
            try:  # a large log goes on being read when nobody waits for it any more
                yield reading.result(left_s) if reading else _about(name, out)[0]
            except TimeoutError:
                yield _about(name, out)[0]

    def stale(self) -> list[str]:
        """Runs that are not as they were when they were read last, newest first."""
        by_age = sorted(self.found.runs.items(), key=lambda item: -changed_at(item[1]))
        seen = {name: known.stamp for name, known in self._seen.items()}
        return [name for name, out in by_age if seen.get(name) != _stamp(out)]

    def running(self) -> list[str]:
        """Runs that were running when they were read last."""
        return [n for n, seen in list(self._seen.items()) if seen.row.get("status") == RUNNING and n in self.found.runs]

    def grid(self, name: str) -> Grid:
        """The numbers of a run's episodes, as they are now; raises `ParleyError` where they cannot be read."""
        seen = self.seen(name)
        with seen.lock:
            return self._filled(seen, manifest_of(seen.out))

    def _filled(self, seen: Seen, manifest: dict[str, Any]) -> Grid:
        grid = seen.grid
        if grid is None or grid.manifest["latents"] != manifest["latents"]:
            grid = Grid(manifest)
        grid.manifest = manifest
        grid.fill(seen.out)
        seen.grid, seen.used = grid, time.monotonic()
        self._forget()
        return grid

    def _forget(self) -> None:
        """Drop the grids that were used least lately, but for the last one."""
        kept = sorted((seen for seen in list(self._seen.values()) if seen.grid), key=lambda seen: -seen.used)
        total = 0
        for i, seen in enumerate(kept):
            total += seen.grid.nbytes if seen.grid else 0
            if i and total > MOST_BYTES:
                seen.grid = None

    def _read(self, name: str, seen: Seen) -> dict[str, Any]:
        row, manifest = _about(name, seen.out)
        if manifest is None:
            return row
        try:
            grid = self._filled(seen, manifest)
            row["numbers"] = _counted(seen, grid, row["status"] == RUNNING)
        except ParleyError as wrong:
            row["error"], row["numbers"] = str(wrong), {}
            return row
        total = grid.num_runs * (manifest["config"].get("episodes") or 0)
        seen.pace.saw(time.monotonic(), grid.finished)
        left_s = seen.pace.left_s(total) if row["status"] == RUNNING else None
        row["progress"] = {"done": grid.finished, "total": total, "left_s": left_s}
        return row


def _stamp(out: Path) -> tuple[Any, ...]:
    """What changes when a run directory does."""
    found: list[Any] = []
    for file in files_of(out):
        try:
            at = file.stat()
            found += [at.st_mtime_ns, at.st_size, at.st_ino]
        except OSError:
            found.append(None)
    return tuple(found)


def _about(name: str, out: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What the manifest alone says, and the manifest."""
    changed = changed_at(out)
    row: dict[str, Any] = {"id": name, "changed": changed, "numbers": None, "error": "", "progress": None}
    try:
        manifest = manifest_of(out)
        status, error = status_of(manifest, changed)
        config = manifest["config"]
        row |= {"status": status, "error": error, **{key: _plain(config.get(key)) for key in ALL_CONFIG}}
        row["memory"] = row["memory"] or _memory(config["planner"])
        row["latents"] = len(set(map(str, manifest["latents"])))
        row["wall_s"] = _number(manifest.get("totals", {}).get("wall_s"))
    except (ParleyError, OSError, TypeError, AttributeError, ValueError) as wrong:
        return {**row, "status": DAMAGED, "error": str(wrong), "numbers": {}}, None
    return row, manifest


def _counted(seen: Seen, grid: Grid, running: bool) -> dict[str, Any]:
    """The numbers of a run; while it runs they are not counted all the time."""
    stamp, at, took = seen.counted
    known: dict[str, Any] | None = seen.row.get("numbers")
    now = time.monotonic()
    if known and (stamp == grid.stamp or (running and now - at < PATIENCE * took)):
        return known
    found = _numbers(grid, seen.out)
    seen.counted = (grid.stamp, now, time.monotonic() - now)
    return found


def _numbers(grid: Grid, out: Path) -> dict[str, Any]:
    """What a run amounts to so far."""
    curves = grid.curves(out)
    found = curves.summary().as_dict()
    names = ("measure", "mean_return", "explored", "slope", "slope_low", "slope_high", "scores")
    regret = () if curves.measure in OWN else ("regret", "regret_half_width")
    numbers = {name: found[name] for name in (*names, *regret)}
    width = curves.values.shape[1]
    if width:
        mean, _ = mean_band(curves.totals())
        numbers["curve"] = mean[np.unique(np.linspace(0, width - 1, POINTS).astype(int))].astype(np.float32)
    scores = grid.numbers.get("score", np.empty((0, 0)))
    scores = scores[~np.isnan(scores).all(axis=1)]  # of runs that have begun, and whose highest return is known
    if len(scores):
        mean, half = mean_band(np.nanmean(scores, axis=1)[:, None])
        numbers |= {"score": mean[0], "score_half_width": half[0] if len(scores) > 1 else None}
    numbers["faults"] = int(grid.faults.sum())
    if grid.elsewhere is not None:
        spent = {name: grid.total(name) for name in ("calls", "prompt_tokens", "cached_tokens", "completion_tokens")}
        numbers["spent"] = {**spent, "cost": grid.total("cost"), "failed": grid.total("failed")}
    return numbers


def _memory(planner: str) -> str:
    """The memory of a planner that has one, from its spec."""
    try:
        kind, arguments = parse_spec(planner, "planner", first="model")
    except ParleyError:
        return ""
    return arguments.get("memory", "full" if kind in ("endpoint", "hf") else "")


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
