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


def measure_cell(name: str, config: dict[str, Any], out: str, place: str) -> str:
    """Measure a cell of experiment `name` into its file in `out`; returns the error as a text, empty without one."""
    try:
        if Path(place).is_dir():
            os.chdir(place)
        keep_cell(EXPERIMENTS[name], RunConfig(**config), Path(out), lambda record, runs: None)
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
        tasks = [{**about, "config": asdict(config)} for config in missing]
        bar, done = begin(experiment.NAME, len(missing)), 0
        with closing(engine.carry_out(CELL, tasks, 1.0)) as ended:  # type: ignore[type-var]
            for number, wrong in ended:
                if wrong:
                    config = missing[number]
                    raise ParleyError(f"{config.world}: {config.planner}, {config.explore}: {wrong}")
                done += 1
                bar(done)

    return ahead
