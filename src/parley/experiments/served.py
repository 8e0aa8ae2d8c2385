"""Cells of the endpoint planner: against a server of the user's, or `parley serve` over a checkpoint that ships.

`PARLEY_MODEL` (`provider/model`, with its address and key as for any endpoint planner) names another model to ask.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from parley import assemble
from parley.core.said import EpisodeRecord
from parley.core.spec import parse_spec
from parley.execute import RunConfig, run
from parley.runs.reader import RunReader
from parley.serving.app import Running

OURS = "parley/"


def model_for(world: str) -> str:
    """The model that is asked in a world."""
    return os.environ.get("PARLEY_MODEL") or OURS + parse_spec(world, "world")[0]


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R T"]:
    """Expected regret of every run and episode; a checkpoint that ships is served for as long as this takes."""
    model = assemble.PLANNERS.find(config.planner).arguments["model"]
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        if model.startswith(OURS):
            path = assemble.shipped(model.removeprefix(OURS))
            server = closing.enter_context(Running(path))
            config = replace(config, planner=f"{config.planner},base_url={server.base_url},tokenizer={path}")
        run(config, folder / "run", bar)
        reader = RunReader(folder / "run")
        closing.callback(reader.close)
        return reader.episodes("expected_regret")
