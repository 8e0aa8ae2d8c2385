"""Runs from start to end: a configuration becomes cohorts, each in a thread of its own, and a run directory."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from parley import assemble
from parley.assemble.cohorts import cohorts_of
from parley.assemble.conditions import checked, entries_of, planner_changes
from parley.assemble.config import RunConfig
from parley.core.answered import closed
from parley.core.draws import Draws
from parley.core.errors import BadInput, NotRepeated
from parley.core.said import EpisodeRecord
from parley.loop import Cohort, run_cohort
from parley.runs.directory import read_manifest
from parley.runs.ended import Ending, unbroken
from parley.runs.hooks import HookedRecorder, Hooks
from parley.runs.ledger import CallLedger, Limits
from parley.runs.log import StepsLog
from parley.runs.shards import is_sharded
from parley.runs.store import RunStore
from parley.worlds.kit.expert import expert_values

MAX_WAITING = 256  # threads that wait for a server

__all__ = ["RunConfig", "resume", "run"]

Progress = Callable[[EpisodeRecord, int], None]  # a finished episode and the number of runs it is of


class _Stop(Exception):
    """Ends a cohort's thread between two episodes."""


def run(
    config: RunConfig,
    out: Path,
    progress: Progress | None = None,
    limits: Limits | None = None,
    parts: assemble.Parts | None = None,
    hooks: Hooks | None = None,
    calls: CallLedger | None = None,
) -> dict[str, Any]:
    """Carry out a run into the new directory `out`; returns the manifest.

    `parts` are those that the configuration names, unless they are given; who begins a run knows its code. `calls` is
    the ledger of its calls, with limits of its own, if given.
    """
    out = out.absolute()
    parts = parts or config.parts(trust=True)
    world = parts.world
    config = config.resolved(parts)
    latents = assemble.draw_latents(world, Draws(config.seed, config.runs), config.latent)
    hooks = hooks or Hooks({})
    calls = calls or CallLedger(limits, hooks)
    with _staying(), ExitStack() as closing:
        # Before anything is written: this finds the faults of the configuration.
        reached = expert_values(world, latents, config.seed)
        cohorts = cohorts_of(config, parts, latents, calls, closing, reached)
        entries = entries_of(config, parts, latents, cohorts[0].planner, reached)
        with unbroken():
            store = RunStore.create(out, **entries)
            return carry_out(store, cohorts, calls, config, parts, progress, hooks, resumed=False)


def resume(
    out: Path,
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
    limits: Limits | None = None,
    parts: assemble.Parts | None = None,
    trust: bool = False,
    hooks: Hooks | None = None,
    changes: Mapping[str, str] | None = None,
    calls: CallLedger | None = None,
) -> dict[str, Any]:
    """Continue the run in `out` from its log; a finished run is left as it is.

    `changes` are options of an endpoint planner that may be others from here on: how it asks, not what it is. `limits`
    are on the whole run, its earlier parts included. `warn` is told where the machine, a package or somebody else's
    code differ from when the run began. Tables are then the same in distribution, not bit by bit. Parts that were
    Python objects must be given again; code that is no installed plugin is imported only where `trust` says so.
    """
    out = out.absolute()
    manifest = read_manifest(out)
    config = RunConfig.from_manifest(manifest["config"])
    if manifest["status"] == "finished":
        return manifest
    if is_sharded(out) or "shard" in manifest:
        raise BadInput(
            f"{str(out)!r} is a run in shards: resume the whole run with --on, or merge it first (`parley merge`)"
        )
    began_as = config
    if changes:
        config = replace(config, planner=assemble.changed(config.planner, changes))
    parts, latents, changed = checked(out, manifest, config, parts, trust)
    world = parts.world
    if changed and warn:
        warn(f"resumed under other conditions, so not bit-identical to an uninterrupted run: {'; '.join(changed)}")
    hooks = hooks or Hooks({})
    calls = calls or CallLedger(limits, hooks)
    with unbroken(), _staying(), ExitStack() as closing:
        store = RunStore.open(out, warn)
        try:
            if config != began_as:
                store.change(asdict(config), {"was": began_as.planner, "is": config.planner})
            with Ending(str(out)):
                calls.open(out)
                reached = expert_values(world, latents, config.seed)
                about = {"was": manifest.get("planner", {})}
                cohorts = cohorts_of(config, parts, latents, calls, closing, reached, about)
                other = planner_changes(manifest.get("planner", {}), cohorts[0].planner)
                if other and warn:
                    warn(f"resumed with another planner, whose answers may differ: {'; '.join(other)}")
        except BaseException as wrong:
            status = "interrupted" if isinstance(wrong, KeyboardInterrupt) else manifest["status"]
            store.close(status, manifest.get("error", ""))
            raise
        return carry_out(store, cohorts, calls, config, parts, progress, hooks, resumed=True)


