"""Experiments below the directory: claim, verdict, interval, figures, and cells while they are being computed."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.core.paths import read_json
from parley.report.summary import mean_band
from parley.runs.directory import at_work
from parley.view.curves import POINTS
from parley.view.found import CELL, CELLS, FINDING, Found

LARGEST = 1 << 26  # bytes of a finding, or of a cell's array
MOST_ROWS = 2000
PICTURES = {".png": "image/png", ".gif": "image/gif", ".mp4": "video/mp4"}


def listed(found: Found) -> list[dict[str, Any]]:
    """One line an experiment."""
    return [_about(found, name) for name in found.experiments]


def experiment_of(found: Found, name: str) -> dict[str, Any]:
    """Everything of one experiment: its finding, its cells, and the names of its pictures."""
    out, about = found.experiment(name), _about(found, name)
    finding, planned = _read(found, out / FINDING), _read(found, out / CELLS)
    rows = finding.get("rows")
    about["rows"] = [row for row in rows if isinstance(row, dict)][:MOST_ROWS] if isinstance(rows, list) else []
    about["pictures"] = sorted(
        path.name for path in out.iterdir() if path.suffix in PICTURES and path.is_file() and not path.is_symlink()
    )
    cells = planned.get("cells") if isinstance(planned.get("cells"), list) else finding.get("cells")
    configs = [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []
    stored = {path.name for path in out.iterdir() if CELL.fullmatch(path.name)}
    about["cells"] = []
    for config in configs:
        file = config.get("file")
        done = (file in stored) if isinstance(file, str) else about["status"] == "finished"
        about["cells"].append({"config": {k: v for k, v in config.items() if k != "file"}, "done": done, "file": file})
    waiting = [cell for cell in about["cells"] if not cell["done"]]
    if waiting and about["status"] == "computing":
        waiting[0]["computing"] = True
    return about


def cell_of(found: Found, name: str, file: str) -> dict[str, Any]:
    """The curve of a cell that is computed: the mean over runs of its cumulative values, and its band."""
    if not CELL.fullmatch(file):
        raise BadInput(f"file={file!r}: this is no name of a cell")
    path = found.file(found.experiment(name) / file)
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                raise BadInput(f"{file}: the cell is too large to be shown")
        with np.load(path, allow_pickle=False) as stored:
            values = np.asarray(stored["regret"], dtype=float)
    except BadInput:
        raise
    except Exception as wrong:  # zip files, their compression and numpy raise errors of many kinds
        raise BadInput(f"{file} cannot be read as a cell: {wrong}") from None
    if values.ndim != 2 or not values.size:
        return {"shape": list(values.shape), "x": [], "mean": [], "half": []}
    mean, half = mean_band(np.cumsum(values, axis=1))
    at = np.unique(np.linspace(0, values.shape[1] - 1, POINTS).astype(int))
    return {"shape": list(values.shape), "x": at + 1, "mean": mean[at], "half": half[at]}


def picture_of(found: Found, name: str, file: str) -> tuple[bytes, str]:
    """A picture's bytes and what they are."""
    path = found.experiment(name) / file
    kind = PICTURES.get(Path(file).suffix)
    if kind is None or Path(file).name != file:
        raise BadInput(f"file={file!r}: this is no name of a picture")
    return found.file(path).read_bytes(), kind


def _about(found: Found, name: str) -> dict[str, Any]:
    out = found.experiment(name)
    finding, planned = _read(found, out / FINDING), _read(found, out / CELLS)
    stored = [path for path in out.iterdir() if CELL.fullmatch(path.name)]
    source = finding or planned
    about = {key: source.get(key) for key in ("experiment", "claim", "quick", "verdict", "estimate", "quantity")}
    interval = finding.get("interval")
    about["interval"] = interval if isinstance(interval, list) and len(interval) == 2 else None
    cells = planned.get("cells") or finding.get("cells")
    total = len(cells) if isinstance(cells, list) else None
    times = [path.stat().st_mtime for path in (*stored, out / FINDING, out / CELLS) if path.exists()]
    process = planned.get("process")
    working = isinstance(process, dict) and bool(at_work(process))
    status = "computing" if working else "finished" if finding else "interrupted"
    progress = {"done": len(stored), "total": total}
    return {"id": name, **about, "status": status, "cells": progress, "changed": max(times, default=0.0)}


def _read(found: Found, path: Path) -> dict[str, Any]:
    """A JSON object. Empty where the file is missing or cannot be read."""
    try:
        real = found.file(path)
        if real.stat().st_size > LARGEST:
            return {}
        read = read_json(real)
    except (BadInput, OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
