"""Checks of somebody else's environment: the right thing, or one sentence that names the fault."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite, nan
from typing import Any, TypeVar

import numpy as np

from parley.core.answered import MOST_PAID
from parley.core.errors import FAULTS, BadInput, EnvironmentFailed, ParleyError
from parley.core.text import shown, whole

MOST_ENTRIES = 20_000  # of a menu
LONGEST = 10_000_000  # characters of a report

RAISED_BY = "raised by "  # begins the note on an exception that tells whose it is

T = TypeVar("T")
Step = tuple[Any, Any, Any, Any, Mapping[str, Any]]


def called(argument: str, function: Callable[..., T], *given: Any) -> T:
    """What a function gives that came as an argument; what it raises is noted to be its own."""
    try:
        return function(*given)
    except FAULTS as wrong:
        blame(wrong, f"`{argument}=`")
        raise


def blame(wrong: BaseException, whose: str) -> None:
    """Note on an exception whose it is, unless it is ours."""
    if not isinstance(wrong, ParleyError):
        wrong.add_note(RAISED_BY + whose)


def culprit(wrong: BaseException) -> str:
    """Whose an exception is: that of an argument, or else the environment's."""
    notes = [note for note in getattr(wrong, "__notes__", []) if note.startswith(RAISED_BY)]
    return notes[0].removeprefix(RAISED_BY) if notes else "the environment"


def environment(env: Any) -> Any:
    """What `make_env` gave; raises where it is no environment that can play one run."""
    if isinstance(env, type) or not callable(getattr(env, "reset", None)) or not callable(getattr(env, "step", None)):
        hint = f", the class {env.__name__}" if isinstance(env, type) else ""
        hint = ", which an async function does" if _closed(env) else hint
        raise BadInput(f"make_env gave a {type(env).__name__}{hint}: expected an environment with `reset` and `step`")
    kind = type(env).__name__
    if isinstance(many := getattr(env, "num_envs", None), int):
        raise BadInput(f"make_env gave a {kind}, {many} environments in one: expected one; Parley makes one for a run")
    if hasattr(env, "agent_iter"):
        raise BadInput(
            f"make_env gave a {kind}, whose agents take turns: make it parallel (PettingZoo's aec_to_parallel)"
        )
    try:
        told = inspect.signature(env.reset).parameters.values()
    except (TypeError, ValueError):  # one of Python's own may not tell
        return env
    if not any(one.name == "seed" or one.kind is one.VAR_KEYWORD for one in told):
        raise BadInput(
            f"make_env gave a {kind} whose `reset` takes no seed: expected reset(*, seed=None, options=None), "
            "which gives (observation, info), as in Gymnasium"
        )
    return env


def begun(answer: Any) -> tuple[Any, Mapping[str, Any]]:
    """Raw state and info of a `reset`; raises where it gave something else than Gymnasium's pair."""
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], Mapping):
        raise EnvironmentFailed(
            f"`reset` gave {_kind(answer)}: expected (observation, info), info being a dictionary, as in Gymnasium"
        )
    return answer


def stepped(answer: Any) -> Step:
    """The five things that a `step` gives; the four of the old Gym are understood."""
    if not isinstance(answer, tuple) or len(answer) not in (4, 5) or not isinstance(answer[-1], Mapping):
        raise EnvironmentFailed(
            f"`step` gave {_kind(answer)}: expected (observation, reward, terminated, truncated, info) as in "
            "Gymnasium, or (observation, reward, done, info) as in the old Gym. `info` is a dictionary"
        )
    if len(answer) == 5:
        return answer
    raw, paid, done, info = answer
    over, cut = truth(done), truth(info.get("TimeLimit.truncated"))
    return raw, paid, over and not cut, over and cut, info


def truth(ended: Any) -> bool:
    """Whether an episode has ended: a truth value or a number, alone or in an array of size 1; None is False."""
    try:
        value = ended.item() if hasattr(ended, "item") else ended
    except (TypeError, ValueError, RuntimeError):
        value = ended
    if value is None or (isinstance(value, bool | int | float) and isfinite(value)):
        return bool(value)
    raise EnvironmentFailed(f"the environment gave {_kind(ended)} for the end of an episode: expected True or False")


def number(paid: Any) -> float:
    """A reward as a finite number: of Python, NumPy or a tensor, alone or in an array of size 1."""
    try:
        value = paid.item() if hasattr(paid, "item") else paid  # arrays and tensors
        value = nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        value = nan
    if -MOST_PAID <= value <= MOST_PAID:
        return value
    _closed(paid)
    raise EnvironmentFailed(
        f"the environment gave a reward of {shown(paid)}: expected a finite number, of size {MOST_PAID:g} at most"
    )


def highest(score: Any) -> float:
    """The highest return, by which returns are divided; NaN where nobody knows it, or (0) there is nothing to score."""
    if score is None or (isinstance(score, int | float | np.number) and score == 0):
        return nan
    if isinstance(score, float | int | np.number) and 1 / MOST_PAID <= score <= MOST_PAID:
        return float(score)
    raise EnvironmentFailed(
        f"the environment gave a max_score of {shown(score)}: expected a number above 0, None where nobody knows it "
        f"(and {1 / MOST_PAID:g} to {MOST_PAID:g})"
    )


def text(said: Any, told_by: str = "describe") -> str:
    """A report as text that a file can hold; bytes are read as UTF-8. `told_by` is the argument that could mend it."""
    if isinstance(said, bytes):
        said = said.decode("utf-8", errors="replace")
    if not isinstance(said, str):
        raise EnvironmentFailed(
            f"the environment said {_kind(said)}, which is no text: give `{told_by}=`, a function to words"
        )
    if len(said) > LONGEST:
        raise EnvironmentFailed(f"the environment said {len(said):,} characters at once: expected {LONGEST:,} at most")
    return whole(said)


def entries(menu: Any) -> dict[str, Any]:
    """A menu as a dict of words to actions: in alphabetical order, which tells nothing; each entry once.

    A mapping tells its keys and does its values; of a list each text is both.
    """
    if isinstance(menu, str | bytes) or not isinstance(menu, Iterable):
        raise EnvironmentFailed(f"the menu is {_kind(menu)}: expected a list of texts")
    listed = list(menu)
    for i, entry in enumerate(listed):
        if not isinstance(entry, str) or not entry.strip():
            raise EnvironmentFailed(f"entry {i} of the menu is {shown(entry)}: expected a text of something to do")
    if not listed:
        raise EnvironmentFailed(
            "the menu is empty though the episode is not over: the environment offers nothing to do"
        )
    if len(listed) > MOST_ENTRIES:
        raise EnvironmentFailed(f"the menu has {len(listed):,} entries: expected {MOST_ENTRIES:,} at most")
    meant = menu if isinstance(menu, Mapping) else {}
    return {whole(entry): meant.get(entry, entry) for entry in sorted(listed)}


def _kind(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if _closed(value):
        return "a coroutine, as async functions do"
    return f"{shown(value)} ({type(value).__name__})"


def _closed(value: Any) -> bool:
    """Whether this is a coroutine, which nobody will wait for: it is closed."""
    if found := inspect.iscoroutine(value):
        value.close()
    return found


def shared(menu: Sequence[str]) -> str:
    """A menu in one line of an error."""
    return ", ".join(menu[:20]) + (f", and {len(menu) - 20} more" if len(menu) > 20 else "")
