"""Runs on Ray beside one process: wall time, what a unit costs besides its work, and DuckDB over many episodes.

    python benchmarks/scale.py [--rows 25000000] [--planners exact transformer endpoint] [--json FILE]

Both sides are timed in turn, in one process, after Ray's start and a first run on each of its workers.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import ray

from endpoint import serving
from parley.cluster.account import Account
from parley.cluster.driver import run_on
from parley.cluster.engines import engine_of
from parley.execute import RunConfig, run
from parley.runs.frames import export
from parley.runs.merging import merge
from parley.runs.schema import SCHEMA
from parley.runs.shards import connect

EXPLORE = "epsilon-greedy:epsilon=0.1"
RUNS = {
    "exact": RunConfig("household", "exact", EXPLORE, episodes=600, runs=64, cohort=16, record="episodes"),
    "transformer": RunConfig("household", "transformer", EXPLORE, episodes=96, runs=32, cohort=8, record="episodes"),
    "endpoint": RunConfig("shortcut", "", EXPLORE, episodes=6, runs=32, cohort=8),
}
LATENCY_MS = 100  # of the server that the endpoint planner asks
UNIT = RunConfig("shortcut", "exact", EXPLORE, episodes=1, runs=64, cohort=1)
REPEATS = 3
EPISODES = 2_500_000  # rows of the log that is exported


def timed(work: Callable[[], object]) -> float:
    """Wall time in seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare(folder: Path, engine, planners: list[str], port: int) -> dict[str, dict[str, float]]:
    """Each planner in one process and on two workers, in turn."""
    found = {}
    for name in planners:
        config = RUNS[name]
        if name == "endpoint":
            at = f"base_url=http://127.0.0.1:{port}/{LATENCY_MS},way=parse,concurrency=16"
            config = replace(config, planner=f"endpoint:model=vllm/m,{at}")
        here, there = [], []
        for i in range(REPEATS):
            here.append(timed(partial(run, config, folder / f"{name}-here-{i}")))
            there.append(timed(partial(run_on, engine, config, folder / f"{name}-there-{i}")))
        ratios = [b / a for a, b in zip(here, there, strict=True)]
        found[name] = {
            "one_process_s": statistics.median(here),
            "two_workers_s": statistics.median(there),
            "ratio": statistics.median(ratios),
            "ratio_low": min(ratios),
            "ratio_high": max(ratios),
        }
    return found


def unit_cost(folder: Path, engine) -> dict[str, float]:
    """What a unit costs besides its work: on a worker, and at the driver, which has them one after another."""
    few = replace(UNIT, runs=2)
    small = min(timed(partial(run_on, engine, few, folder / f"few-{i}")) for i in range(REPEATS))
    large = min(timed(partial(run_on, engine, UNIT, folder / f"many-{i}")) for i in range(REPEATS))
    each = (large - small) / (UNIT.runs - few.runs)
    tasks = [{"text": "x"}] * 500
    driver = timed(lambda: list(engine.carry_out("parley.core.text:inert", tasks, 1.0)))
    gathered = timed(lambda: connect(folder / "many-0" / "run.sqlite").close())
    merged = timed(lambda: merge(folder / "many-1"))
    shards = UNIT.runs
    return {
        "unit_s": 2 * each,  # on one worker, as two share them
        "driver_task_s": driver / len(tasks),
        "gather_shard_s": gathered / shards,
        "merge_shard_s": merged / shards,
    }


def account_rate() -> dict[str, float]:
    """Calls per second that one account can let through, from one client that waits for each answer."""
    actor = ray.remote(Account).options(num_cpus=0, max_concurrency=1000).remote()
    attempt = ray.get(actor.begin.remote("u", 0, 0.0))
    count = 300

    def turn() -> None:
        for _ in range(count):
            ray.get(actor.take.remote("u", attempt))
            ray.get(actor.give.remote("u", attempt, 1, 0.0))

    turn()
    one = timed(turn) / count
    together = timed(lambda: ray.get([actor.take.remote("u", attempt) for _ in range(3000)])) / 3000

    async def bare() -> float:
        account = Account()
        number = await account.begin("u", 0, 0.0)
        began = time.perf_counter()
        for _ in range(20_000):
            await account.take("u", number)
        return (time.perf_counter() - began) / 20_000

    return {"call_s": one, "take_s": together, "bare_take_s": asyncio.run(bare())}


def scan(folder: Path, rows: int) -> dict[str, float]:
    """A log of many episodes as Parquet, and what DuckDB needs for its means by episode."""
    out = folder / "large"
    out.mkdir()
    db = sqlite3.connect(out / "run.sqlite")
    db.executescript(SCHEMA)
    many = min(EPISODES, rows)
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) INSERT INTO episodes "
        "SELECT i / 25000, i % 25000, 'bring the mug', i % 10 = 0, (i * 7 % 11) / 10.0, 1.0, 1 - (i * 7 % 11) / 10.0, "
        "(i * 13 % 101) / 1000.0, 0.001, NULL FROM n",
        (many,),
    )
    db.commit()
    db.close()
    exported = timed(lambda: export([out], folder / "parquet", ["episodes"]))
    table = pyarrow.parquet.read_table(folder / "parquet" / "episodes.parquet")
    file = folder / "all.parquet"
    with pyarrow.parquet.ParquetWriter(file, table.schema, compression="zstd") as writer:
        for _ in range(rows // many):
            writer.write_table(table)
    query = f"SELECT episode % 100, avg(expected_regret), avg(CAST(explored AS INT)) FROM '{file}' GROUP BY 1"
    count = duckdb.sql(f"SELECT count(*) FROM '{file}'").fetchall()[0][0]
    return {
        "rows": count,
        "file_mb": file.stat().st_size / 1e6,
        "scan_s": timed(lambda: duckdb.sql(query).fetchall()),
        "export_rows_per_s": many / exported,
    }


def predicted(cost: dict[str, float], unit_s: float, workers: int, units_a_worker: int = 4) -> float:
    """Efficiency of `workers` on units of `unit_s`: work over what workers and driver take (docs/scale.md)."""
    units = workers * units_a_worker
    wall = (
        max(units_a_worker * (unit_s + cost["unit_s"]), units * cost["driver_task_s"]) + units * cost["merge_shard_s"]
    )
    return units_a_worker * unit_s / wall


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=25_000_000)
    parser.add_argument("--planners", nargs="*", default=list(RUNS), choices=list(RUNS))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="parley-scale-"))
    os.environ["RAY_worker_niceness"] = "0"  # as this process: else other programs of the machine go before workers
    engine = engine_of("ray")
    start_s = timed(engine.connected)
    first_s = timed(lambda: run_on(engine, replace(RUNS["transformer"], episodes=2), folder / "first"))
    found: dict[str, object] = {}

    def keep(name: str, value: object) -> None:
        found[name] = value
        print(json.dumps({name: value}, indent=1), flush=True)

    keep("start_s", start_s)
    keep("first_run_s", first_s)
    with serving() as port:
        keep("planners", compare(folder, engine, args.planners, port))
    cost = unit_cost(folder, engine)
    keep("costs", cost)
    keep("account", account_rate())
    sizes = {"nodes": 1000, "workers": 16_000}
    keep(
        "predicted",
        [{**sizes, "unit_s": s, "efficiency": predicted(cost, s, sizes["workers"])} for s in (10.0, 60.0, 600.0)],
    )
    keep("duckdb", scan(folder, args.rows))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
