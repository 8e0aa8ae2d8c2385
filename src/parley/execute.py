"""Runs from start to end: a configuration becomes cohorts, each in a thread of its own, and a run directory."""

import hashlib
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from parley import assemble
from parley.assemble.config import RunConfig
from parley.assemble.trust import PATHS, require_trust
from parley.core.calls import RunPaused
from parley.core.draws import Draws
from parley.core.errors import BadInput, NotRepeated, ParleyError, RunDamaged
from parley.core.roles import Planner, World, forbidden_in, repeats
from parley.core.said import EpisodeRecord
from parley.loop import Cohort, run_cohort
from parley.runs.directory import read_manifest, versions
from parley.runs.hooks import HookedRecorder, Hooks
from parley.runs.ledger import CallLedger, Limits
from parley.runs.log import StepsLog
from parley.runs.ownership import mine
from parley.runs.recorder import Nowhere
from parley.runs.shards import is_sharded
from parley.runs.store import RunStore
from parley.theory.regret import Meter, regret_meter
from parley.worlds.kit.expert import ExpertValues, expert_values
from parley.worlds.kit.workers import spread

MAX_WAITING = 256  # threads that wait for a server

__all__ = ["Interrupted", "RunConfig", "resume", "run"]

Progress = Callable[[EpisodeRecord, int], None]  # a finished episode and the number of runs it is of


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after everything that was finished has been saved."""


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
    parts = parts or config.parts(trust=True)
    world = parts.world
    config = config.resolved(parts)
    latents = assemble.draw_latents(world, Draws(config.seed, config.runs), config.latent)
    hooks = hooks or Hooks({})
    calls = calls or CallLedger(limits, hooks)
    with ExitStack() as closing:
        # Before anything is written: this finds the faults of the configuration.
        reached = expert_values(world, latents, config.seed)
        cohorts = cohorts_of(config, parts, latents, calls, closing, reached)
        store = RunStore.create(out, **entries_of(config, parts, latents, cohorts, reached))
        return carry_out(store, cohorts, calls, config, parts, progress, hooks, resumed=False)


def entries_of(
    config: RunConfig, parts: assemble.Parts, latents: np.ndarray, cohorts: list[Cohort], reached: ExpertValues | None
) -> dict[str, Any]:
    """What the manifest says besides how the run ended."""
    world = parts.world
    names = [world.latents[int(z)] for z in latents]
    entries = dict(config=asdict(config), latents=names, horizon=world.horizon, menus=_menus(world), machine=machine())
    entries["inputs"] = inputs_of(parts)
    if parts.code:
        entries["code"], entries["given"] = parts.code, parts.given
    if world.tables is None:
        stated = {"success_at": getattr(world, "success_at", 1.0), **getattr(world, "references", {})}
        entries["scores"] = stated
    if reached:
        entries["expert"] = reached.as_dict()
    about = getattr(cohorts[0].planner, "about", None)
    return {**entries, "planner": about} if about else entries


def machine() -> dict[str, Any]:
    """What the last digit of a model's arithmetic depends on, besides the threads."""
    libraries = sorted({str(pool.get("architecture") or pool["internal_api"]) for pool in threadpool_info()})
    return {"processor": platform.machine(), "system": platform.system(), "arithmetic": ", ".join(libraries)}


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
    store, calls = RunStore.open(out, warn), calls or CallLedger(limits, hooks)
    if config != began_as:
        store.change(asdict(config), {"was": began_as.planner, "is": config.planner})
    with ExitStack() as closing:
        try:
            calls.open(out)
            reached = expert_values(world, latents, config.seed)
            about = {"was": manifest.get("planner", {})}
            cohorts = cohorts_of(config, parts, latents, calls, closing, reached, about)
            other = _otherwise(manifest.get("planner", {}), cohorts[0].planner)
            if other and warn:
                warn(f"resumed with another planner, whose answers may differ: {'; '.join(other)}")
        except BaseException as wrong:
            status = "interrupted" if isinstance(wrong, KeyboardInterrupt) else manifest["status"]
            store.close(status, manifest.get("error", ""))
            raise
        return carry_out(store, cohorts, calls, config, parts, progress, hooks, resumed=True)


def checked(
    out: Path, manifest: dict[str, Any], config: RunConfig, parts: assemble.Parts | None, trust: bool
) -> tuple[assemble.Parts, np.ndarray, list[str]]:
    """The parts and latents of a run that goes on, and in what its conditions differ from those it began under.

    Raises `BadInput` where it would do what nobody allowed, and `RunDamaged` where it is another run by now.
    """
    if parts is None:
        _require_named(out, manifest)
        require_trust(out, manifest, trust)
        parts = config.parts(trust or mine(manifest))
    world = parts.world
    for path, digest in inputs_of(parts).items():
        if manifest.get("inputs", {}).get(path) != digest:
            raise RunDamaged(f"{out}: {path!r} is not what it was when the run began: put it back, or begin a new run")
    latents = assemble.draw_latents(world, Draws(config.seed, config.runs), config.latent)
    if [world.latents[int(z)] for z in latents] != manifest["latents"]:
        raise RunDamaged(f"{out}: its manifest holds other latents than world {config.world!r} gives for its seed")
    began, now = {**manifest["machine"], **manifest["versions"]}, {**machine(), **versions()}
    changed = [f"{name} was {began.get(name)}, is {now[name]}" for name in now if began.get(name) != now[name]]
    changed += [
        f"the code of the {role} has changed" for role, code in parts.code.items() if _other(manifest, role, code)
    ]
    return parts, latents, changed


