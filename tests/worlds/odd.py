"""Text environments for tests: a game of doors, and ways in which somebody's environment may be odd."""

import gymnasium as gym
import numpy as np

from parley.worlds.kit.wrap import wrap

DOORS = ("the blue door", "the green door", "the red door")


class Doors(gym.Env):
    """Behind one of the doors is the treasure; how many doors one sees, and so the menu, changes from step to step."""

    def __init__(self, treasure: int = 0, length: int = 4, tells: bool = False) -> None:
        self.treasure, self.length, self.tells = treasure, length, tells

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = self.length
        return "You stand in a hall.", self._info()

    def step(self, action):
        self.left -= 1
        found = action == f"open {DOORS[self.treasure]}"
        said = f"You {action}." + (" There it is!" if found and self.tells else "")
        return said, float(found), found, self.left == 0, self._info()

    def _info(self):
        seen = 2 + (self.left + self.np_random.integers(2)) % 2
        commands = [f"open {door}" for door in DOORS[:seen]] + ["wait"]
        return {"admissible_commands": commands, "goal": f"find it, in {self.left} steps", "max_score": 1.0}


def doors(length: int = 4, variations: int = 3):
    """What `tests.worlds.odd:doors` names."""
    return wrap(lambda z: Doors(z % 3, length), variations=range(variations), horizon=10, name="doors")


class Restless(Doors):
    """Never says the same twice."""

    def step(self, action):
        said, *rest = super().step(action)
        return f"{said} It is {np.random.default_rng().random()} o'clock.", *rest


def restless():
    """Nobody has said that it cannot repeat itself."""
    return wrap(lambda z: Restless(z), variations=range(3), horizon=6, name="restless")


def browser():
    """Said to be one that cannot repeat itself."""
    return wrap(lambda z: Restless(z), variations=range(3), horizon=6, name="browser", deterministic=False)


class Fickle(Doors):
    """Says the same again, apart from one thing: `what`."""

    def __init__(self, treasure, what):
        super().__init__(treasure)
        self.what, self.luck = what, np.random.default_rng()

    def reset(self, **told):
        said, info = super().reset(**told)
        return (f"{said} It is {self.luck.random()} o'clock." if self.what == "opening" else said), info

    def step(self, action):
        said, paid, over, *rest = super().step(action)
        paid = self.luck.random() if self.what == "reward" else paid
        return said, paid, over or (self.what == "end" and self.luck.random() < 0.5), *rest

    def _info(self):
        more = [f"touch {self.luck.integers(10**9)}"] if self.what == "menu" else []
        info = super()._info()
        return {**info, "admissible_commands": info["admissible_commands"] + more}


def fickle(what: str):
    """Nobody has said that it cannot repeat itself, and what it says after a step does not tell."""
    return wrap(lambda z: Fickle(z, what), variations=range(3), horizon=6, name="fickle", says_reward=False)
