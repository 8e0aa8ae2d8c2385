"""One run of a world as a PettingZoo `ParallelEnv` of sentences: an agent for each Actor (extra `pettingzoo`)."""

from typing import Any

from gymnasium.error import ResetNeeded
from pettingzoo import ParallelEnv

from parley.core.errors import BadInput
from parley.core.tables import Tables, forbids
from parley.worlds.kit.script import SentenceSpace
from parley.worlds.kit.single import SingleRun


class ParallelRun(ParallelEnv[str, str, str]):
    """Agents "actor 1" to "actor K" hear the joint report and say each its part of the joint subgoal; pay is shared.

    They speak at once and cannot heed each other. A world may forbid a part beside those of earlier Actors. Then the
    agent is taken to have said the first allowed part of its menu, and its info tells so (`instead`). Runs, seeds,
    latents and instructions are those of `SingleRun`.
    """

    def __init__(self, run: SingleRun, tables: Tables) -> None:
        self.run, self._menus, self._forbidden = run, tables.menus, tables.forbidden
        self.metadata = {"name": f"parley/{run.world.name}", "render_modes": []}
        self.render_mode = None
        self.possible_agents = [f"actor {k + 1}" for k in range(tables.num_actors)]
        self.agents: list[str] = []
        self.action_spaces = dict(zip(self.possible_agents, map(SentenceSpace, tables.menus), strict=True))
        self.observation_spaces = {agent: SentenceSpace(tables.observations) for agent in self.possible_agents}

    def action_space(self, agent: str) -> SentenceSpace:
        """What the agent may say."""
        return self.action_spaces[agent]

    def observation_space(self, agent: str) -> SentenceSpace:
        """What it may hear."""
        return self.observation_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
        """As `SingleRun.reset`: a run where `seed` is given, else the next episode of the run."""
        said, _ = self.run.reset(seed=seed, options=options)
        self.agents = list(self.possible_agents)
        return self._all(said), self._infos(tuple(None for _ in self.agents))

    def step(
        self, actions: dict[str, str]
    ) -> tuple[dict[str, str], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Carry out one joint subgoal; raises `BadInput` if an agent says nothing, or words not on its menu."""
        if not self.agents:
            raise ResetNeeded("this episode is over: call reset() to begin the next one")
        parts, instead = self._settled(actions)
        said, reward, terminated, truncated, _ = self.run.step(" / ".join(parts))
        infos = self._infos(instead)
        if terminated or truncated:
            self.agents = []
        return self._all(said), self._all(reward), self._all(terminated), self._all(truncated), infos

    def close(self) -> None:
        self.run.close()

    def _settled(self, actions: dict[str, str]) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
        """The parts that are carried out, and which of them stand for another one."""
        parts: tuple[str, ...] = ()
        instead: tuple[str | None, ...] = ()
        for agent, menu in zip(self.possible_agents, self._menus, strict=True):
            said = actions.get(agent)
            if said not in menu:
                raise BadInput(f"{agent} says {said!r}: expected one of {', '.join(menu)}")
            done = next((p for p in (said, *menu) if not forbids(self._forbidden, parts, p)), None)
            if done is None:
                raise BadInput(f"{agent}: what earlier Actors say forbids all of its menu: mend `forbidden`")
            parts, instead = (*parts, done), (*instead, None if done == said else done)
        return parts, instead

    def _all(self, value: Any) -> dict[str, Any]:
        return dict.fromkeys(self.possible_agents, value)

    def _infos(self, instead: tuple[str | None, ...]) -> dict[str, dict[str, Any]]:
        instruction = self.run.instruction
        each = zip(self.possible_agents, self._menus, instead, strict=True)
        return {a: {"menu": m, "instruction": instruction} | ({"instead": i} if i else {}) for a, m, i in each}