def _require_named(out: Path, manifest: dict[str, Any]) -> None:
    """Raise `BadInput` where parts of a run were Python objects, which a manifest cannot bring back."""
    given = manifest.get("given", [])
    if given:
        roles = ", ".join(f"{role}=..." for role in given)
        raise BadInput(
            f"{out}: its {' and '.join(given)} {'were Python objects' if len(given) > 1 else 'was a Python object'}: "
            f"resume it in Python, parley.open({str(out)!r}).resume({roles})"
        )


def _other(manifest: dict[str, Any], role: str, code: dict[str, str]) -> bool:
    return bool(manifest.get("code", {}).get(role, {}).get("sha256") != code.get("sha256"))


def _otherwise(was: dict[str, Any], planner: Planner) -> list[str]:
    """In what a planner differs from the one that a manifest describes (an endpoint planner: its server, its way)."""
    about: dict[str, Any] = getattr(planner, "about", None) or {}
    return [f"{name} was {was[name]!r}, is {now!r}" for name, now in about.items() if name in was and now != was[name]]


def inputs_of(parts: assemble.Parts) -> dict[str, str]:
    """SHA-256 of what specs name by path: world file, policy, template, a checkpoint's descriptions."""
    world = parts.world_part
    name = world.spec.partition(":")[0]
    named = [name] if name.endswith(".json") else []
    named += [text for part in (parts.planner, parts.explorer) for key, text in part.arguments.items() if key in PATHS]
    named += [text.partition(":")[2] for key, text in world.arguments.items() if key in ("reporter", "actor")]
    found = {}
    for name in named:
        path = Path(name)
        files = sorted(path.glob("*.json")) if path.is_dir() else [path] if path.is_file() else []
        if files:
            found[name] = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    return found


def _menus(world: World) -> list[list[str]] | None:
    return [list(menu) for menu in world.tables.menus] if world.tables else None


def cohorts_of(
    config: RunConfig,
    parts: assemble.Parts,
    latents: np.ndarray,
    calls: CallLedger,
    closing: ExitStack,
    reached: ExpertValues | None,
    about: Mapping[str, Any] = MappingProxyType({}),
    only: int | None = None,
) -> list[Cohort]:
    """The parts of every cohort, or of cohort `only`, without their recorders; `closing` closes what they share.

    `about` is what scenes know of a run that goes on.
    """
    cohorts: list[Cohort] = []
    world = parts.world
    shared: dict[str, Any] = {}
    starts = range(0, config.runs, config.cohort)
    for number, (first, place) in enumerate(zip(starts, spread(world, len(starts)), strict=True)):
        if only not in (None, number):
            continue
        draws = Draws(config.seed, min(config.cohort, config.runs - first), first)
        mine = latents[first : first + draws.num_runs]
        common = dict(ledger=calls, shared=shared, closing=closing, **about)
        scene = assemble.Scene(config.world, world, mine, config.episodes, **common)
        scene.memory = parts.memory.make(scene) if parts.memory else None
        cohorts.append(
            Cohort(
                draws=draws,
                envs=place.make(mine, draws),
                planner=parts.planner.make(scene),
                explorer=parts.explorer.make(scene),
                recorder=Nowhere(),
                instructions=assemble.Schedule(config.instructions, world.instructions, draws),
                num_episodes=config.episodes,
                horizon=world.horizon,
                meter=_meter(scene, draws, reached),
                forbidden=forbidden_in(world),
                repeats=repeats(world),
            )
        )
    return cohorts


def _meter(scene: assemble.Scene, draws: Draws, reached: ExpertValues | None) -> Meter | None:
    if scene.world.tables:
        return regret_meter(scene.beliefs, scene.latents, scene.world, draws)
    return reached.meter(scene.latents) if reached else None


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

    began = time.perf_counter()
    status, error = "failed", ""
    try:
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
        status = "finished"
    except RunPaused as paused:
        status, error = "interrupted", f"paused: {paused}"
        raise RunPaused(
            f"paused: {paused}; what was finished is saved: `parley resume {store.out}` goes on"
        ) from paused
    except BadInput as wrong:
        status, error = "refused", str(wrong)
        raise
    except KeyboardInterrupt as interrupt:
        status = "interrupted"
        raise Interrupted from interrupt
    except BaseException as wrong:
        error = str(wrong) if isinstance(wrong, ParleyError) else f"{type(wrong).__name__}: {wrong}"
        raise
    finally:
        for cohort in cohorts:
            cohort.envs.close()
        failed = {"hooks_failed": hooks.failed} if hooks.failed else {}
        store.empty_is_nothing = status == "refused" and not resumed  # a start that failed leaves nothing behind
        status = "failed" if status == "refused" else status
        manifest = store.close(status, error, wall_s=time.perf_counter() - began, **calls.spent, **failed)
        hooks.tell("end", manifest)
    return manifest


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
