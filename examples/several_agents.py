"""Somebody's PettingZoo environment as a world of two Actors: each agent has an Actor and a Reporter of its own.

    python examples/several_agents.py
    parley world check examples.several_agents:porters
    parley run --world examples.several_agents:porters --planner random --episodes 20 --runs 8 --out runs/porters
    parley run --world examples.several_agents:out_of_earshot --planner random --episodes 20 --out runs/earshot

Two porters in a corridor of six cells, a crate at its end. Hidden from the planner: whether one can lift the crate.
`Corridor` has the methods of `pettingzoo.ParallelEnv`; that it is derived from it is not needed.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import parley
from parley.worlds.kit.joint_reporter import JointReporter, sentences

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


def fetch(see: Callable[[], Any]) -> Iterator[int]:
    """A skill: to the crate, and one try to lift it."""
    while see()[0] != CRATE:
        yield RIGHT
    yield LIFT


def wait(see: Callable[[], Any]) -> Iterator[int]:
    """A skill: back to the door."""
    while see()[0] != 0:
        yield LEFT


class Voice:
    """The Reporter of one agent."""

    def report(self, state: np.ndarray, rng: np.random.Generator) -> str:
        return CARRIES if state[1] else BESIDE if state[0] == CRATE else DOOR


def porters(mute: tuple[str, ...] = ()) -> parley.World:
    """The family: one porter is enough, or (seven times in ten) it takes two."""
    agents = Corridor.possible_agents
    own = dict.fromkeys(agents, (CARRIES, BESIDE, DOOR))
    world = parley.wrap(
        Corridor,
        name="porters",
        variations={"one can lift it": 1, "it takes two": 2},
        prior=(0.3, 0.7),
        skills=dict.fromkeys(agents, {FETCH: fetch, WAIT: wait}),
        rest=dict.fromkeys(agents, STAND),
        describe=Voice,
        observations=sentences(own, mute=mute),
        instruction="bring the crate, and let who is not needed rest",
        reward=lambda said, _: (0.5 if DOOR in said else 0.4) * (CARRIES in said),  # for each step
        horizon=2,
        max_actions=40,
    )
    if not mute:
        return world
    # The reports show all that was done, and pay for it. The planner hears less.
    heard = JointReporter(dict.fromkeys(agents, Voice()), mute=mute)
    return replace(world, text_env=lambda z: world.text_env(z).heard_through(heard))


def out_of_earshot() -> parley.World:
    """The same, and Bob is not heard."""
    return porters(mute=("bob",))


if __name__ == "__main__":
    from parley.cli import main

    out = Path(tempfile.mkdtemp()) / "porters"
    spec = "examples.several_agents:porters"
    raise SystemExit(main(["run", "--world", spec, "--planner", "random", "--episodes", "20", "--out", str(out)]))