def carry_out(
    store: RunStore,
    cohorts: list[Cohort],
    calls: CallLedger,
    config: RunConfig,
    parts: assemble.Parts,
    progress: Progress | None,
    hooks: Hooks,
    resumed: bool,
) -> dict[str, Any]:
    """Run the cohorts, each in its thread, until done, paused, failed or interrupted; the directory tells which."""
    stop = threading.Event()

    def one(cohort: Cohort) -> None:
        draws = cohort.draws
        number = draws.first_run // config.cohort
        recorder = store.recorder(number, draws.first_run, draws.num_runs)
        cohort.recorder = HookedRecorder(recorder, hooks, draws.first_run) if hooks else recorder

        def report(record: EpisodeRecord) -> None:
            if progress:
                progress(record, draws.num_runs)
            if stop.is_set():
                raise _Stop

        cohort.on_episode = report
        log = store.log(number, draws.first_run, draws.num_runs) if resumed else None
        if isinstance(log, StepsLog):
            _carry_on(store, cohort, log)
        else:
            run_cohort(cohort, log)

    began, end = time.perf_counter(), Ending(str(store.out))
    try:
        with end:
            hooks.tell("begin", store.out, store.manifest)
            calls.attach(store)
            with threadpool_limits(config.threads), ThreadPoolExecutor(_workers(parts, len(cohorts))) as pool:
                try:
                    futures = [pool.submit(one, cohort) for cohort in cohorts]
                    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                    stop.set()
                    for future in done:
                        future.result()
                except BaseException:
                    stop.set()
                    calls.halt("the run is being stopped")
                    pool.shutdown(cancel_futures=True)
                    raise
    finally:
        for cohort in cohorts:
            closed(cohort.envs)
        failed = {"hooks_failed": hooks.failed} if hooks.failed else {}
        store.empty_is_nothing = end.refused and not resumed  # a start that failed leaves nothing behind
        manifest = store.close(end.status, end.error, wall_s=time.perf_counter() - began, **calls.spent, **failed)
        known = len(hooks.failed)
        hooks.tell("end", manifest)
        if len(hooks.failed) > known:
            manifest = store.amend(hooks_failed=hooks.failed)
    return manifest


@contextmanager
def _staying() -> Iterator[None]:
    """Come back to the working directory: somebody's environment may change it."""
    try:
        here = os.getcwd()
    except OSError:  # it was removed
        here = ""
    try:
        yield
    finally:
        with suppress(OSError):
            if here:
                os.chdir(here)


def _carry_on(store: RunStore, cohort: Cohort, log: StepsLog) -> None:
    """Go on from the recorded steps; where the environment cannot repeat them, from the episodes that ended."""
    begun = log.unfinished
    if begun is not None and cohort.repeats is not False:
        try:
            return run_cohort(cohort, log)
        except NotRepeated as found:
            begun = found.episode
    if begun is not None:
        store.forget(cohort.draws.first_run, cohort.draws.num_runs, begun)
        log, cohort.anew = log.without(begun), begun
    run_cohort(cohort, log)


def _workers(parts: assemble.Parts, num_cohorts: int) -> int:
    """Threads: one a core, or one a cohort where what they do is wait for a server."""
    return min(num_cohorts, MAX_WAITING) if parts.planner.kind.remote else os.cpu_count() or 1
