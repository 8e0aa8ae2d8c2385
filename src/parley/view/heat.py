"""Runs x episodes: a heat map in as many cells as a screen has, lists of episodes, and the first time of something."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parley.core.errors import BadInput
from parley.report.summary import OWN
from parley.view.curves import cells_of
from parley.view.grid import Grid
from parley.view.log import opened

MOST_ROWS = 2048
METRICS = ("regret", "return", "score", "explored", "faults", "tokens", "cost")
ORDERS = ("run", "latent", "total")
SORTS = ("episode", "worst", "best", "tokens", "faults")
FILTERS = ("all", "explored", "not explored", "faults")
EVENTS = ("explored", "no regret", "best return", "fault", "executed", "heard")
PAGE = 100  # episodes of a list at once
SEARCH_S = 4.0
SEARCHED = 50_000  # steps looked through between two looks at the clock


def heat_map(grid: Grid, metric: str, first: int, last: int | None, columns: int, order: str) -> dict[str, Any]:
    """Means of a metric over the episodes of each column; null where none of them is finished."""
    if metric not in METRICS or order not in ORDERS or not 1 <= columns <= 4096:
        raise BadInput(
            f"metric={metric!r}, order={order!r}, columns={columns}: expected one of {', '.join(METRICS)}, one of "
            f"{', '.join(ORDERS)}, and 1 to 4096 columns"
        )
    width = _width(grid)
    begin, end = max(0, min(first, width - 1)), width if last is None else max(first + 1, min(last + 1, width))
    rows = _ordered(grid, order, width)[:MOST_ROWS]
    about = {"metric": metric, "runs": rows, "episodes": width, "first": begin, "last": end - 1, "names": named(grid)}
    values = values_of(grid, metric, rows, width)[:, begin:end]
    if not values.size:
        return {**about, "size": 1, "cells": [], "low": None, "high": None}
    size = -(-values.shape[1] // columns)
    done = grid.row[rows, begin:end] > 0
    edges = np.arange(0, values.shape[1], size)
    known = done & ~np.isnan(values)
    count = np.add.reduceat(known, edges, axis=1, dtype=float)
    total = np.add.reduceat(np.where(known, values, 0.0), edges, axis=1)
    cells = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    found = cells[~np.isnan(cells)]
    low, high = (float(found.min()), float(found.max())) if found.size else (None, None)
    return {**about, "size": size, "cells": cells.astype(np.float32), "low": low, "high": high}


def named(grid: Grid) -> dict[str, Any]:
    """What can be drawn of this run, and what regret is measured by."""
    rows, width = grid.rows_and_width()
    measure = grid.measured(rows, width)[0] if width else grid.measure.replace("_", " ") or "return"
    first = measure if measure in OWN else "regret"  # the questions that come first about a run
    known = [m for m in METRICS if m not in ("regret", first) and values_of(grid, m, rows[:1], width).size]
    empty = {"faults": not grid.faults.any(), "cost": bool(grid.spent) and not grid.spent["cost"].any()}
    known = [metric for metric in known if not empty.get(metric)]
    return {"measure": measure, "first": first, "metrics": [first, *known]}


def values_of(grid: Grid, metric: str, rows: Int[np.ndarray, " R"], width: int) -> Float[np.ndarray, "R T"]:
    """A metric, with regret as the run's log measures it."""
    if metric == "regret":
        return grid.of(grid.measure, rows, width) if grid.measure else np.zeros((len(rows), 0))
    return cells_of(grid, metric, rows, width)


def _width(grid: Grid) -> int:
    """Up to the last episode that any run has finished."""
    return int(np.flatnonzero(grid.row.any(axis=0)).max(initial=-1)) + 1


def _loss(grid: Grid, width: int) -> Float[np.ndarray, "R T"]:
    """Regret. Without regret: a quantity that grows as the score or the return falls."""
    first, rows = named(grid)["first"], np.arange(grid.num_runs)
    return values_of(grid, first, rows, width) * (-1 if first in OWN else 1)


def _ordered(grid: Grid, order: str, width: int) -> Int[np.ndarray, " R"]:
    rows = np.arange(grid.num_runs)
    if order == "latent":
        return np.array(sorted(rows, key=lambda row: (str(grid.manifest["latents"][row]), row)), dtype=np.intp)
    if order == "total":
        return np.argsort(-np.nansum(_loss(grid, width), axis=1), kind="stable")
    return rows


