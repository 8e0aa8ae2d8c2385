"""An environment, an Actor and a Reporter composed into one text environment: one step is one whole subgoal."""

from math import isfinite
from typing import Any, NoReturn, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np

from parley.core.errors import BadInput, EnvironmentFailed
from parley.core.roles import Actor, Reporter
from parley.worlds.kit.script import Script, SentenceSpace

MOST_KEPT = 100_000  # numbers of the raw states of one subgoal


@runtime_checkable
class RandomActor(Protocol):
    """An Actor that draws its actions."""

    def reseed(self, seed: int) -> None:
        """Begin an episode whose actions are a function of `seed`."""


@runtime_checkable
class EpisodicReporter(Protocol):
    """A Reporter that remembers something of the episode."""

    def begin(self) -> None:
        """An episode begins."""


class TextEnv(gym.Env[str, str]):
    """A low-level environment, an Actor and a Reporter as a Gymnasium environment of sentences.

    The action is a subgoal, which the Actor runs to its end; the observation is what the Reporter says then. Raw states
    and the latent stay inside: `info` holds the menu and the instruction, nothing else. `num_actions` is how many
    low-level actions the last subgoal took, `event` what went wrong in it (for the log; no planner is told). An Actor
    that has not ended after `max_actions` is stopped. Where there is a `voice`, a Reporter with an error, the planner
    hears it instead; what is done is paid by what `reporter` says.
    """

    def __init__(
        self,
        low: gym.Env[Any, Any],
        actor: Actor,
        reporter: Reporter,
        script: Script,
        voice: Reporter | None = None,
        max_actions: int = 1000,
    ) -> None:
        self.low, self.actor, self.reporter, self.script, self.voice = low, actor, reporter, script, voice
        self.max_actions = max_actions
        self.action_space = SentenceSpace(tuple(filter(script.allows, script.subgoals)))
        self.observation_space = SentenceSpace(script.observations)
        self.instruction = script.instructions[0]
        self.num_actions, self.event = 0, ""
        self.raw: Any = None  # the low level's state, for whoever holds tables against it
        self._left = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode under `options["instruction"]` (the first one unless told)."""
        super().reset(seed=seed)
        self.instruction = (options or {}).get("instruction", self.script.instructions[0])
        if self.instruction not in self.script.instructions:
            raise BadInput(f"instruction {self.instruction!r}: expected one of {', '.join(self.script.instructions)}")
        self._left, self.num_actions, self.event = self.script.horizon, 0, ""
        self.raw, _ = self.low.reset(seed=int(self.np_random.integers(2**31)))
        if not finite(self.raw):
            raise _not_finite("an observation", 0, "reset")
        if isinstance(self.actor, RandomActor):
            self.actor.reseed(int(self.np_random.integers(2**31)))
        for speaks in (self.reporter, self.voice):
            if isinstance(speaks, EpisodicReporter):
                speaks.begin()
        return self._heard(self.reporter.report(self.raw, self.np_random)), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Carry out one subgoal; `truncated` at the horizon, `terminated` where the low level has ended."""
        if not self._left:
            raise gym.error.ResetNeeded("this episode has reached its horizon: call reset() to begin another one")
        if action not in self.action_space:
            self._refuse(action)
        self._left, self.num_actions, self.event = self._left - 1, 0, ""
        ended = self._carry_out(action)
        said = self.reporter.report(self.raw, self.np_random)
        return self._heard(said), self.script.reward(said, self.instruction), ended, not self._left, self._info()

    def heard_through(self, voice: Reporter) -> "TextEnv":
        """The same, whose planner hears another Reporter; what is done is paid as before."""
        self.voice = voice
        return self

    def close(self) -> None:
        self.low.close()

    def _carry_out(self, subgoal: str) -> bool:
        """Let the Actor act to its end; whether the low level's episode is over."""
        self.actor.begin(subgoal)
        # Local and written out, since a call after a step of physics takes a microsecond, a fiftieth of a step.
        act, step, raw, taken, kept = self.actor.act, self.low.step, self.raw, 0, self._kept()
        try:
            for taken in range(self.max_actions):
                if (move := act(raw)) is None:
                    return False
                raw, paid, terminated, truncated, _ = step(move)
                if kept is not None:
                    kept[taken] = raw
                elif not finite(raw):
                    raise _not_finite("an observation", taken + 1, subgoal)
                if paid != 0.0 and not finite(paid):
                    raise _not_finite("a reward", taken + 1, subgoal)
                if terminated or truncated:
                    taken += 1
                    return True
            taken = self.max_actions
            if act(raw) is not None:
                self.event = f"the Actor had not ended {subgoal!r} after {taken} actions and was stopped"
            return False
        finally:
            self.raw, self.num_actions = raw, taken
            # Also where something raised: it may be what a number that is not finite led to.
            if kept is not None and not (sound := np.isfinite(kept[:taken]).all(axis=1)).all():
                raise _not_finite("an observation", int(sound.argmin()) + 1, subgoal)

    def _kept(self) -> np.ndarray | None:
        """Room for the raw states of a subgoal where they are few floats: checked all at once, each costs less."""
        if isinstance(self.raw, np.ndarray) and self.raw.dtype.kind == "f" and self.raw.ndim == 1:
            if self.max_actions * self.raw.size <= MOST_KEPT:
                return np.empty((self.max_actions, self.raw.size))
        return None

    def _refuse(self, subgoal: str) -> NoReturn:
        if subgoal in self.script.subgoals:
            raise BadInput(f"subgoal {subgoal!r}: two of its parts are forbidden together; tell one Actor another")
        raise BadInput(f"subgoal {subgoal!r} is not on the menu: expected one of {', '.join(self.script.subgoals)}")

    def _heard(self, said: str) -> str:
        return said if self.voice is None else self.voice.report(self.raw, self.np_random)

    def _info(self) -> dict[str, Any]:
        return {"menu": self.script.subgoals, "instruction": self.instruction}


def finite(value: Any) -> bool:
    """Whether all numbers in a raw state (arrays, numbers, and dicts, tuples or lists of them) are finite.

    >>> finite({"place": np.zeros(2), "speed": (1.0, float("nan"))})
    False
    """
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return bool(np.isfinite(value).all())
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(finite, value))
    array = np.asarray(value)
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _not_finite(what: str, taken: int, during: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"the environment gave {what} that is not finite, after {taken} low-level actions of "
        f"{during!r}: mend the environment, or bound what the Actor may do to it"
    )
