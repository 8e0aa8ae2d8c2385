"""Any `Tables` as a world, and its vectorised text environment as array arithmetic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from jaxtyping import Int

from parley.core.draws import Draws, Purpose
from parley.core.errors import BadInput
from parley.core.roles import TextEnvs, World
from parley.core.rows import row_count
from parley.core.said import Menu
from parley.core.tables import Sentences, Tables


@dataclass(frozen=True, eq=False)
class TabularWorld:
    """A world whose tables are all there is to it; `altered` where what happens does not follow them.

    `low_level`, if given, makes the world that the tables abstract from. `views` are the inputs that a learned Reporter
    may have of a state there: features of every (z, s), z first.
    """

    tables: Tables
    altered: bool = field(default=False, kw_only=True)
    low_level: Callable[[], World] | None = field(default=None, kw_only=True)
    views: Mapping[str, Callable[[], np.ndarray]] = field(default_factory=dict, kw_only=True)

    @property
    def name(self) -> str:
        return self.tables.name

    @property
    def latents(self) -> tuple[str, ...]:
        return self.tables.latents

    @property
    def prior(self) -> np.ndarray:
        return self.tables.prior

    @property
    def instructions(self) -> tuple[str, ...]:
        return self.tables.instructions

    @property
    def horizon(self) -> int:
        return self.tables.horizon

    @property
    def num_actors(self) -> int:
        return self.tables.num_actors

    def make(self, latents: Int[np.ndarray, " B"], draws: Draws) -> TextEnvs:
        return TabularVectorEnv(self.tables, latents, draws)


class TabularVectorEnv(gym.vector.VectorEnv):
    """B runs of a tabular family in lockstep; one step is one subgoal, an action is a row of K sentences.

    Every episode is a function of (latent, seed, run, episode) alone. Episodes last exactly `horizon` steps.
    """

    metadata = {"autoreset_mode": AutoresetMode.DISABLED}

    def __init__(self, tables: Tables, latents: Int[np.ndarray, " B"], draws: Draws) -> None:
        self.tables, self.latents, self.draws = tables, latents, draws
        self.num_envs = len(latents)
        self._menus = [Menu.shared(menu) for menu in tables.menus]
        self._sentences = tables.observation_words.sentences
        # Running sums, so that one draw a run needs one gather and one comparison.
        self._initial = running(tables.initial)
        self._move = running(tables.transition)
        self._see = running(tables.emission)
        self._nothing = np.zeros(self.num_envs, dtype=bool)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Sentences, dict[str, Any]]:
        """Begin episode `options["episode"]` under `options["instructions"]` (B,)."""
        options = options or {}
        if seed is not None:
            self.draws = Draws(int(seed), self.num_envs, self.draws.first_run)
        self.episode, self.step_now = int(options.get("episode", 0)), 0
        instructions = options.get("instructions", np.full(self.num_envs, self.tables.instructions[0], dtype=object))
        self._pay = self.tables.reward.T[self.tables.instruction_words.encode(instructions)]  # B O
        u = self.draws.uniform(Purpose.STATE, self.episode, 0)
        self.state = pick(self._initial[self.latents], u)
        return self._sentences[self._observe()], {"menus": self._menus}

    def step(self, actions: Sentences) -> tuple[Sentences, Any, Any, Any, dict[str, Any]]:
        """Carry out one subgoal a run."""
        self.step_now += 1
        subgoal = self.tables.joint(actions)
        if self.tables.forbidden:
            self._refuse_forbidden(actions, subgoal)
        u = self.draws.uniform(Purpose.STATE, self.episode, self.step_now)
        self.state = pick(self._move[self.latents, self.state, subgoal], u)
        seen = self._observe()
        rewards = self._pay[np.arange(self.num_envs), seen]
        over = self._nothing if self.step_now < self.tables.horizon else ~self._nothing
        return self._sentences[seen], rewards, self._nothing, over, {"menus": self._menus}

    def _refuse_forbidden(self, actions: Sentences, subgoal: np.ndarray) -> None:
        wrong = np.flatnonzero(self.tables.at_random[subgoal] == 0)
        if len(wrong):
            said = " / ".join(actions[wrong[0]])
            raise BadInput(f"subgoal {said!r}: world {self.tables.name!r} forbids two of its parts together")

    def _observe(self) -> Int[np.ndarray, " B"]:
        u = self.draws.uniform(Purpose.OBSERVATION, self.episode, self.step_now)
        return pick(self._see[self.latents, self.state], u)


def running(probabilities: np.ndarray) -> np.ndarray:
    """Cumulative sums over the last axis, at least 1 at the last entry that can happen: no draw falls beyond it."""
    total = np.cumsum(probabilities, axis=-1)
    return np.where(total >= total[..., -1:], np.maximum(total, 1.0), total)


def pick(sums: np.ndarray, u: np.ndarray) -> Int[np.ndarray, " B"]:
    """One index a row of running `sums`, from one uniform number a row."""
    return row_count(sums <= u[:, None])
