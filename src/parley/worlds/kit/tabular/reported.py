"""A tabular world whose reports differ from its tables: the effect of a Reporter with an error (theory.md 1)."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import Draws, Purpose
from parley.core.errors import BadInput
from parley.core.tables import Sentences, Tables
from parley.worlds.kit.tabular.env import TabularVectorEnv, TabularWorld, pick, running


@dataclass(frozen=True, eq=False)
class ReportedWorld(TabularWorld):
    """The world of `tables` heard through a Reporter with emission `spoken`; planners are handed the true tables.

    Rewards follow the tables, whatever the Reporter says. The expected regret of theory.md 1 filters the reports by the
    tables and so means nothing here. Regret is therefore V*_z(w) minus the return (`altered`).
    """

    spoken: Float[np.ndarray, "Z S O"]
    altered: bool = field(default=True, kw_only=True)

    @cached_property
    def total_variation(self) -> float:
        """Of the Reporter's emission to the true one, in the states that uniform subgoals visit."""
        return reporter_error(self.tables, self.spoken)

    def make(self, latents: Int[np.ndarray, " B"], draws: Draws) -> "ReportedVectorEnv":
        return ReportedVectorEnv(self.tables, self.spoken, latents, draws)


class ReportedVectorEnv(TabularVectorEnv):
    """Says by `spoken` what the state is, with the random number by which the true Reporter would have."""

    def __init__(
        self, tables: Tables, spoken: Float[np.ndarray, "Z S O"], latents: Int[np.ndarray, " B"], draws: Draws
    ) -> None:
        super().__init__(tables, latents, draws)
        self._say = running(spoken)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Sentences, dict[str, Any]]:
        _, info = super().reset(seed=seed, options=options)
        return self._report(), info

    def step(self, actions: Sentences) -> tuple[Sentences, Any, Any, Any, dict[str, Any]]:
        _, *rest = super().step(actions)
        return (self._report(), *rest)

    def _report(self) -> Sentences:
        u = self.draws.uniform(Purpose.OBSERVATION, self.episode, self.step_now)
        return self._sentences[pick(self._say[self.latents, self.state], u)]


def visits(tables: Tables) -> Float[np.ndarray, "Z S"]:
    """How often (z, s) occurs when subgoals are drawn uniformly: the mean over o_1 ... o_{H+1}."""
    now = total = tables.prior[:, None] * tables.initial
    for _ in range(tables.horizon):
        now = np.einsum("zs,zsgt->zt", now, tables.transition, optimize=True) / tables.num_subgoals
        total = total + now
    return total / (tables.horizon + 1)


def reporter_error(tables: Tables, spoken: Float[np.ndarray, "Z S O"]) -> float:
    """Total variation between a Reporter's emission and the true E, mean over states that uniform subgoals visit."""
    apart = 0.5 * np.abs(spoken - tables.emission).sum(axis=2)
    return float((visits(tables) * apart).sum())


def with_floor(tables: Tables, floor: float) -> Tables:
    """The same world, where with probability `floor` a sentence drawn from all of them is said.

    Then no sentence is impossible, and a Reporter with an error stops no exact planner.
    """
    if not 0 <= floor < 1:
        raise BadInput(f"floor={floor}: expected the probability of any sentence at all, at least 0 and below 1")
    return replace(tables, emission=mixed(tables.emission, floor))


def mixed(emission: Float[np.ndarray, "Z S O"], share: float) -> Float[np.ndarray, "Z S O"]:
    """(1 - share) E + share * uniform over all sentences."""
    return (1 - share) * emission + share / emission.shape[2]
