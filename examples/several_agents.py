"""Somebody's PettingZoo environment as a world of two Actors: each agent has an Actor and a Reporter of its own.

    python examples/several_agents.py
    parley world check examples.several_agents:porters
    parley run --world examples.several_agents:porters --planner random --episodes 20 --runs 8 --out runs/porters
    parley run --world examples.several_agents:out_of_earshot --planner random --episodes 20 --out runs/earshot

Two porters in a corridor of six cells, a crate at its end. Hidden from the planner: whether one can lift the crate.
`Corridor` has the methods of `pettingzoo.ParallelEnv`; that it is derived from it is not needed.
"""

import tempfile
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from parley.worlds.kit.joint_actor import JointActor
from parley.worlds.kit.joint_reporter import JointReporter, sentences
from parley.worlds.kit.parallel import ParallelLow
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import Script
from parley.worlds.kit.text_env import TextEnv

STAND, LEFT, RIGHT, LIFT = range(4)
CRATE = 5
FETCH, WAIT = "fetch the crate", "wait at the door"
CARRIES, BESIDE, DOOR = "I carry the crate", "I am beside the crate", "I am at the door"


class Corridor:
    """The environment: an agent sees its cell and whether it carries."""

    possible_agents = ["ann", "bob"]

    def __init__(self, porters: int) -> None:
        self.porters = porters

    def observation_space(self, agent: str) -> gymnasium.Space[Any]:
        return gymnasium.spaces.MultiDiscrete([CRATE + 1, 2])

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        return gymnasium.spaces.Discrete(4)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Any], Any]:
        self.agents, self.lifted = list(self.possible_agents), False
        self.cell = dict.fromkeys(self.agents, 0)
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
        for agent, action in actions.items():
            self.cell[agent] = min(max(self.cell[agent] + (action == RIGHT) - (action == LEFT), 0), CRATE)
        lifting = sum(action == LIFT and self.cell[agent] == CRATE for agent, action in actions.items())
        self.lifted = self.lifted or lifting >= self.porters
        paid, no = dict.fromkeys(self.agents, float(self.lifted)), dict.fromkeys(self.agents, False)
        return self._seen(), paid, no, no, {agent: {} for agent in self.agents}

    def close(self) -> None: ...

    def _seen(self) -> dict[str, Any]:
        return {a: np.array([cell, self.lifted and cell == CRATE]) for a, cell in self.cell.items()}


class Porter:
    """The Actor of one agent."""

    def begin(self, subgoal: str) -> None:
        self.goal, self.tried = (CRATE if subgoal == FETCH else 0), False

    def act(self, state: np.ndarray) -> int | None:
        if state[0] != self.goal:
            return RIGHT if state[0] < self.goal else LEFT
        if self.goal != CRATE or self.tried:
            return None
        self.tried = True
        return LIFT


class Voice:
    """The Reporter of one agent."""

    def report(self, state: np.ndarray, rng: np.random.Generator) -> str:
        return CARRIES if state[1] else BESIDE if state[0] == CRATE else DOOR


def porters(mute: tuple[str, ...] = ()) -> PhysicalWorld:
    """The family: one porter is enough, or (seven times in ten) it takes two."""
    agents = Corridor.possible_agents
    own = dict.fromkeys(agents, (CARRIES, BESIDE, DOOR))
    script = Script(
        subgoals=tuple(f"{one} / {other}" for one in (FETCH, WAIT) for other in (FETCH, WAIT)),
        observations=sentences(own, mute=mute),
        instructions=("bring the crate, and let who is not needed rest",),
        horizon=2,
        reward=lambda said, _: (0.5 if DOOR in said else 0.4) * (CARRIES in said),  # for each step
        parts=((FETCH, WAIT),) * len(agents),
    )

    def text_env(latent: int) -> TextEnv:
        actor = JointActor({agent: Porter() for agent in agents}, dict.fromkeys(agents, STAND))
        all_heard, limited = (JointReporter(dict.fromkeys(agents, Voice()), mute=m) for m in ((), mute))
        return TextEnv(ParallelLow(Corridor(latent + 1)), actor, all_heard, script, limited if mute else None, 40)

    return PhysicalWorld("porters", script, ("one can lift it", "it takes two"), np.array([0.3, 0.7]), text_env)


def out_of_earshot() -> PhysicalWorld:
    """The same, and Bob is not heard."""
    return porters(mute=("bob",))


if __name__ == "__main__":
    from parley.cli import main

    out = Path(tempfile.mkdtemp()) / "porters"
    spec = "examples.several_agents:porters"
    raise SystemExit(main(["run", "--world", spec, "--planner", "random", "--episodes", "20", "--out", str(out)]))
