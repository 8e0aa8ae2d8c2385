"""The diagnosis of a run directory, with the tables of its world where it has any."""

from pathlib import Path

import numpy as np

from parley.assemble.planners import planner
from parley.assemble.scene import Scene
from parley.assemble.trust import deeds_of_planner, require_trusted_world
from parley.assemble.worlds import world
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.planners.world_model import WorldModelPlanner
from parley.report.diagnosis import diagnose
from parley.report.signatures import Diagnosis
from parley.report.summary import readable_manifest
from parley.runs.ownership import mine
from parley.worlds.kit.workers import WorkersWorld


def diagnosed(out: Path, tables_too: bool = True, trust: bool = False) -> Diagnosis:
    """The diagnosis of a run directory, with its world's tables where it has any.

    Nothing that the directory names is read or imported unless this user began the run, or `trust` says so. No server
    is asked: a planner that plans in what a server predicts is not made again.
    """
    manifest = readable_manifest(out)
    config = manifest["config"]
    if not tables_too or "scores" in manifest:  # of worlds without tables
        return diagnose(out, None)
    require_trusted_world(out, manifest, trust)
    try:
        made = world(config["world"], trust or mine(manifest))
    except BadInput:
        if "world" not in manifest.get("given", []):
            raise
        raise BadInput(
            f"{out}: its world was a Python object: say --without-tables (in Python: tables=False)"
        ) from None
    inner = made.world if isinstance(made, WorkersWorld) else made
    exact = inner.tables is not None and not getattr(inner, "altered", False)
    again = None
    unknown = [name for name in manifest["latents"] if name not in inner.latents]
    if unknown:
        raise BadInput(
            f"{out}: world {config['world']!r} has no latent {unknown[0]!r} (any more): say --without-tables"
        )
    latents = np.array([inner.latents.index(name) for name in manifest["latents"]])
    scene = Scene(config["world"], inner, latents, config["episodes"])
    if exact and config["planner"].partition(":")[0] == "world-model" and not any(deeds_of_planner(config["planner"])):
        searching = planner(config["planner"], scene)
        assert isinstance(searching, WorldModelPlanner)
        searching.start(Draws(0, len(latents)))
        again = searching
    with scene.closing:
        return diagnose(out, scene.beliefs if exact else None, again)
