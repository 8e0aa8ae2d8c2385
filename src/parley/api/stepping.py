"""`parley.stepthrough`: one run, one step at a time, from objects that can be looked into and changed on the way."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from parley import assemble
from parley.api.episodes import Subgoal
from parley.assemble.cohorts import cohort_of
from parley.assemble.config import RunConfig
from parley.core.answered import closed
from parley.core.arguments import plainly
from parley.core.draws import Draws
from parley.core.roles import Explorer, Planner, World
from parley.core.said import Opening, Outcome, StepRecord
from parley.loop import steps_of
from parley.planners.exact import ExactPlanner
from parley.theory.regret import Meter, regret_meter


@dataclass(frozen=True)
class Step:
    """One step of a run as it happened.

    `belief` is the exact posterior over latents before the choice, by name, where the world has tables: the planner
    does not see it. `proposal` and `choice` are one mapping and one sentence, or one an Actor where there are several.
    `regret` is this step's expected regret, NaN where it is unknown.
    """

    episode: int
    step: int
    instruction: str
    observation: str
    belief: dict[str, float] | None
    proposal: dict[str, float] | list[dict[str, float]]
    choice: Subgoal
    explored: bool
    heard: str
    reward: float
    regret: float


@plainly
def stepthrough(
    world: str | Path | World | type,
    planner: str | Planner | type = "exact",
    explorer: str | Explorer | type = "none",
    *,
    seed: int = 0,
    episodes: int = 100,
    latent: str | int | None = None,
    instructions: str = "cyclic",
) -> Iterator[Step]:
    """Run 0 of `parley.run(world, planner, explorer, seed=seed, ...)`, step by step; nothing is recorded.

    Between two steps the caller may look into the parts that it gave as objects, and change them.
    """
    parts = assemble.parts_of(world, planner, explorer, trust=True)
    spec = parts.world_part.spec
    RunConfig(spec, episodes=episodes, seed=seed)  # raises where there is no such run
    draws = Draws(seed, 1)
    latents = assemble.draw_latents(parts.world, draws, None if latent is None else str(latent))
    scene = assemble.Scene(spec, parts.world, latents, episodes, trust=True)
    with scene.closing:
        listening = Listening(scene, draws)
        plans, explores = parts.planner.make(scene), parts.explorer.make(scene)
        cohort = cohort_of(scene, draws, plans, explores, instructions=instructions, meter=listening)
        scene.closing.callback(closed, cohort.envs)
        for record in steps_of(cohort):
            yield listening.step(record)


@dataclass
class Listening:
    """Hears what the loop tells its meter: the regret of each step, and the exact posterior before it."""

    scene: assemble.Scene
    draws: Draws
    meter: Meter | None = field(init=False, default=None)
    reader: ExactPlanner | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        world = self.scene.world
        if world.tables is not None:
            self.meter = regret_meter(self.scene.beliefs, self.scene.latents, world, self.draws)
        if world.tables is not None and not getattr(world, "altered", False):
            self.reader = ExactPlanner(self.scene.beliefs)
            self.reader.start(self.draws)
        self._before: dict[str, float] | None = None
        self._now: dict[str, float] | None = None
        self._instruction, self._regret = "", 0.0
        self.optimal_value = self.regret = np.full(1, np.nan)

    def charge(self, law: np.ndarray, index: np.ndarray, active: np.ndarray) -> None:
        if self.meter:
            self.meter.charge(law, index, active)
            self.regret = self.meter.regret

    def hear(self, said: Opening | Outcome) -> None:
        if isinstance(said, Opening):
            self._instruction, self._regret = str(said.instructions[0]), 0.0
        self._before = self._now
        if self.meter is not None:
            self.meter.hear(said)
            self.optimal_value, self.regret = self.meter.optimal_value, self.meter.regret
        if self.reader is not None:
            self.reader.hear(said)
        if self.reader is not None:
            self._now = dict(zip(self.scene.world.latents, self.reader.posterior[0].tolist(), strict=True))

    def step(self, record: StepRecord) -> Step:
        """The step that the loop has just finished."""
        total = float(self.regret[0])
        proposals = [
            dict(zip(menu.sentences[0].tolist(), proposal.probs[0].tolist(), strict=True))
            for menu, proposal in zip(record.menus, record.proposals, strict=True)
        ]
        said = tuple(map(str, record.subgoals[0]))
        step = Step(
            record.episode,
            record.step,
            self._instruction,
            str(record.observations[0]),
            self._before,
            proposals if len(proposals) > 1 else proposals[0],
            said if len(said) > 1 else said[0],
            bool(record.explored[0]),
            str(record.next_observations[0]),
            float(record.rewards[0]),
            total - self._regret,
        )
        self._regret = total
        return step
