"""A run as a conversation: episodes of one hidden latent, one after another, in which memory pays."""

import numpy as np

from parley.assemble.environments import environment
from parley.assemble.scene import beliefs_of
from parley.bench.arms import tables_of
from parley.core.draws import Draws, Purpose
from parley.core.latents import draw_latent
from parley.prompting.answers import letters, parse


class Stream:
    """`episodes` of a world. A text that chooses nothing of the menu is an invalid answer: a subgoal is drawn then."""

    def __init__(self, world: str, episodes: int) -> None:
        self.tables, self.episodes = tables_of(world, 0, False), episodes
        self._env = environment(world)

    def begin(self, seed: int) -> str:
        """The first message. The hidden latent is that of run 0 of `parley run --seed SEED`."""
        latent = int(draw_latent(self.tables.prior, Draws(seed, 1).uniform(Purpose.LATENT))[0])
        self._values = beliefs_of(self.tables).value[latent]
        self._random = np.random.default_rng(seed)
        self.episode, self.invalid, self.regret = -1, 0, 0.0
        return self._next(seed)

    def _next(self, seed: int | None = None) -> str:
        said, info = self._env.reset(seed=seed)
        self.episode += 1
        self.menu: tuple[str, ...] = info["menu"]
        self.task = str(info["instruction"])
        self.regret += float(self._values[self.tables.instructions.index(self.task)])
        return f"Episode {self.episode + 1} of {self.episodes}. Task: {self.task}\n{said}"

    def say(self, answer: str) -> tuple[str, float, bool]:
        """What comes of an answer, the reward of the step, and whether the stream is over."""
        chosen = parse(answer, self.menu)
        note = ""
        if chosen is None:
            self.invalid += 1
            chosen = int(self._random.integers(len(self.menu)))
            note = f"That chooses nothing of the menu, so this was drawn: {self.menu[chosen]}\n"
        said, reward, ended, cut, _ = self._env.step(self.menu[chosen])
        self.regret -= reward
        told = f"{note}{said}\nReward: {reward:g}"
        if not (ended or cut):
            return told, reward, False
        if self.episode + 1 == self.episodes:
            return told, reward, True
        return f"{told}\n\n{self._next()}", reward, False

    @property
    def choices(self) -> str:
        """The menu, a subgoal a line."""
        return "\n".join(f"{letter}. {one}" for letter, one in zip(letters(len(self.menu)), self.menu, strict=True))

    def close(self) -> None:
        """Give the world back."""
        self._env.close()
