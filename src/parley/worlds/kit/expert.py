"""What an expert who knows the latent reaches in a physical world without tables: regret is taken against that.

The value is a mean over episodes of its own, which are no run's, and has a standard error; both stand in the manifest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.roles import World
from parley.core.tables import Vocabulary
from parley.theory.regret import OptimalValueMeter
from parley.worlds.kit.physical import Expert, PhysicalWorld
from parley.worlds.kit.workers import WorkersWorld


@dataclass(frozen=True, eq=False)
class ExpertValues:
    """Mean return of the expert's episodes and its standard error; NaN for latents that nobody asked for."""

    world: PhysicalWorld
    value: Float[np.ndarray, "Z W"]
    error: Float[np.ndarray, "Z W"]

    def meter(self, latents: np.ndarray) -> OptimalValueMeter:
        """The meter of runs with these latents: the expert's value stands for the optimal one."""
        return OptimalValueMeter(self.value, Vocabulary(self.world.instructions, "instruction"), latents)

    def as_dict(self) -> dict[str, Any]:
        """For the manifest: [value, standard error] by latent and instruction."""
        known = np.flatnonzero(~np.isnan(self.value).any(axis=1))
        pairs = np.stack([self.value, self.error], axis=2).tolist()
        values = {self.world.latents[int(z)]: dict(zip(self.world.instructions, pairs[z], strict=True)) for z in known}
        return {"episodes": self.world.expert_episodes, "values": values}


def expert_values(world: World, latents: Iterable[int], seed: int) -> ExpertValues | None:
    """Have the expert of a world without tables play; None where there is no expert, or no need of one."""
    physical = world.world if isinstance(world, WorkersWorld) else world
    if not isinstance(physical, PhysicalWorld) or physical.expert is None or physical.tables or physical.altered:
        return None
    value, error = np.full((2, len(physical.latents), len(physical.instructions)), np.nan)
    for z in sorted({int(z) for z in latents}):
        env = physical.text_env(z)
        for w, instruction in enumerate(physical.instructions):
            rng = np.random.default_rng((seed, z, w))
            seeds = rng.integers(2**31, size=physical.expert_episodes).tolist()
            returns = [_return(env, physical.expert, z, instruction, one) for one in seeds]
            value[z, w], error[z, w] = np.mean(returns), np.std(returns, ddof=1) / len(returns) ** 0.5
        env.close()
    return ExpertValues(physical, value, error)


def _return(env: Any, expert: Expert, z: int, instruction: str, seed: int) -> float:
    """What one episode of the expert pays."""
    observation, _ = env.reset(seed=seed, options={"instruction": instruction})
    said, total, over = [observation], 0.0, False
    while not over:
        subgoal = expert(z, instruction, tuple(said))
        observation, paid, terminated, truncated, _ = env.step(subgoal)
        said += [subgoal, observation]
        total, over = total + paid, terminated or truncated
    return total
