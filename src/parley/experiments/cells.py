"""Cells of an experiment on a cluster: each is measured on some machine, and leaves its file."""

import os
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parley.assemble.config import RunConfig
from parley.cluster.engines import Engine
from parley.core.errors import BadInput, ParleyError
from parley.experiments.base import Experiment, cell_name, keep_cell, stored_cell
from parley.experiments.known import EXPERIMENTS


def kinds(experiment: Experiment) -> dict[str, type[RunConfig]]:
    """The classes of an experiment's cells by name: `RunConfig`, and those that its own module has below it."""
    own = vars(experiment).values()
    return {kind.__name__: kind for kind in (RunConfig, *own) if isinstance(kind, type) and issubclass(kind, RunConfig)}


def sent(experiment: Experiment, config: RunConfig) -> dict[str, Any]:
    """A cell as it travels: the name of its class, and its fields."""
    kind = type(config).__name__
    if kinds(experiment).get(kind) is not type(config):
        raise _unknown(experiment, kind)
    return {"kind": kind, "config": asdict(config)}


def received(experiment: Experiment, kind: str, config: dict[str, Any]) -> RunConfig:
    """The cell that was sent. Its class is looked up in the experiment: no message names code that is imported."""
    if kind not in kinds(experiment):
        raise _unknown(experiment, kind)
    return kinds(experiment)[kind](**config)


def _unknown(experiment: Experiment, kind: str) -> BadInput:
    known = ", ".join(kinds(experiment))
    return BadInput(f"cell class {kind!r} is no class of experiment {experiment.NAME!r}, which has {known}")


def measure_cell(name: str, kind: str, config: dict[str, Any], out: str, place: str) -> str:
    """Measure a cell of experiment `name` into its file in `out`; returns the error as a text, empty without one."""
    try:
        if Path(place).is_dir():
            os.chdir(place)
        experiment = EXPERIMENTS[name]
        keep_cell(experiment, received(experiment, kind, config), Path(out), lambda record, runs: None)
    except ParleyError as wrong:
        return str(wrong)
    return ""


CELL = f"{measure_cell.__module__}:{measure_cell.__name__}"


def measuring(engine: Engine, begin: Callable[[str, int], Callable[[int], None]]) -> Callable[..., None]:
    """What has the cells of an experiment measured on `engine` that are not there yet; `begin` begins a bar of them."""

    def ahead(experiment: Experiment, cells: Iterable[RunConfig], out: Path) -> None:
        if experiment.NAME not in EXPERIMENTS:
            raise BadInput(f"experiment {experiment.NAME!r} is not one of Parley's: it cannot be carried out elsewhere")
        missing = [config for config in dict.fromkeys(cells) if stored_cell(out / cell_name(config), config) is None]
        about = {"name": experiment.NAME, "out": str(out.resolve()), "place": str(Path.cwd())}
        tasks = [{**about, **sent(experiment, config)} for config in missing]
        bar, done = begin(experiment.NAME, len(missing)), 0
        with closing(engine.carry_out(CELL, tasks, 1.0)) as ended:  # type: ignore[type-var]
            for number, wrong in ended:
                if wrong:
                    config = missing[number]
                    raise ParleyError(f"{config.world}: {config.planner}, {config.explore}: {wrong}")
                done += 1
                bar(done)

    return ahead
