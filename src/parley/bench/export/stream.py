"""A run as a conversation: episodes of one hidden latent, one after another, in which memory pays."""

import numpy as np

from parley.assemble.environments import environment
from parley.assemble.scene import beliefs_of
from parley.bench.arms import tables_of
from parley.core.draws import Draws, Purpose
from parley.core.latents import draw_latent
from parley.prompting.answers import letters, parse


class Stream:
    """`episodes` of a world with the hidden latent of run 0 of `parley run --seed SEED`.

    `said` is what the world said last, `reward` what the last step paid (None before the first). A text that chooses
    nothing of the menu is an invalid answer: a subgoal is drawn then.
    """

    def __init__(self, world: str, episodes: int, seed: int) -> None:
        self.tables, self.episodes, self.episode = tables_of(world, 0, False), episodes, -1
        latent = int(draw_latent(self.tables.prior, Draws(seed, 1).uniform(Purpose.LATENT))[0])
        self._env, self._random = environment(world), np.random.default_rng(seed)
        self._values = beliefs_of(self.tables).value[latent]
        self.invalid, self.regret, self.over = 0, 0.0, False
        self.reward: float | None = None
        self.said = self._next(seed)

    def _next(self, seed: int | None = None) -> str:
        said, info = self._env.reset(seed=seed)
        self.episode += 1
        self.menu: tuple[str, ...] = info["menu"]
        self.task = str(info["instruction"])
        self.regret += float(self._values[self.tables.instructions.index(self.task)])
        return f"Episode {self.episode + 1} of {self.episodes}. Task: {self.task}\n{said}"

    def say(self, answer: str) -> None:
        """Carry out what an answer chooses; the stream may be `over` then."""
        chosen, note = parse(answer, self.menu), ""
        if chosen is None:
            self.invalid += 1
            chosen = int(self._random.integers(len(self.menu)))
            note = f"That chooses nothing of the menu, so this was drawn: {self.menu[chosen]}\n"
        said, reward, ended, cut, _ = self._env.step(self.menu[chosen])
        self.said, self.reward = f"{note}{said}\nReward: {reward:g}", reward
        self.regret -= reward
        self.over = (ended or cut) and self.episode + 1 == self.episodes
        if (ended or cut) and not self.over:
            self.said += f"\n\n{self._next()}"

    @property
    def metrics(self) -> dict[str, float]:
        """Invalid answers so far; once the stream is over, the mean regret of an episode."""
        return {"invalid": self.invalid} | ({"regret": self.regret / self.episodes} if self.over else {})

    @property
    def choices(self) -> str:
        """The menu, a subgoal a line."""
        return "\n".join(f"{letter}. {one}" for letter, one in zip(letters(len(self.menu)), self.menu, strict=True))

    def close(self) -> None:
        """Give the world back."""
        self._env.close()
