"""One run of any world with tables as a plain Gymnasium environment of sentences: what `gymnasium.make` returns."""

from difflib import get_close_matches
from itertools import product
from typing import Any

import gymnasium as gym
import numpy as np

from parley.core.draws import Draws, Purpose
from parley.core.errors import BadInput
from parley.core.latents import draw_latent
from parley.core.roles import TextEnvs, World
from parley.core.spec import is_count
from parley.core.text import shown
from parley.worlds.kit.script import SentenceSpace


class SingleRun(gym.Env[str, str]):
    """A run: one latent, one episode after another; the action is a subgoal, the observation a sentence.

    `reset(seed=s)` begins run 0 of seed s, the very run that `parley run --seed s` makes; `reset()` begins the next
    episode of the run. `latent` is a name, an index, or None: then each run draws it from the prior. Instructions come
    in turn unless `options={"instruction": ...}` names one. `info` holds the menu and the instruction, nothing else.
    """

    def __init__(self, world: World, latent: str | int | None = None) -> None:
        if world.tables is None:
            raise BadInput(f"world {world.name!r} has no tables, so that its sentences are not known: use its TextEnv")
        self.world = world
        self._latent = None if latent is None else latent_index(world, latent)
        tables = world.tables
        joint = zip(tables.subgoals, product(*tables.menus), tables.at_random, strict=True)
        self._parts = {subgoal: parts for subgoal, parts, share in joint if share > 0}  # without forbidden ones
        self.action_space = SentenceSpace(tuple(self._parts))
        self.observation_space = SentenceSpace(tables.observations)
        self._envs: TextEnvs | None = None
        self._over = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin a run (where `seed` is given, and the first time) or the next episode of the run."""
        if not isinstance(options, dict | None):
            raise BadInput(f"options={shown(options)}: expected a dictionary, as in options={{'instruction': ...}}")
        super().reset(seed=seed)
        if seed is not None or self._envs is None:
            self._begin_run(int(self.np_random.integers(2**31)) if seed is None else seed)
        self._episode += 1
        instructions = self.world.instructions
        self.instruction = (options or {}).get("instruction", instructions[self._episode % len(instructions)])
        if self.instruction not in instructions:
            raise BadInput(f"instruction {self.instruction!r}: expected one of {', '.join(instructions)}")
        assert self._envs is not None
        said, _ = self._envs.reset(
            options={"episode": self._episode, "instructions": np.array([self.instruction], dtype=object)}
        )
        self._over = False
        return str(said[0]), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Carry out one subgoal (with several Actors: a joint one, its parts joined by " / ")."""
        if self._over or self._envs is None:
            raise gym.error.ResetNeeded("this episode is over: call reset() to begin the next one")
        if not isinstance(action, str) or action not in self._parts:
            raise BadInput(f"subgoal {shown(action)} is not on the menu: expected one of {', '.join(self._parts)}")
        said, rewards, terminated, truncated, _ = self._envs.step(np.array([self._parts[action]], dtype=object))
        ended, cut = bool(terminated[0]), bool(truncated[0])
        self._over = ended or cut
        if (
            self.world.horizon == 1
        ):  # a world of a single decision is over after it; Gymnasium calls nothing so short cut off
            ended, cut = self._over, False
        return str(said[0]), float(rewards[0]), ended, cut, self._info()

    def close(self) -> None:
        if self._envs is not None:
            self._envs.close()

    def _begin_run(self, seed: int) -> None:
        self.close()
        draws = Draws(seed, 1)
        drawn = draw_latent(self.world.prior, draws.uniform(Purpose.LATENT))
        self._envs = self.world.make(drawn if self._latent is None else np.array([self._latent]), draws)
        self._episode = -1

    def _info(self) -> dict[str, Any]:
        return {"menu": tuple(self._parts), "instruction": self.instruction}


def latent_index(world: World, latent: str | int) -> int:
    """The index of a latent given by name or by index; raises `BadInput` with a suggestion."""
    if isinstance(latent, str) and latent in world.latents:
        return world.latents.index(latent)
    if is_count(str(latent)) and int(latent) < len(world.latents):
        return int(latent)
    near = get_close_matches(str(latent), world.latents[:1000], 1) or world.latents[:1]
    raise BadInput(
        f"latent={latent!r}: world {world.name!r} has no such latent; give a name, for instance {near[0]!r}, "
        f"or an index from 0 to {len(world.latents) - 1}"
    )
