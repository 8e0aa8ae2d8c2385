"""A text environment whose low level may raise: it is made anew, and its episode repeated from the seed."""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from gymnasium.error import ResetNeeded

from parley.core.errors import FAULTS, EnvironmentFailed, ParleyError
from parley.core.text import raised
from parley.worlds.kit.given import culprit
from parley.worlds.kit.text_env import TextEnv

T = TypeVar("T")


class GuardedEnv:
    """A `TextEnv` made by `make`; where it raises once, a fresh one repeats the episode and `event` says so.

    An episode is a function of its seed and the subgoals, so that nobody who plans can tell. Raises `EnvironmentFailed`
    where the fresh one raises too, or says something else than was said before.
    """

    def __init__(self, make: Callable[[], TextEnv], where: str, repeats: bool = True) -> None:
        self._make, self._where, self._repeats = make, where, repeats
        self.env = self._begin()
        self.script = self.env.script
        self.action_space, self.observation_space = self.env.action_space, self.env.observation_space
        self.event = ""

    @property
    def low(self) -> Any:
        return self.env.low

    @property
    def num_actions(self) -> int:
        return self.env.num_actions

    @property
    def menu(self) -> tuple[str, ...] | None:
        return self.env.menu

    @property
    def instruction(self) -> str:
        return self.env.instruction

    @property
    def max_score(self) -> float:
        return self.env.max_score

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """As `TextEnv.reset`."""
        self._begun: dict[str, Any] = {"seed": seed, "options": options}
        self._past: list[tuple[str | None, int]] = []  # None and then the subgoals, and what came of them
        return self._kept(None)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """As `TextEnv.step`."""
        return self._kept(action)

    def close(self) -> None:
        with contextlib.suppress(Exception):  # a broken environment may not even close; all that it said is heard
            self.env.close()

    def _begin(self) -> TextEnv:
        try:
            return self._make()
        except ParleyError:
            raise
        except FAULTS as wrong:
            raise EnvironmentFailed(f"{self._where}: the environment cannot be made: {raised(wrong)}") from wrong

    def _kept(self, action: str | None) -> Any:
        """The answer to a subgoal, or to `reset`."""
        answer = self._attempt(lambda: self._ask(action))
        self._past.append((action, _mark(answer)))
        return answer

    def _ask(self, action: str | None) -> Any:
        return self.env.reset(**self._begun) if action is None else self.env.step(action)

    def _attempt(self, does: Callable[[], T]) -> T:
        try:
            answer = does()
            self.event = self.env.event
            return answer
        except EnvironmentFailed as wrong:
            raise EnvironmentFailed(f"{self._where}: {wrong}") from None
        except (ParleyError, ResetNeeded):
            raise
        except FAULTS as first:
            if not self._repeats:
                raise EnvironmentFailed(
                    f"{self._where}: {culprit(first)} raised {raised(first)}, and the environment cannot repeat its "
                    "episode: what was finished is saved; resume, and the episode is begun anew"
                ) from first
            try:
                self._repeat(f"{culprit(first)} raised {raised(first)}")
                answer = does()
            except ParleyError:
                raise
            except FAULTS as again:
                raise EnvironmentFailed(
                    f"{self._where}: {culprit(first)} raised {raised(first)}, and in a fresh one "
                    f"{raised(again)}: what was finished is saved; mend {culprit(first)} and resume"
                ) from again
            self.event = f"{culprit(first)} raised {raised(first)}; a fresh one repeated the episode"
            return answer

    def _repeat(self, why: str) -> None:
        self.close()
        self.env = self._make()
        for subgoal, told in self._past:
            if _mark(self._ask(subgoal)) != told:
                what = "the episode's beginning" if subgoal is None else f"what {subgoal!r} led to"
                raise EnvironmentFailed(
                    f"{self._where}: {why}, and a fresh environment does not repeat {what}: what was finished is "
                    "saved; say deterministic=False, and an episode is begun anew on resuming"
                )


def _mark(answer: Any) -> int:
    """What tells an answer from another one: all of it, its menu too."""
    *told, info = answer
    return hash((*told, info["menu"], info["instruction"]))
