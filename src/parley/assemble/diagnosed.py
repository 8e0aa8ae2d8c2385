"""The diagnosis of a run directory, with the tables of its world where it has any."""

from pathlib import Path

import numpy as np

from parley.assemble.planners import planner
from parley.assemble.scene import Scene
from parley.assemble.worlds import world
from parley.core.draws import Draws
from parley.planners.world_model import WorldModelPlanner
from parley.report.diagnosis import diagnose
from parley.report.signatures import Diagnosis
from parley.report.summary import readable_manifest
from parley.worlds.kit.workers import WorkersWorld


def diagnosed(out: Path, tables_too: bool = True) -> Diagnosis:
    """The diagnosis of a run directory, with its world's tables where it has any."""
    manifest = readable_manifest(out)
    config = manifest["config"]
    made = world(config["world"])
    inner = made.world if isinstance(made, WorkersWorld) else made
    exact = tables_too and inner.tables is not None and not getattr(inner, "altered", False)
    again = None
    latents = np.array([inner.latents.index(name) for name in manifest["latents"]])
    scene = Scene(config["world"], inner, latents, config["episodes"])
    if exact and config["planner"].partition(":")[0] == "world-model":
        searching = planner(config["planner"], scene)
        assert isinstance(searching, WorldModelPlanner)
        searching.start(Draws(0, len(latents)))
        again = searching
    with scene.closing:
        return diagnose(out, scene.beliefs if exact else None, again)
