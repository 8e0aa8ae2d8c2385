"""A tabular world whose latent changes once, at an episode that nobody announces: outside the theory (theory.md 1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.errors import BadInput
from parley.core.tables import Sentences
from parley.worlds.kit.tabular.env import TabularVectorEnv, TabularWorld


@dataclass(frozen=True, eq=False)
class JumpingWorld(TabularWorld):
    """The world of `tables`; from episode `jump` on, counted from 0, its latent is another one, drawn by the prior."""

    jump: int

    def __post_init__(self) -> None:
        if self.jump < 1:
            raise BadInput(f"jump={self.jump}: expected an episode after the first one, counted from 0")
        if len(self.latents) < 2:
            raise BadInput(f"jump={self.jump}: world {self.name!r} has one latent: there is no other to jump to")

    def truth(self, latents: Int[np.ndarray, " B"], draws: Draws) -> Callable[[int], Int[np.ndarray, " B"]]:
        """The latent of every run as a function of the episode; for environments and regret meters alone."""
        others = np.where(np.arange(len(self.prior)) == latents[:, None], 0.0, self.prior)
        after = sample_rows(others, draws.uniform(Purpose.JUMP, self.jump))
        return lambda episode: latents if episode < self.jump else after

    def make(self, latents: Int[np.ndarray, " B"], draws: Draws) -> "JumpingVectorEnv":
        return JumpingVectorEnv(self, latents, draws)


class JumpingVectorEnv(TabularVectorEnv):
    """Looks up at each reset which latent it is."""

    def __init__(self, world: JumpingWorld, latents: Int[np.ndarray, " B"], draws: Draws) -> None:
        super().__init__(world.tables, latents, draws)
        self._world, self._first = world, latents

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Sentences, dict[str, Any]]:
        if seed is not None:
            self.draws = Draws(int(seed), self.num_envs, self.draws.first_run)
        episode = int((options or {}).get("episode", 0))
        self.latents = self._world.truth(self._first, self.draws)(episode)
        return super().reset(options=options)
