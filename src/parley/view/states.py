"""How a run stands: running, finished, interrupted, failed, damaged; how far it is, and how long it will take."""

import json
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parley.core.errors import ParleyError
from parley.report.summary import readable_manifest
from parley.runs.directory import at_work, require_plain
from parley.runs.shards import files_of

SILENT_S = 120.0  # after so long without a new row, a run without other signs of life counts as killed
WINDOW_S = 60.0  # over which the speed of a run is measured
LARGEST_MANIFEST = 1 << 24  # bytes
RUNNING, FINISHED, INTERRUPTED, FAILED, DAMAGED = "running", "finished", "interrupted", "failed", "damaged"


def manifest_of(out: Path) -> dict[str, Any]:
    """The manifest of a run directory. Raises `ParleyError`, which names the fault."""
    path = out / "manifest.json"
    require_plain(out)
    if path.stat().st_size > LARGEST_MANIFEST:
        raise ParleyError(f"{str(path)!r} is too large for a manifest")
    try:
        return readable_manifest(out)
    except RecursionError:
        raise ParleyError(f"{str(path)!r} cannot be read: it is nested too deeply") from None


def changed_at(out: Path) -> float:
    """When the run directory changed last, in seconds since 1970; 0 where that cannot be told."""
    found = []
    for file in files_of(out):
        try:
            found.append(file.stat().st_mtime)
        except OSError:
            pass
    return max(found, default=0.0)


def status_of(manifest: dict[str, Any], changed: float) -> tuple[str, str]:
    """The status, and a sentence where there is something to say."""
    status, error = manifest["status"], manifest.get("error", "")
    if status != "started":
        return status, error if isinstance(error, str) else json.dumps(error)
    process = manifest.get("process")
    working = at_work(process) if isinstance(process, dict) else None
    if working is None:
        silent = time.time() - changed
        if silent <= SILENT_S:
            return RUNNING, ""
        return INTERRUPTED, f"no sign of life for {spelt_s(silent)}: it was killed, or runs on another machine"
    return (RUNNING, "") if working else (INTERRUPTED, "its process was killed: `parley resume` goes on")


def spelt_s(seconds: float) -> str:
    """A time in words.

    >>> spelt_s(200), spelt_s(7300)
    ('3 minutes', '2 hours')
    """
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{int(seconds)} seconds"


@dataclass
class Pace:
    """How fast episodes are finished, from what was seen lately."""

    seen: deque[tuple[float, int]] = field(default_factory=deque)

    def saw(self, now: float, finished: int) -> None:
        """So many episodes are finished by now."""
        if self.seen and finished < self.seen[-1][1]:
            self.seen.clear()
        self.seen.append((now, finished))
        while self.seen[-1][0] - self.seen[0][0] > WINDOW_S:
            self.seen.popleft()

    def left_s(self, total: int) -> float | None:
        """Seconds until all are finished, at this speed; None where nothing was seen to be finished yet."""
        (began, first), (now, last) = self.seen[0], self.seen[-1]
        return (total - last) * (now - began) / (last - first) if last > first and now - began > 1 else None
