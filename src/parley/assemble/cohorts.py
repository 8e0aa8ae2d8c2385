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
from parley.core.draws import Draws
from parley.core.roles import forbidden_in, repeats
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
        cohorts.append(
            Cohort(
                draws=draws,
                envs=place.make(mine, draws),
                planner=parts.planner.make(scene),
                explorer=parts.explorer.make(scene),
                recorder=Nowhere(),
                instructions=Schedule(config.instructions, world.instructions, draws),
                num_episodes=config.episodes,
                horizon=world.horizon,
                meter=_meter(scene, draws, reached),
                forbidden=forbidden_in(world),
                repeats=repeats(world),
            )
        )
    require_apart([cohort.envs for cohort in cohorts])
    return cohorts


def _meter(scene: Scene, draws: Draws, reached: ExpertValues | None) -> Meter | None:
    if scene.world.tables:
        return regret_meter(scene.beliefs, scene.latents, scene.world, draws)
    return reached.meter(scene.latents) if reached else None
