"""A unit: one cohort of a run, carried out wherever it is sent, into a shard of its own; as often as it takes."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from parley import assemble
from parley.assemble.cohorts import cohorts_of
from parley.assemble.conditions import checked, machine
from parley.assemble.config import RunConfig
from parley.cluster.account import Banked, SharedLedger
from parley.cluster.addressed import brought
from parley.cluster.shelf import shelf
from parley.core.calls import RunPaused
from parley.core.errors import BadInput, ParleyError
from parley.execute import carry_out
from parley.runs.directory import read_manifest, storage
from parley.runs.ended import Interrupted
from parley.runs.ledger import CallLedger, Limits, Prices
from parley.runs.lock import BeingWritten
from parley.runs.seals import read_mark
from parley.runs.shards import FOLDER
from parley.runs.store import RunStore
from parley.worlds.kit.expert import expert_values

TAKEN_S = 60.0  # how long a unit waits for its predecessor, whose death may not have been noticed yet
FINISHED, PAUSED, WRONG, FAILED, STOPPED = "finished", "paused", "wrong", "failed", "stopped"  # how a unit ended
# What a shard's manifest has of the whole run's.
WHOLE = ("config", "horizon", "menus", "inputs", "code", "planner", "expert", "scores")


def shard_name(first_run: int) -> str:
    """The directory of the shard whose runs begin at `first_run`."""
    return f"{first_run:09d}"


def carry_out_unit(
    out: str,
    number: int,
    place: str,
    hooks: Sequence[str] = (),
    prices: Mapping[str, Mapping[str, float]] | None = None,
    account: Banked | None = None,
) -> dict[str, Any]:
    """Carry out cohort `number` of the run in `out`, or go on with it; `place` is the directory that paths start at.

    Returns how it ended and why, as an answer: errors of this package do not cross machines as exceptions.
    """
    began = time.perf_counter()
    try:
        if Path(place).is_dir():
            os.chdir(place)
        limits = Limits(prices=Prices(prices or {}))
        manifest = _carried_out(Path(out), number, hooks, limits, account)
    except RunPaused as paused:
        return {"how": PAUSED, "why": str(paused.__cause__ or paused)}  # without the part that concerns one process
    except Interrupted:
        return {"how": STOPPED, "why": "it was told to stop"}
    except ParleyError as wrong:
        return {"how": WRONG if isinstance(wrong, BadInput) else FAILED, "why": str(wrong)}
    conditions = {**manifest["machine"], **manifest["versions"]}
    return {"how": FINISHED, "totals": manifest["totals"], "on": conditions, "wall_s": time.perf_counter() - began}


def _carried_out(
    out: Path, number: int, hook_names: Sequence[str], limits: Limits, account: Banked | None
) -> dict[str, Any]:
    here = brought(out, shards=False)
    whole = read_manifest(here)
    config = RunConfig.from_manifest(whole["config"])
    first = number * config.cohort
    name = shard_name(first)
    with shelf(out / FOLDER / name) as shard:
        if (shard / "manifest.json").is_file() and read_manifest(shard)["status"] == FINISHED:
            return read_manifest(shard)
        parts, latents, _ = checked(here, whole, config, None, trust=True)
        hooks = assemble.hooks_of(hook_names, trust=True)
        calls = SharedLedger(limits, hooks, account, name) if account else CallLedger(limits, hooks)
        with ExitStack() as closing:
            store, resumed = _store(shard, whole, first, min(config.cohort, config.runs - first))
            try:
                if resumed:
                    calls.open(shard)
                mine = latents[first : first + config.cohort]
                reached = expert_values(parts.world, mine, config.seed) if "expert" in whole else None
                about = {"was": whole.get("planner", {})}
                cohorts = cohorts_of(config, parts, latents, calls, closing, reached, about, number)
            except BaseException as wrong:
                store.close("interrupted" if isinstance(wrong, RunPaused | KeyboardInterrupt) else "failed", str(wrong))
                raise
            return carry_out(store, cohorts, calls, config, parts, None, hooks, resumed)


def _store(shard: Path, whole: Mapping[str, Any], first: int, num_runs: int) -> tuple[RunStore, bool]:
    """The shard, open for writing, and whether it had begun; waits for a predecessor that is dying."""
    until = time.monotonic() + TAKEN_S
    while True:
        try:
            if (shard / "manifest.json").is_file() and not _nothing(shard):
                return RunStore.open(shard), True
            with storage(shard):
                (shard / "manifest.json").unlink(missing_ok=True)
            entries = {name: whole[name] for name in WHOLE if name in whole}
            entries |= {"latents": whole["latents"][first : first + num_runs], "machine": machine()}
            entries["shard"] = {"first_run": first, "num_runs": num_runs}
            return RunStore.create(shard, **entries), False
        except BeingWritten:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def _nothing(shard: Path) -> bool:
    """Whether a shard was killed before anything could be recorded: its manifest is there, and nothing else."""
    path = shard / "run.sqlite"
    return not path.exists() and read_mark(shard) is None
