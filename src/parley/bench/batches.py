"""A batch of a card: one run of an arm, here or on a cluster; where it was stopped, it goes on."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from parley.assemble.planners import PLANNERS
from parley.bench.arms import Arm, Sizes, config_of, folder_of
from parley.bench.budget import Budget, Spent
from parley.cluster.account import Account, Banked, SharedLedger
from parley.cluster.driver import CONCURRENCY, REMOTE_CPUS, require_limits
from parley.cluster.engines import Engine
from parley.cluster.shelf import shelf
from parley.cluster.units import FAILED, FINISHED, PAUSED, STOPPED, TAKEN_S, WRONG
from parley.core.calls import RunPaused
from parley.core.errors import BadInput, ParleyError
from parley.execute import Progress, resume, run
from parley.runs.ended import Interrupted
from parley.runs.hooks import Hooks
from parley.runs.ledger import CallLedger, Limits, Prices
from parley.runs.lock import BeingWritten


@dataclass(frozen=True)
class Batch:
    """Batch `number` of an arm, and the entry that asks for it."""

    arm: Arm
    number: int
    entry: str


def run_batch(
    batch: tuple[Arm, int], sizes: Sizes, out: Path, calls: CallLedger, progress: Progress | None = None
) -> None:
    """Carry out a batch of the card in `out`, or go on with it; a batch that has finished is left alone."""
    arm, number = batch
    config = config_of(arm, sizes, number, out)
    parts = config.parts(trust=True)
    until = time.monotonic() + TAKEN_S
    while True:  # a predecessor may be dying
        try:
            with shelf(folder_of(arm, sizes, number, out)) as folder:
                if folder.exists() and not (folder / "run.sqlite").is_file():
                    shutil.rmtree(folder)  # killed before it had a log
                if (folder / "manifest.json").is_file():
                    resume(folder, progress, parts=parts, trust=True, calls=calls)
                else:
                    run(config, folder, progress, parts=parts, calls=calls)
                return
        except BeingWritten:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def measure_batch(
    arm: Mapping[str, Any],
    number: int,
    sizes: Mapping[str, int],
    out: str,
    place: str,
    prices: Mapping[str, Mapping[str, float]],
    minutes: float = 0.0,
    account: Banked | None = None,
) -> tuple[str, str]:
    """Carry out a batch on this machine; returns how it ended and why (errors do not cross machines as exceptions)."""
    try:
        if Path(place).is_dir():
            os.chdir(place)
        here, limits = Arm(**arm), Limits(prices=Prices(prices))
        unit = f"{here.name}/{number}"
        calls = SharedLedger(limits, Hooks({}), account, unit) if account else CallLedger(limits)
        run_batch((here, number), Sizes(**sizes), Path(out), calls, Budget(minutes).watched(Spent(), None))
    except RunPaused as paused:
        return PAUSED, str(paused.__cause__ or paused)
    except Interrupted:
        return STOPPED, "it was told to stop"
    except ParleyError as wrong:
        return WRONG if isinstance(wrong, BadInput) else FAILED, str(wrong)
    return FINISHED, ""


UNIT = f"{measure_batch.__module__}:{measure_batch.__name__}"


def spread(
    engine: Engine, due: Sequence[Batch], sizes: Sizes, out: Path, budget: Budget, spent: Spent
) -> Iterator[tuple[Batch, str, str]]:
    """Have batches carried out on `engine`; yields each with how it ended and why.

    The rest of the budget in tokens or cost holds for all of them together.
    """
    limits = budget.limits(spent)
    require_limits(engine, limits)
    asked = [PLANNERS.find(batch.arm.planner, trust=True) for batch in due]
    remote = [named for named in asked if named.kind.remote]
    account = None
    if remote and engine.shares:
        in_flight = max(int(named.arguments.get("concurrency", CONCURRENCY)) for named in remote)
        account = Account(limits.tokens, limits.cost, in_flight)
    prices = {model: dict(price) for model, price in limits.prices.of.items()}
    about: dict[str, Any] = {
        "sizes": asdict(sizes),
        "out": str(out.resolve()),
        "place": str(Path.cwd()),
        "prices": prices,
    }
    about["minutes"] = max(budget.minutes - spent.minutes, 1e-9) if budget.minutes else 0.0
    tasks = [{**about, "arm": asdict(batch.arm), "number": batch.number} for batch in due]
    cpus = REMOTE_CPUS if len(remote) == len(due) else 1.0
    with closing(engine.carry_out(UNIT, tasks, cpus, account)) as ended:  # type: ignore[type-var]
        for index, (how, why) in ended:
            yield due[index], how, why
