"""Any low-level Gymnasium environment with an Actor, a Reporter and a menu as a world; tables are optional."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.latents import all_alike
from parley.core.roles import TextEnvs, World
from parley.core.tables import Tables
from parley.core.text import shown
from parley.worlds.kit.guarded import GuardedEnv
from parley.worlds.kit.learned import Learned
from parley.worlds.kit.script import Script
from parley.worlds.kit.text_env import TextEnv
from parley.worlds.kit.vector import TextVectorEnv, require_apart

# expert(z, instruction, said): the subgoal of one who knows latent z; `said` holds o_1, g_1, o_2, ... of the episode.
Expert = Callable[[int, str, tuple[str, ...]], str]


@dataclass(frozen=True)
class Abstraction:
    """How the physics is held against the tables.

    `state` names the tables' state of a raw state. `mechanism(z, s, g)` names why the subgoal g ends as it does in
    state s of latent z ("an open door is passed"). Cells of one mechanism are pooled.

    Some mechanisms have a likeliest outcome that hardly ever fails to come. For these, `unlikely` holds a context of
    the low level in which it does not come. In it the world must draw its own noise from the conditional distribution
    given that. So the next state is distributed as wherever that happens.
    """

    state: Callable[[Any], str]
    mechanism: Callable[[int, str, str], str]
    unlikely: Mapping[str, Callable[[Any], AbstractContextManager[None]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PhysicalWorld:
    """A family of physical worlds: `text_env(z)` composes environment, Actor and Reporter for latent z.

    `tables`, where there are any, hand exact planners and the regret meter the world's abstract model; `abstraction`
    lets `parley world verify` hold it against the physics. Without tables regret is taken against what `expert`, where
    there is one, reaches in `expert_episodes` episodes for each latent of the runs and each instruction. `offers` has
    what else may act or speak in it: `actor` and `reporter`, made from the text behind `actor=` and `reporter=`.
    `learns` trains such parts: the function's arguments are its options, `progress` the last. `kernel` gives where
    whole subgoals lead, exactly, under a learned Actor with these action probabilities.
    `deterministic` False says that the same seed and subgoals may lead elsewhere, None that nobody knows. A score from
    `success_at` on is a success; `references` are scores that others reach on average.
    """

    name: str
    script: Script
    latents: Sequence[str]
    prior: Float[np.ndarray, " Z"]
    text_env: Callable[[int], TextEnv]
    tables: Tables | None = None
    abstraction: Abstraction | None = None
    altered: bool = False  # whether what happens does not follow the tables
    expert: Expert | None = None
    expert_episodes: int = 50
    offers: Mapping[str, Callable[["PhysicalWorld", str], World]] = field(default_factory=dict)
    learns: Mapping[str, Callable[..., Learned]] = field(default_factory=dict)
    kernel: Callable[[Float[np.ndarray, "G C A"]], Float[np.ndarray, "Z S G S"]] | None = None
    deterministic: bool | None = True
    success_at: float = 1.0
    references: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all_alike(self.prior) and (
            np.shape(self.prior) != (len(self.latents),)
            or not abs(float(np.sum(self.prior)) - 1) <= 1e-6
            or min(self.prior) < 0
        ):
            raise BadInput(
                f"world {self.name!r}: expected a prior of {len(self.latents)} probabilities that sum to 1, "
                f"one for each latent, found {np.asarray(self.prior).tolist()}"
            )
        told = dict(self.references) if isinstance(self.references, Mapping) else {"references": self.references}
        for what, score in {**told, "success_at": self.success_at}.items():
            if isinstance(score, bool) or not isinstance(score, int | float | np.number) or not np.isfinite(score):
                raise BadInput(f"world {self.name!r}: {what}={shown(score)}: expected a score, a finite number")
        if self.deterministic not in (True, False, None):
            raise BadInput(f"deterministic={shown(self.deterministic)}: expected True, False or None")
        if self.expert is not None and not callable(self.expert):
            raise BadInput(
                f"world {self.name!r}: expert={shown(self.expert)}: expected a function of (latent, instruction, said)"
            )
        if self.expert_episodes < 2:
            raise BadInput(f"world {self.name!r}: expert_episodes={self.expert_episodes}: expected at least 2")

    @property
    def instructions(self) -> tuple[str, ...]:
        return self.script.instructions

    @property
    def num_actors(self) -> int:
        return self.script.num_actors

    @property
    def forbidden(self) -> tuple[tuple[str, str], ...]:
        return self.script.forbidden

    @property
    def horizon(self) -> int:
        return self.script.horizon

    def make(self, latents: Int[np.ndarray, " B"], draws: Draws) -> TextEnvs:
        """Text environments of the runs of `draws`, run i in the world of latent `latents[i]`."""
        envs = []
        for run, latent in enumerate(latents, start=draws.first_run):
            where = f"world {self.name!r}, run {run}"
            envs.append(GuardedEnv(partial(self.text_env, int(latent)), where, self.deterministic is not False))
        made = TextVectorEnv(envs, draws)
        require_apart([made])
        return made
