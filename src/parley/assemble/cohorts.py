"""The cohorts of a run: from its parts, everything that moves together."""

from collections.abc import Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any

import numpy as np

from parley.assemble.config import RunConfig
from parley.assemble.parts import Parts
from parley.assemble.scene import Scene
from parley.assemble.schedule import Schedule
from parley.core.answered import made
from parley.core.draws import Draws
from parley.core.roles import Explorer, Planner, Recorder, forbidden_in, repeats
from parley.loop import Cohort
from parley.runs.ledger import CallLedger
from parley.runs.recorder import Nowhere
from parley.theory.regret import Meter, regret_meter
from parley.worlds.kit.expert import ExpertValues
from parley.worlds.kit.vector import require_apart
from parley.worlds.kit.workers import spread


def cohorts_of(
    config: RunConfig,
    parts: Parts,
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
        scene = Scene(config.world, world, mine, config.episodes, **common)
        scene.memory = parts.memory.make(scene) if parts.memory else None
        planner, explorer = parts.planner.make(scene), parts.explorer.make(scene)
        envs, meter = made(place, mine, draws), _meter(scene, draws, reached)
        told = dict[str, Any](envs=envs, meter=meter, repeats=repeats(world))
        cohorts.append(cohort_of(scene, draws, planner, explorer, instructions=config.instructions, **told))
    require_apart([cohort.envs for cohort in cohorts])
    return cohorts


def cohort_of(
    scene: Scene,
    draws: Draws,
    planner: Planner,
    explorer: Explorer,
    recorder: Recorder | None = None,
    instructions: str = "cyclic",
    **more: Any,
) -> Cohort:
    """What moves together in a scene; `more` are further fields of `Cohort`."""
    world = scene.world
    known: dict[str, Any] = {
        "envs": more.get("envs") or made(world, scene.latents, draws),
        "recorder": recorder or Nowhere(),
        "instructions": Schedule(instructions, world.instructions, draws),
        "num_episodes": scene.num_episodes,
        "horizon": world.horizon,
        "forbidden": forbidden_in(world),
    }
    return Cohort(draws, planner=planner, explorer=explorer, **{**known, **more})


def _meter(scene: Scene, draws: Draws, reached: ExpertValues | None) -> Meter | None:
    if scene.world.tables:
        return regret_meter(scene.beliefs, scene.latents, scene.world, draws)
    return reached.meter(scene.latents) if reached else None
