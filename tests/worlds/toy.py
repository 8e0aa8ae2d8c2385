"""A small physical world for tests of the seam, and ways in which it breaks: a point on a line is pushed about."""

from functools import partial

import gymnasium as gym
import numpy as np

from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import Script
from parley.worlds.kit.text_env import TextEnv

SUBGOALS = ("go left", "go right")
SAID = ("you are on the left", "you are on the right", "you are in the middle")


class Line(gym.Env):
    """Moves by the action plus noise; on the latent's side a wall stands at 1."""

    def __init__(self, wall: int, trouble: str = "") -> None:
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (1,))
        self.action_space = gym.spaces.Box(-1, 1, (1,))
        self.wall, self.trouble, self.steps = wall, trouble, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = 0.1 * self.np_random.standard_normal()
        return np.array([self.x]), {}

    def step(self, action):
        self.steps += 1
        if self.trouble == "raises" or (self.trouble == "raises once" and self.steps == 30):
            raise RuntimeError("the motor is gone\x1b[31m")
        self.x += 0.1 * float(action) + 0.01 * self.np_random.standard_normal()
        self.x = min(self.x, 1.0) if self.wall == 1 else max(self.x, -1.0)
        raw = np.array([np.nan if self.trouble == "nan" else self.x])
        return raw, float("nan") if self.trouble == "nan reward" else 0.0, False, False, {}


class Pusher:
    """Pushes until the point is 2 away, or 40 times; `endless`: for ever."""

    def __init__(self, endless: bool = False) -> None:
        self.endless = endless

    def begin(self, subgoal):
        self.push, self.used = (-1.0 if subgoal == SUBGOALS[0] else 1.0), 0

    def act(self, state):
        self.used += 1
        if not self.endless and (state[0] * self.push > 2 or self.used > 40):
            return None
        return self.push


class Voice:
    def report(self, state, rng):
        return SAID[2] if abs(state[0]) < 1.5 else SAID[int(state[0] > 0)]


def made_in_turn(troubles):
    """A factory of environments, each with its own trouble; the last one for good."""
    left = list(troubles)

    def text_env(latent: int, endless: bool) -> TextEnv:
        trouble = left.pop(0) if len(left) > 1 else left[0]
        script = Script(SUBGOALS, SAID, ("come to the left", "come to the right"), 3, pay)
        return TextEnv(Line(latent, trouble), Pusher(endless), Voice(), script, max_actions=100)

    return text_env


def pay(observation: str, instruction: str) -> float:
    return float(observation.split()[-1] == instruction.split()[-1])


def toy(troubles=("",), endless: bool = False) -> PhysicalWorld:
    text_env = partial(made_in_turn(troubles), endless=endless)
    script = Script(SUBGOALS, SAID, ("come to the left", "come to the right"), 3, pay)
    return PhysicalWorld("toy", script, ("wall on the left", "wall on the right"), np.array([0.5, 0.5]), text_env)


def healthy() -> PhysicalWorld:
    """What `parley world check tests.worlds.toy:healthy` checks."""
    return toy()
