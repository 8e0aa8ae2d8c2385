"""An environment, an Actor and a Reporter composed into one text environment: one step is one whole subgoal."""

from math import isfinite
from typing import Any, NoReturn, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np

from parley.core.answered import MOST_PAID
from parley.core.errors import FAULTS, BadInput, EnvironmentFailed
from parley.core.roles import Actor, Reporter
from parley.core.text import inert
from parley.worlds.kit.given import begun, blame, called, entries, highest, number, shared, stepped, text, truth
from parley.worlds.kit.script import FREE, AnyText, Info, Script, SentenceSpace

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
    that has not ended after `max_actions` is stopped. If there is a `voice`, a Reporter with an error, the planner
    hears it instead. Rewards still follow `reporter`, or the low level itself, as the script has it. With `low_seed`
    every episode of the low level has that seed: then it belongs to what is hidden.
    """

    def __init__(
        self,
        low: gym.Env[Any, Any],
        actor: Actor,
        reporter: Reporter,
        script: Script,
        voice: Reporter | None = None,
        max_actions: int = 1000,
        low_seed: int | None = None,
    ) -> None:
        self.low, self.actor, self.reporter, self.script, self.voice = low, actor, reporter, script, voice
        self.max_actions, self._low_seed = max_actions, low_seed
        fixed, known = script.own.menu is None, bool(script.observations)
        self.action_space = SentenceSpace(tuple(filter(script.allows, script.subgoals))) if fixed else AnyText()
        self.observation_space = SentenceSpace(script.observations) if known else AnyText()
        self.instruction = script.instructions[0] if script.instructions else ""
        self.num_actions, self.event = 0, ""
        self.raw: Any = None  # the low level's state, for checks of tables against it
        self.menu: tuple[str, ...] | None = script.subgoals if fixed else None  # None: anything can be said
        self.max_score = np.nan
        self._last: Info = {}  # the newest info of the low level
        self._does: dict[str, Any] = {}  # what an entry of the environment's own menu stands for
        self._left = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode under `options["instruction"]` (the first one unless told, or the environment's own)."""
        super().reset(seed=seed)
        self._left, self.num_actions, self.event = self.script.horizon, 0, ""
        drawn = int(self.np_random.integers(2**31))
        self.raw, info = begun(self.low.reset(seed=drawn if self._low_seed is None else self._low_seed))
        if not finite(self.raw):
            raise _not_finite("an observation", 0, "reset")
        if isinstance(self.actor, RandomActor):
            self.actor.reseed(int(self.np_random.integers(2**31)))
        for speaks in (self.reporter, self.voice):
            if isinstance(speaks, EpisodicReporter):
                speaks.begin()
        self.instruction = self._task((options or {}).get("instruction"), info)
        self.max_score = highest(called("max_score", self.script.own.max_score, info))
        said = self._heard(self._report())
        self._last = info
        self._offer(info)
        return said, self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Carry out one subgoal; `truncated` at the horizon, `terminated` where the low level has ended."""
        if not self._left:
            raise gym.error.ResetNeeded("this episode has reached its horizon: call reset() to begin another one")
        if self.script.own.menu is None and action not in self.action_space:
            self._refuse(action)
        self._left, self.num_actions, self.event = self._left - 1, 0, ""
        paid, ended, cut, info = self._carry_out(action)
        said = self._report()
        reward = (
            paid if self.script.reward is None else number(called("reward", self.script.reward, said, self.instruction))
        )
        over = ended or cut or not self._left
        if not over:
            self._offer(info)
        said = self._heard(said)
        if self.script.own.says_reward and (reward or over):
            said = with_reward(said, reward)
        self._left = 0 if over else self._left
        return said, reward, ended, over and not ended, self._info()

    def acted_by(self, actor: Actor) -> "TextEnv":
        """The same with another Actor."""
        self.actor = actor
        return self

    def heard_through(self, voice: Reporter) -> "TextEnv":
        """The same world, whose planner hears another Reporter; rewards stay as before."""
        self.voice = voice
        return self

    def close(self) -> None:
        if callable(close := getattr(self.low, "close", None)):
            close()

    def _task(self, asked: str | None, info: Info) -> str:
        """The episode's instruction: the environment's own, or the one that was asked for."""
        if self.script.own.instruction is not None:
            return text(called("instruction", self.script.own.instruction, self.raw, info), "instruction")
        known = self.script.instructions
        if asked is not None and asked not in known:
            raise BadInput(f"instruction {asked!r}: expected one of {', '.join(known)}")
        return known[0] if asked is None else asked

    def _offer(self, info: Info) -> None:
        """Take up the environment's own menu, where it has one."""
        source = self.script.own.menu
        if source is None or source == FREE:
            return
        assert not isinstance(source, str)
        self._does = entries(called("menu", source, self.raw, info))
        self.menu = tuple(self._does)

    def _report(self) -> str:
        return text(called("describe", self.reporter.report, self.raw, self.np_random))

    def _carry_out(self, subgoal: str) -> tuple[float, bool, bool, Info]:
        """Let the Actor act to its end: what was paid, whether the episode below is over or cut, its last info."""
        told = subgoal
        if self.script.own.menu is not None and self.menu is not None:
            if subgoal not in self._does:
                self._refuse(subgoal)
            told = self._does[subgoal]
        called("skills", self.actor.begin, told)
        # Local and written out, since a call after a step of physics takes a microsecond, a fiftieth of a step.
        act, step, raw, taken, kept = self.actor.act, self.low.step, self.raw, 0, self._kept()
        total, info, alike = 0.0, self._last, (getattr(raw, "dtype", None), getattr(raw, "shape", None))
        try:
            for taken in range(self.max_actions):
                try:
                    move = act(raw)
                except FAULTS as wrong:
                    blame(wrong, f"`skills=` (told {subgoal!r:.80})")
                    raise
                if move is None:
                    return total, False, False, info
                answer = step(move)
                if type(answer) is not tuple or len(answer) != 5 or type(answer[4]) is not dict:
                    answer = stepped(answer)
                raw, paid, terminated, truncated, info = answer
                if kept is not None and type(raw) is np.ndarray and (raw.dtype, raw.shape) == alike:
                    kept[taken] = raw
                elif type(raw) is not str and not finite(raw):
                    raise _not_finite("an observation", taken + 1, subgoal)
                if type(paid) is not float or not -MOST_PAID <= paid <= MOST_PAID:
                    if isinstance(paid, float) and not isfinite(paid):
                        raise _not_finite("a reward", taken + 1, subgoal)
                    paid = number(paid)
                total += paid
                if terminated is not False or truncated is not False:
                    ended, cut = truth(terminated), truth(truncated)
                    if ended or cut:
                        taken += 1
                        return total, ended, cut, info
            taken = self.max_actions
            if act(raw) is not None:
                self.event = f"the Actor had not ended {subgoal!r} after {taken} actions and was stopped"
            return total, False, False, info
        finally:
            self.raw, self.num_actions, self._last = raw, taken, info
            if taken and isinstance(info.get("event"), str):
                self.event = inert(info["event"], 200)
            # Also where something raised: it may be what a number that is not finite led to.
            if kept is not None and not (sound := np.isfinite(kept[:taken]).all(axis=1)).all():
                raise _not_finite("an observation", int(sound.argmin()) + 1, subgoal)

    def _kept(self) -> np.ndarray | None:
        """Room for the raw states of a subgoal where they are few floats: checked all at once, each costs less."""
        if isinstance(self.raw, np.ndarray) and self.raw.dtype.kind == "f" and self.raw.ndim == 1:
            if self.max_actions * self.raw.size <= MOST_KEPT:
                return np.zeros((self.max_actions, self.raw.size))  # some rows may stay empty
        return None

    def _refuse(self, subgoal: str) -> NoReturn:
        if self.script.own.menu is None and subgoal in self.script.subgoals:
            raise BadInput(f"subgoal {subgoal!r}: two of its parts are forbidden together; tell one Actor another")
        raise BadInput(f"subgoal {subgoal!r} is not on the menu: expected one of {shared(self.menu or ())}")

    def _heard(self, said: str) -> str:
        return said if self.voice is None else text(self.voice.report(self.raw, self.np_random))

    def _info(self) -> dict[str, Any]:
        return {"menu": self.menu, "instruction": self.instruction}


def with_reward(said: str, reward: float) -> str:
    """A report and its reward: in a line of its own if the report has several.

    >>> with_reward("You win!", 1), with_reward("state 9", -0.5)
    ('You win! Reward: 1.', 'state 9. Reward: -0.5.')
    """
    if "\n" in said:
        return f"{said}\nReward: {reward:g}."
    return f"{said}{'' if said.endswith(('.', '!', '?')) else '.'} Reward: {reward:g}."


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
    if isinstance(value, str | bytes | int | None):
        return True
    array = np.asarray(value)
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _not_finite(what: str, taken: int, during: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"the environment gave {what} that is not finite, after {taken} low-level actions of "
        f"{during!r}: mend the environment, or bound what the Actor may do to it"
    )
