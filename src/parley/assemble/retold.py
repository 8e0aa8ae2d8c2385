"""The planner of a logged run as it stood at one decision: made anew, and told all that was said before."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from parley.assemble.planners import planner, remote
from parley.assemble.scene import Scene
from parley.assemble.trust import require_trust
from parley.assemble.worlds import world
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import Planner
from parley.core.said import Opening, Outcome
from parley.core.tables import Sentences
from parley.report.summary import readable_manifest, reading
from parley.runs.ownership import mine


@contextmanager
def retold(out: Path, run: int, episode: int, step: int, trust: bool = False, live: bool = False) -> Iterator[Planner]:
    """The planner of `run` before step `step` (from 1) of `episode` (from 0), alone in its cohort.

    Nothing that the directory names is read or imported unless this user began the run, or `trust` says so. A planner
    that asks a server is made only where `live` says so.
    """
    manifest = readable_manifest(out)
    require_trust(out, manifest, trust)
    trust = trust or mine(manifest)
    config = manifest["config"]
    if remote(config["planner"]) and not live:
        raise BadInput(f"{out}: its planner {config['planner']!r} would ask a server: say --live where it may")
    with reading(out) as reader:
        told = [reader.trace(run, t) for t in range(episode + 1)]
        instructions = reader.episodes("instruction")
        runs = reader.runs()
    if run not in runs or not told or not 1 <= step <= len(told[-1]) or not all(told):
        raise BadInput(f"{out}: step {step} of run {run}, episode {episode} is not recorded (run with --record steps)")
    made = world(config["world"], trust)
    latent = made.latents.index(manifest["latents"][run])
    scene = Scene(config["world"], made, np.array([latent]), config["episodes"])
    with scene.closing:
        again = planner(config["planner"], scene, trust)
        again.start(Draws(config["seed"], 1, run))
        for t, steps in enumerate(told):
            again.hear(Opening(t, _one(instructions[runs.index(run), t]), _one(steps[0]["observation"])))
            for h, one in enumerate(steps[: step - 1] if t == episode else steps):
                parts = json.loads(one["subgoal"]) if made.num_actors > 1 else [one["subgoal"]]
                said = np.array([parts], dtype=object), _one(one["next_observation"])
                again.hear(Outcome(t, h + 1, *said, np.array([one["reward"]]), np.ones(1, dtype=bool)))
        yield again


def _one(sentence: str) -> Sentences:
    return np.array([sentence], dtype=object)