def episodes_of(grid: Grid, out: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of the finished episodes that `asked` wants, in its order, with what the log says of each."""
    sort, only = asked["sort"], asked["only"]
    if sort not in SORTS or only not in FILTERS:
        raise BadInput(f"sort={sort!r}, only={only!r}: expected {', '.join(SORTS)}, and {', '.join(FILTERS)}")
    width = _width(grid)
    rows = np.arange(grid.num_runs) if asked["run"] is None else np.array([asked["run"]])
    if rows.size and not 0 <= rows[0] < grid.num_runs:
        raise BadInput(f"run={asked['run']}: expected one of 0 to {grid.num_runs - 1}")
    wanted = grid.row[rows, :width] > 0
    first, last = asked["first"], asked["last"]
    wanted[:, : max(first, 0)] = False
    if last is not None:
        wanted[:, last + 1 :] = False
    if only != "all":
        explored = grid.explored[rows, :width]
        wanted &= grid.faults[rows, :width] > 0 if only == "faults" else explored == (only == "explored")
    run, episode = np.nonzero(wanted)
    at = _sorted(grid, sort, rows[run], episode)[asked["offset"] : asked["offset"] + PAGE]
    cells = list(zip(rows[run][at].tolist(), episode[at].tolist(), strict=True))
    listed = grid.details(out, cells)
    for one in listed:
        where = one["run"], one["episode"]
        one["faults"] = int(grid.faults[where])
        if grid.spent:
            one["tokens"] = float(grid.spent["prompt_tokens"][where] + grid.spent["completion_tokens"][where])
            one["cost"] = float(grid.spent["cost"][where])
    return {"total": len(run), "offset": asked["offset"], "page": PAGE, "episodes": listed, "names": named(grid)}


def _sorted(grid: Grid, sort: str, run: np.ndarray, episode: np.ndarray) -> Int[np.ndarray, " n"]:
    """The order of (run, episode)s; ties by episode, then run."""
    if sort == "episode":
        return np.lexsort((run, episode))
    if sort in ("worst", "best"):
        value = _loss(grid, grid.row.shape[1])[run, episode]
        value = -value if sort == "worst" else value
    elif sort == "faults":
        value = -grid.faults[run, episode].astype(float)
    else:
        tokens = cells_of(grid, "tokens", np.arange(grid.num_runs), grid.row.shape[1])
        value = -tokens[run, episode] if tokens.size else np.zeros(len(run))
    return np.lexsort((run, episode, np.nan_to_num(value, nan=np.inf)))


def first_time(grid: Grid, out: Path, event: str, text: str) -> dict[str, Any]:
    """The first episode of each run in which something happened; `text` is what was executed or heard, or a part."""
    if event not in EVENTS:
        raise BadInput(f"event={event!r}: expected one of {', '.join(EVENTS)}")
    if event in ("executed", "heard"):
        return _first_said(grid, out, event, text)
    width, rows = _width(grid), np.arange(grid.num_runs)
    done = grid.row[:, :width] > 0
    if event == "explored":
        happened = grid.explored[:, :width]
    elif event == "fault":
        happened = grid.faults[:, :width] > 0
    elif event == "no regret":
        happened = np.nan_to_num(values_of(grid, "regret", rows, width), nan=1.0) <= 1e-9
        happened = happened if happened.size else np.zeros_like(done)
    else:
        returns = grid.of("return", rows, width)
        best = np.nanmax(returns) if returns.size and not np.isnan(returns).all() else np.inf
        happened = returns >= best - 1e-9
    happened = happened & done
    found = [(int(r), int(happened[r].argmax()), None) for r in rows if happened[r].any()]
    return {"event": event, "found": found, "none": grid.num_runs - len(found), "searched": 1.0}


def _first_said(grid: Grid, out: Path, event: str, text: str) -> dict[str, Any]:
    """Look through the steps in the order in which they were written, for so long as one may wait."""
    column = "subgoal" if event == "executed" else "next_observation"
    if not text:
        raise BadInput("text='': say what to look for")
    found: dict[int, tuple[int, int, int]] = {}
    until, at = time.monotonic() + SEARCH_S, 0
    with opened(out) as log:
        last = log.last("steps") if column in log.columns("steps") else 0
        select = log.select("steps", ("run", "episode", "step"))
        query = f'{select} WHERE rowid > ? AND rowid <= ? AND instr("{column}", ?)'
        while at < last and len(found) < grid.num_runs and time.monotonic() < until:
            for run, episode, step in log.db.execute(query, (at, at + SEARCHED, text)):
                place = (run, episode, step)
                found[run] = min(found.get(run, place), place)
            at += SEARCHED
    searched = min(1.0, at / last) if last and len(found) < grid.num_runs else 1.0
    return {"event": event, "found": sorted(found.values()), "none": grid.num_runs - len(found), "searched": searched}
