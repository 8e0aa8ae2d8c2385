"""Text environments of one script side by side in this process, as the loop takes them (`core.roles.TextEnvs`)."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import LowLevel, Menu
from parley.core.tables import Sentences
from parley.worlds.kit.guarded import GuardedEnv
from parley.worlds.kit.parallel import ParallelLow
from parley.worlds.kit.text_env import TextEnv


def require_apart(cohorts: Sequence[Any]) -> None:
    """Raise `BadInput` where two runs of the cohorts' environments move one low-level environment."""
    low = [env.low for envs in cohorts if isinstance(envs, TextVectorEnv) for env in envs.envs]
    bare = [one.env if isinstance(one, ParallelLow) else getattr(one, "unwrapped", one) for one in low]
    if len({*map(id, bare)}) < len(bare):
        raise BadInput("two runs share one environment: make_env must make a new one at each call")


class TextVectorEnv(gym.vector.VectorEnv[Any, Any, Any]):
    """B text environments of one script in this process, as `core.roles.TextEnvs`; rows that have ended rest.

    `info["low_level"]` says for the log what went on below the sentences.
    """

    def __init__(self, envs: Sequence[TextEnv | GuardedEnv], draws: Draws) -> None:
        self.envs, self.draws, self.num_envs = list(envs), draws, len(envs)
        self.metadata = {"autoreset_mode": AutoresetMode.DISABLED}
        self.single_action_space, self.single_observation_space = envs[0].action_space, envs[0].observation_space
        script = envs[0].script
        self._fixed = [Menu.shared(menu) for menu in script.menus]
        self._brings_task = script.own.instruction is not None

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Sentences, dict[str, Any]]:
        """Begin episode `options["episode"]` under `options["instructions"]` (B,)."""
        options = options or {}
        if seed is not None:
            self.draws = Draws(int(seed), self.num_envs, self.draws.first_run)
        first = np.full(self.num_envs, self.envs[0].instruction, dtype=object)
        self._said = [""] * self.num_envs
        seeds = self.draws.seeds(int(options.get("episode", 0)))
        for i, (env, instruction) in enumerate(zip(self.envs, options.get("instructions", first), strict=True)):
            self._said[i], _ = env.reset(seed=seeds[i], options={"instruction": instruction})
        self._terminated, self._truncated = [False] * self.num_envs, [False] * self.num_envs
        info: dict[str, Any] = {"menus": self._menus()}
        if self._brings_task:
            info["instructions"] = np.array([env.instruction for env in self.envs], dtype=object)
        highest = np.array([env.max_score for env in self.envs])
        if not np.isnan(highest).all():
            info["max_scores"] = highest
        return np.array(self._said, dtype=object), info

    def step(self, actions: Sentences) -> tuple[Sentences, Any, Any, Any, dict[str, Any]]:
        """Carry out the subgoals (B, K); a row that has ended repeats its last sentence and pays 0."""
        # Lists, since a call of numpy after a slow environment costs more than a loop over few runs.
        rewards, actions_taken, events = [0.0] * self.num_envs, [0] * self.num_envs, [""] * self.num_envs
        for i, (env, told) in enumerate(zip(self.envs, actions.tolist(), strict=True)):
            if self._terminated[i] or self._truncated[i]:
                continue
            said, rewards[i], self._terminated[i], self._truncated[i], _ = env.step(" / ".join(told))
            self._said[i], actions_taken[i], events[i] = said, env.num_actions, env.event
        info = {"menus": self._menus(), "low_level": LowLevel(np.array(actions_taken), events)}
        ended = np.array(self._terminated), np.array(self._truncated)
        return np.array(self._said, dtype=object), np.array(rewards), *ended, info

    def _menus(self) -> list[Menu]:
        """One menu an Actor; a row that has ended keeps its last one."""
        if self._fixed:
            return self._fixed
        menus = [env.menu for env in self.envs]
        return [Menu.anything() if menus[0] is None else Menu.of_each([menu or () for menu in menus])]

    def close_extras(self, **kwargs: Any) -> None:
        for env in self.envs:
            env.close()
