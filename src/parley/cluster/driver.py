"""The driver of a run on a cluster: begins it, sends its units to an engine, and says in the manifest how it ended."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley import assemble
from parley.assemble.cohorts import cohorts_of
from parley.assemble.conditions import checked, entries_of, machine
from parley.assemble.config import RunConfig
from parley.cluster.account import Account
from parley.cluster.addressed import brought, driven, gather, put
from parley.cluster.engines import Engine, Lost, Task, engine_of
from parley.cluster.shelf import shelf
from parley.cluster.units import FINISHED, PAUSED, STOPPED, WRONG, carry_out_unit, shard_name
from parley.core.calls import RunPaused
from parley.core.draws import Draws
from parley.core.errors import BadInput, ParleyError
from parley.core.paths import address
from parley.models.calling import Calling
from parley.runs.directory import at_work, begin, process, read_manifest, storage, versions, write_manifest
from parley.runs.ended import Ending, unbroken
from parley.runs.ledger import CallLedger, Limits
from parley.runs.lock import NETWORK, RunLock, file_system
from parley.runs.shards import FOLDER, is_sharded, shards_of
from parley.runs.store import RunStore
from parley.worlds.kit.expert import expert_values

UNIT = f"{carry_out_unit.__module__}:{carry_out_unit.__name__}"
PROBES = "probes"  # the shard of the calls that the driver makes, to find out how a server is asked
CONCURRENCY = Calling().concurrency  # of an endpoint planner that names none
REMOTE_CPUS = 0.25  # cores of a unit that waits for a server
Progress = Callable[[int], None]  # episodes that are finished, over all runs


@dataclass(frozen=True)
class Options:
    """How a run is carried out, besides what it is."""

    limits: Limits = Limits()
    hooks: tuple[str, ...] = ()
    progress: Progress | None = None
    warn: Callable[[str], None] | None = None
    trust: bool = False


def run_on(engine: Engine, config: RunConfig, out: Path, options: Options = Options()) -> dict[str, Any]:
    """Carry out a run into the new directory `out`, its cohorts as units on `engine`; returns the manifest.

    The tables are those of `execute.run`, bit for bit, in shards below `out`. Every machine must see `out`, and the
    files that the configuration names, under the same path. `out` may be an address in an object store.
    """
    require_limits(engine, options.limits)
    parts = config.parts(trust=True)
    config = config.resolved(parts)
    latents = assemble.draw_latents(parts.world, Draws(config.seed, config.runs), config.latent)
    assemble.hooks_of(options.hooks, trust=True)  # their faults are told here
    calls = CallLedger(options.limits)
    with ExitStack() as shared:
        reached = expert_values(parts.world, latents, config.seed)
        first = cohorts_of(config, parts, latents, calls, shared, reached, only=0)
        with ExitStack() as envs:
            envs.callback(first[0].envs.close)
            entries = entries_of(config, parts, latents, first[0].planner, reached)
    with unbroken(), driven(out) as here, _alone(here):
        manifest = begin(here, {**entries, "on": engine.name})
        (here / FOLDER).mkdir(exist_ok=True)
        put(out)
        if calls.totals["calls"]:
            _keep_probes(out, calls, manifest)
        return _driven(engine, config, out, here, manifest, parts, options)


def resume_on(engine: Engine, out: Path, options: Options = Options()) -> dict[str, Any]:
    """Go on with a run in shards: units that finished are left alone, others are taken up where their logs end.

    Limits are on the whole run. Raises `BadInput` where the run is not in shards, or somebody drives it now.
    """
    with driven(out) as here:
        return _resumed(engine, out, here, options)


def _resumed(engine: Engine, out: Path, here: Path, options: Options) -> dict[str, Any]:
    manifest = read_manifest(here)
    if manifest["status"] == "finished":
        return manifest
    gather(out)
    if "on" in manifest and not (here / "run.sqlite").exists():
        (here / FOLDER).mkdir(exist_ok=True)  # it was killed before the first unit began
    if not is_sharded(here):
        raise BadInput(f"{str(out)!r} has no shards, it is a run of one process: resume it without --on")
    require_limits(engine, options.limits)
    config = RunConfig.from_manifest(manifest["config"])
    parts, _, changed = checked(here, manifest, config, None, options.trust)
    if changed and options.warn:
        options.warn(
            f"resumed under other conditions, so not bit-identical to an uninterrupted run: {'; '.join(changed)}"
        )
    with unbroken(), _alone(here):
        manifest = read_manifest(here)
        manifest.pop("error", None)
        manifest |= {"status": "started", "process": process(), "on": engine.name}
        write_manifest(here, manifest)
        put(out)
        return _driven(engine, config, out, here, manifest, parts, options)


def engine_for(out: Path, on: str | None) -> Engine | None:
    """What carries on with a run: what the caller names, or the Ray of this machine where it began so; None: here.

    Other clusters must be named: a manifest says no address that is gone to unasked.
    """
    if on is not None:
        return engine_of(on)
    here = brought(out, shards=False)
    manifest = read_manifest(here)
    began = manifest.get("on", "")
    if not began or manifest["status"] == "finished" or (here / "run.sqlite").exists():
        return None
    if began.partition(":")[0] == "ray" and not began.startswith("ray://"):
        return engine_of(began)
    raise BadInput(
        f"{str(address(out) or out)!r} is a run in shards, which was carried out elsewhere: say --on {began}"
    )


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """One driver a run: by a lock on a local disk; elsewhere by what the manifest says of a process on this machine."""
    with storage(out):
        if out.is_file():
            raise BadInput(f"out={str(out)!r} is a file: name a directory that is new or empty")
        out.mkdir(parents=True, exist_ok=True)
    if file_system(out) not in NETWORK:
        lock = RunLock(out)
        try:
            yield
        finally:
            lock.release()
        return
    manifest = read_manifest(out) if (out / "manifest.json").is_file() else {}
    if manifest.get("status") == "started" and at_work(manifest.get("process", {})):
        raise BadInput(f"{str(out)!r} is being driven by process {manifest['process']['pid']}: wait, or stop it")
    yield


def _keep_probes(out: Path, calls: CallLedger, whole: Mapping[str, Any]) -> None:
    """Give the calls that the driver made a shard of their own."""
    with shelf(out / FOLDER / PROBES) as shard:
        about = {"config": whole["config"], "latents": [], "horizon": whole["horizon"], "machine": machine()}
        store = RunStore.create(shard, **about, shard={"first_run": 0, "num_runs": 0})
        calls.attach(store)
        store.close("finished", **calls.spent)


def _driven(
    engine: Engine,
    config: RunConfig,
    out: Path,
    here: Path,
    manifest: dict[str, Any],
    parts: assemble.Parts,
    options: Options,
) -> dict[str, Any]:
    """Have the units carried out that have not finished, and end the manifest, which this machine writes `here`."""
    began, end = time.perf_counter(), Ending(str(address(out) or out))
    try:
        with end:
            _carry_out(engine, config, out, here, parts, options)
    except Lost as lost:
        end.status = "interrupted"
        raise Lost(f"{lost}; {end.saved}") from None
    finally:
        wall_s = manifest.get("totals", {}).get("wall_s", 0.0) + time.perf_counter() - began
        manifest.pop("process", None)
        manifest |= {"status": end.status, "totals": {"wall_s": wall_s}}
        with suppress(ParleyError):  # where a shard is damaged, the message says that
            gather(out)
            manifest["totals"] |= _totals(here)
        if end.error:
            manifest["error"] = end.error
        write_manifest(here, manifest)
    return manifest


def _carry_out(
    engine: Engine, config: RunConfig, out: Path, here: Path, parts: assemble.Parts, options: Options
) -> None:
    numbers = list(_unfinished(config, here))
    left = sum(_size(config, number) for number in numbers)
    done = config.episodes * (config.runs - left)
    remote = parts.planner.kind.remote
    account = _account(parts, options.limits, here, engine) if remote else None
    prices = {model: dict(price) for model, price in options.limits.prices.of.items()}
    about = {
        "out": address(out) or str(out.resolve()),
        "place": str(Path.cwd()),
        "hooks": list(options.hooks),
        "prices": prices,
    }
    tasks: Sequence[Task] = [{**about, "number": number} for number in numbers]
    cpus = REMOTE_CPUS if remote else float(config.threads)
    own = {**machine(), **versions()}
    other: set[str] = set()
    with closing(engine.carry_out(UNIT, tasks, cpus, account)) as ended:  # type: ignore[type-var]
        for index, answer in ended:
            _require_finished(answer, shard_name(numbers[index] * config.cohort))
            done += config.episodes * _size(config, numbers[index])
            if options.progress:
                options.progress(done)
            found = {name: value for name, value in answer["on"].items() if own.get(name) != value}
            other |= {f"{name} is {value} there, {own.get(name)} here" for name, value in found.items()}
    if other and options.warn:
        options.warn(f"some units ran under other conditions, so their last digits may differ: {_list(sorted(other))}")


def _list(found: Sequence[str]) -> str:
    return "; ".join(found)


def _require_finished(answer: Mapping[str, Any], name: str) -> None:
    how, why = answer["how"], answer.get("why", "")
    if how == PAUSED:
        raise RunPaused(why)
    if how == STOPPED:
        raise KeyboardInterrupt
    if how != FINISHED:
        raise (BadInput if how == WRONG else ParleyError)(f"shard {name}: {why}")


def _account(parts: assemble.Parts, limits: Limits, out: Path, engine: Engine) -> Account | None:
    """The account that all units share: of limits, and of as many calls in flight as the planner's `concurrency`.

    Units that have finished count with what their logs hold; others say it when they are taken up.
    """
    if not engine.shares:
        return None
    calls = [read_manifest(one).get("totals", {}).get("calls", {}) for one in _finished(out)]
    tokens = sum(one["prompt_tokens"] + one["completion_tokens"] for one in calls if one)
    cost = sum(one.get("cost", 0.0) for one in calls)
    in_flight = int(parts.planner.arguments.get("concurrency", CONCURRENCY))
    return Account(limits.tokens, limits.cost, in_flight, (tokens, cost))


def require_limits(engine: Engine, limits: Limits) -> None:
    """Raise `BadInput` where limits are given that the engine cannot hold over all machines."""
    if not engine.shares and (limits.tokens or limits.cost):
        raise BadInput(f"on={engine.name!r} has nothing that counts over all machines: limits need --on ray")


def _finished(out: Path) -> list[Path]:
    return [one for one in shards_of(out) if read_manifest(one)["status"] == "finished"]


def _unfinished(config: RunConfig, out: Path) -> Iterator[int]:
    finished = {one.name for one in _finished(out)}
    for number, first in enumerate(range(0, config.runs, config.cohort)):
        if shard_name(first) not in finished:
            yield number


def _size(config: RunConfig, number: int) -> int:
    """The runs of a unit."""
    return min(config.cohort, config.runs - number * config.cohort)


def _totals(out: Path) -> dict[str, Any]:
    """The totals of all shards together."""
    found: dict[str, Any] = {}
    for shard in shards_of(out):
        totals = read_manifest(shard).get("totals", {})
        calls = totals.get("calls", {})
        for name in ("decisions", "invalid"):
            if name in totals:
                found[name] = found.get(name, 0) + totals[name]
        for name, value in calls.items():
            found.setdefault("calls", {})
            found["calls"][name] = found["calls"].get(name, 0) + value
    return found if found.get("invalid") else {"calls": found["calls"]} if "calls" in found else {}
