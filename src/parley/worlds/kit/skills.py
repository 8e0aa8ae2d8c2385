"""Actors made from what a user has: named generators, policies, lists of actions, single actions; and commands."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import GeneratorType
from typing import Any

from parley.core.errors import BadInput
from parley.core.text import shown, whole

See = Callable[[], Any]  # the newest raw state


class Typist:
    """Does what it is told, once: for environments whose actions are the subgoals themselves."""

    def begin(self, subgoal: Any) -> None:
        """Take up a command."""
        self._command: Any | None = subgoal

    def act(self, state: Any) -> Any | None:
        """The command, then None."""
        command, self._command = self._command, None
        return command


class Skilled:
    """Runs the named skill to its end.

    A skill is one of four things. A generator function `def ahead(see): ...` yields actions, where `see()` is the
    newest raw state. A policy is a function of the raw state to an action, or to None at its end. A list holds actions.
    Anything else is a single action.
    """

    def __init__(self, skills: Mapping[str, Any]) -> None:
        if not skills:
            raise BadInput("skills is empty: expected at least one skill, a name and what it does")
        if wrong := [name for name in skills if not isinstance(name, str) or not name.strip()]:
            raise BadInput(f"skills: {shown(wrong[0])} is no name: expected a text of something to do")
        if once := [name for name, skill in skills.items() if isinstance(skill, Iterator)]:
            raise BadInput(f"skill {once[0]!r} can run only once: give the generator function, or a list of actions")
        if waits := [name for name, skill in skills.items() if _is_async(skill)]:
            raise BadInput(f"skill {waits[0]!r:.80} is async: expected a plain function or generator")
        self.skills = {whole(name): skill for name, skill in skills.items()}

    def begin(self, subgoal: str) -> None:
        """Take up a skill by its name."""
        if subgoal not in self.skills:
            raise BadInput(f"there is no skill {subgoal!r}: expected one of {', '.join(self.skills)}")
        skill = self.skills[subgoal]
        if inspect.isgeneratorfunction(skill):
            actions: Iterator[Any] = skill(lambda: self._state)
            self._next: Callable[[Any], Any | None] = lambda state: next(actions, None)
        elif callable(skill):
            self._next = skill
        else:
            listed = iter(skill if isinstance(skill, list) else [skill])
            self._next = lambda state: next(listed, None)

    def act(self, state: Any) -> Any | None:
        """The next action, or None when the skill is at its end."""
        self._state = state
        action = self._next(state)
        if inspect.iscoroutine(action):
            action.close()
            raise BadInput("a skill gave a coroutine: it is async, expected a plain function or generator")
        if isinstance(action, GeneratorType):
            raise BadInput("a skill gave a generator: make it a generator function itself, or functools.partial of one")
        return action


def _is_async(skill: Any) -> bool:
    return inspect.iscoroutinefunction(skill) or inspect.isasyncgenfunction(skill)
