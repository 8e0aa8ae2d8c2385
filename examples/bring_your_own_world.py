"""A world of your own in one file: somebody else's Gymnasium environment, a Reporter, an Actor and a menu.

    python examples/bring_your_own_world.py
    parley world check examples.bring_your_own_world:lake
    parley run --world examples.bring_your_own_world:lake --planner random --episodes 20 --runs 8 --out runs/lake

The environment is Gymnasium's FrozenLake. Hidden from the planner: on which shore the ice is thin.
"""

import tempfile
from pathlib import Path

import gymnasium
import numpy as np

import parley

LEFT, DOWN, RIGHT, UP = range(4)
MAPS = (("SFHFG", "FHHHF", "FFFFF"), ("SFFFG", "FHHHF", "FFHFF"))  # one for each latent; H is where the ice breaks
ROUTES = {
    "cross by the north shore": (RIGHT,) * 4,
    "cross by the south shore": (DOWN, DOWN, *(RIGHT,) * 4, UP, UP),
    "go home": (UP, UP, *(LEFT,) * 4),
}
CROSSED, FELL, HOME = "you are on the other side", "you broke through the ice", "you are at home"


class Skater:
    """The Actor: skates a route, from home only; where it is not at home, only "go home" makes it move."""

    def begin(self, subgoal: str) -> None:
        self.route, self.homewards, self.started = list(ROUTES[subgoal]), subgoal == "go home", False

    def act(self, state: int) -> int | None:
        if not self.started and (state == 0) == self.homewards:
            return None
        self.started = True
        return self.route.pop(0) if self.route else None


class Voice:
    """The Reporter: says what happened, and nothing of the map."""

    def report(self, state: int, rng: np.random.Generator) -> str:
        return {0: HOME, 4: CROSSED}.get(int(state), FELL)


def frozen(shore: tuple[str, ...]) -> gymnasium.Env:
    """The environment of one map."""
    return gymnasium.make("FrozenLake-v1", desc=list(shore), is_slippery=False, disable_env_checker=True)


def lake() -> parley.World:
    """The family has two latents. The first is the usual one. The expert knows the latent and takes the other shore."""
    ways = tuple(ROUTES)
    return parley.wrap(
        frozen,
        name="lake",
        variations=dict(zip(("thin ice in the north", "thin ice in the south"), MAPS, strict=True)),
        prior=(0.7, 0.3),
        menu=ways,
        skills=Skater,
        describe=Voice,
        observations=(CROSSED, FELL, HOME),
        instruction="cross the lake",
        reward=lambda observation, instruction: 0.5 * float(observation == CROSSED),  # for each step
        horizon=2,
        max_actions=20,
        expert=lambda z, task, said: ways[1 - z],
    )


if __name__ == "__main__":
    from parley.cli import main

    out = Path(tempfile.mkdtemp()) / "lake"
    spec = "examples.bring_your_own_world:lake"
    raise SystemExit(main(["run", "--world", spec, "--planner", "random", "--episodes", "20", "--out", str(out)]))
