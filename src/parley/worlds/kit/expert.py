"""What the expert of a world without tables reaches: the optimal value against which its regret is measured.

The value is that of the expert's own episodes, by Monte Carlo, for each latent of the runs and each instruction. The
expert plays before the run begins, on episodes that are not the run's. The value has a standard error; both stand in
the manifest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.answered import quietly
from parley.core.errors import BadInput
from parley.core.roles import World
from parley.core.tables import Vocabulary
from parley.core.text import inert, shown
from parley.theory.regret import OptimalValueMeter
from parley.worlds.kit.guarded import GuardedEnv
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.workers import WorkersWorld


@dataclass(frozen=True, eq=False)
class ExpertValues:
    """Mean return of the expert's episodes and its standard error, a row for each of `latents`, which is in order."""

    world: PhysicalWorld
    latents: tuple[int, ...]
    value: Float[np.ndarray, "Z W"]
    error: Float[np.ndarray, "Z W"]

    def meter(self, latents: np.ndarray) -> OptimalValueMeter:
        """The meter of runs with these latents: the expert's value stands for the optimal one."""
        rows = np.searchsorted(self.latents, latents)
        return OptimalValueMeter(self.value, Vocabulary(self.world.instructions, "instruction"), rows)

    def as_dict(self) -> dict[str, Any]:
        """For the manifest: [value, standard error] by latent and instruction."""
        pairs = np.stack([self.value, self.error], axis=2).tolist()
        tasks = self.world.instructions
        rows = zip(self.latents, pairs, strict=True)
        values = {self.world.latents[z]: dict(zip(tasks, row, strict=True)) for z, row in rows}
        return {"episodes": self.world.expert_episodes, "values": values}


def expert_values(world: World, latents: Iterable[int], seed: int) -> ExpertValues | None:
    """Have the expert of a world without tables play; None where there is no expert, or no need of one."""
    physical = world.world if isinstance(world, WorkersWorld) else world
    if not isinstance(physical, PhysicalWorld) or physical.expert is None or physical.tables or physical.altered:
        return None
    if not physical.instructions:
        raise BadInput(
            f"world {physical.name!r} has an expert, and tasks that only its episodes tell: give `instruction=`, so "
            "that the expert can be asked for each of them"
        )
    asked = tuple(sorted({int(z) for z in latents}))
    value, error = np.full((2, len(asked), len(physical.instructions)), np.nan)
    for row, z in enumerate(asked):
        where = f"world {physical.name!r}, its expert in {inert(str(physical.latents[z]), 60)!r}"
        env = GuardedEnv(partial(physical.text_env, z), where, physical.deterministic is not False)
        for w, instruction in enumerate(physical.instructions):
            rng = np.random.default_rng((seed, z, w))
            seeds = rng.integers(2**31, size=physical.expert_episodes).tolist()
            returns = [_return(env, partial(_asked, physical, z, instruction), instruction, one) for one in seeds]
            value[row, w], error[row, w] = np.mean(returns), np.std(returns, ddof=1) / len(returns) ** 0.5
        env.close()
    return ExpertValues(physical, asked, value, error)


def _asked(world: PhysicalWorld, z: int, instruction: str, said: tuple[str, ...]) -> str:
    """What the expert would tell; raises `BadInput` where it raises, or tells no text."""
    assert world.expert is not None
    expert, where = world.expert, f"world {world.name!r}: its expert"
    subgoal = quietly(
        lambda: expert(z, instruction, said),
        lambda wrong: BadInput(f"{where} raised {wrong}: mend it, or leave it out"),
    )
    if not isinstance(subgoal, str):
        raise BadInput(f"world {world.name!r}: its expert told {shown(subgoal)}: expected a text of the menu")
    return subgoal


def _return(env: GuardedEnv, tells: Any, instruction: str, seed: int) -> float:
    """What one episode of the expert pays."""
    observation, _ = env.reset(seed=seed, options={"instruction": instruction})
    said, total, over = [observation], 0.0, False
    while not over:
        subgoal = tells(tuple(said))
        observation, paid, terminated, truncated, _ = env.step(subgoal)
        said += [subgoal, observation]
        total, over = total + paid, terminated or truncated
    return total
