"""Somebody's PettingZoo `ParallelEnv` as a low-level environment: one agent for each Actor, dicts for all of them."""

from collections.abc import Mapping
from typing import Any, Protocol

import gymnasium as gym

from parley.core.errors import EnvironmentFailed
from parley.worlds.kit.given import begun, number, truth


class Parallel(Protocol):
    """The part of `pettingzoo.ParallelEnv` that Parley uses; any object with these methods will do."""

    agents: list[Any]
    possible_agents: list[Any]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[Any, Any], Any]: ...

    def step(self, actions: dict[Any, Any]) -> tuple[dict[Any, Any], dict[Any, float], dict, dict, dict]: ...

    def render(self) -> Any: ...

    def close(self) -> None: ...

    def action_space(self, agent: Any) -> Any: ...

    def observation_space(self, agent: Any) -> Any: ...


class ParallelLow(gym.Env[dict[Any, Any], Any]):
    """Raw states and actions are dicts with an entry for every agent of `env.possible_agents`.

    An agent that is done keeps its last state, and its later actions are ignored. The episode is over when no agent is
    left. Rewards are summed; Parley pays by the reports (`Script.reward`), not by them.
    """

    def __init__(self, env: Parallel) -> None:
        self.env, self.possible_agents = env, list(env.possible_agents)
        self.action_space = gym.spaces.Dict({str(a): env.action_space(a) for a in self.possible_agents})
        self.observation_space = gym.spaces.Dict({str(a): env.observation_space(a) for a in self.possible_agents})
        self.metadata = {"render_modes": [], **getattr(env, "metadata", {})}
        self.render_mode = getattr(env, "render_mode", None)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[Any, Any], dict[str, Any]]:
        """Begin an episode; raises `EnvironmentFailed` where an agent is not there from the beginning."""
        super().reset(seed=seed)
        seen, _ = begun(self.env.reset(seed=seed, options=options))
        if not isinstance(seen, Mapping):
            raise EnvironmentFailed(f"`reset` gave {seen!r:.80}: expected a dictionary, a state for each agent")
        if missing := [agent for agent in self.possible_agents if agent not in seen]:
            raise EnvironmentFailed(
                f"agent {missing[0]!r} is not there when an episode begins: expected all of possible_agents"
            )
        self._raw = {agent: seen[agent] for agent in self.possible_agents}
        return dict(self._raw), {}

    def step(self, action: Mapping[Any, Any]) -> tuple[dict[Any, Any], float, bool, bool, dict[str, Any]]:
        """One action of every agent that is left."""
        answer = self.env.step({agent: action[agent] for agent in self.env.agents})
        if not isinstance(answer, tuple) or len(answer) != 5 or not all(isinstance(one, Mapping) for one in answer):
            raise EnvironmentFailed(
                f"`step` gave {answer!r:.80}: expected five dictionaries by agent, as in PettingZoo "
                "(observations, rewards, terminations, truncations, infos)"
            )
        seen, paid, ended, _, _ = answer
        self._raw = {agent: seen.get(agent, self._raw[agent]) for agent in self.possible_agents}
        over = not self.env.agents
        terminated = over and all(map(truth, ended.values()))
        return dict(self._raw), sum(map(number, paid.values())), terminated, over and not terminated, {}

    def render(self) -> Any:
        """What the environment draws."""
        return self.env.render()

    def close(self) -> None:
        self.env.close()
