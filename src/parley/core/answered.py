"""What a world answers the loop, made sure of: ours, a plugin's, or an object that somebody gave."""

import contextlib
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.checks import array_of
from parley.core.draws import Draws
from parley.core.errors import FAULTS, EnvironmentFailed, ParleyError
from parley.core.roles import TextEnvs, World
from parley.core.said import Menu
from parley.core.tables import Sentences
from parley.core.text import raised, shown

MOST_PAID = 1e30  # of a reward: sums and squares of such numbers are finite too

T = TypeVar("T")
Step = tuple[Sentences, Float[np.ndarray, " B"], Any, Any, dict[str, Any]]


def made(world: World, latents: Int[np.ndarray, " B"], draws: Draws) -> TextEnvs:
    """The environments of a world; raises `EnvironmentFailed` where it raises, or makes no such thing."""
    return _sentence(lambda: _made(world.make(latents, draws)), "make")


def _made(envs: Any) -> TextEnvs:
    if missing := [name for name in ("reset", "step", "close") if not callable(getattr(plain(envs), name, None))]:
        raise EnvironmentFailed(f"the world's `make` gave {_kind(envs)}: it has no method {missing[0]!r}")
    found: TextEnvs = envs
    return found


def plain(answer: T) -> T:
    """The answer of somebody else's method; raises `TypeError` where it is a coroutine or a generator."""
    if inspect.iscoroutine(answer) or inspect.isgenerator(answer):
        answer.close()
        raise TypeError("it is async, or a generator: expected a plain method")
    return answer


def begun(envs: TextEnvs, episode: int, instructions: Sentences) -> tuple[Sentences, dict[str, Any]]:
    """Begin an episode; raises `EnvironmentFailed` where the world raises, or answers no such thing."""
    asked = {"episode": episode, "instructions": instructions}
    return _sentence(lambda: _begun(envs.reset(options=asked), len(instructions)), "reset")


def _begun(answer: Any, num_runs: int) -> tuple[Sentences, dict[str, Any]]:
    answer = plain(answer)
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise EnvironmentFailed(f"the world's `reset` gave {_kind(answer)}: expected (observations, info)")
    heard, info = answer
    info = _menus(info, num_runs)
    if "instructions" in info:
        info = {**info, "instructions": _heard(info["instructions"], num_runs)}
    if info.get("max_scores") is not None:
        info = {**info, "max_scores": _highest(info["max_scores"], num_runs)}
    return _heard(heard, num_runs), info


def stepped(envs: TextEnvs, parts: Sentences, active: Bool[np.ndarray, " B"]) -> Step:
    """Carry out subgoals (B, K); a run whose episode is over is paid 0. Raises as `begun` does."""
    return _sentence(lambda: _stepped(envs.step(parts), active), "step")


def _stepped(answer: Any, active: Bool[np.ndarray, " B"]) -> Step:
    answer = plain(answer)
    if not isinstance(answer, tuple) or len(answer) != 5:
        raise EnvironmentFailed(
            f"the world's `step` gave {_kind(answer)}: expected (observations, rewards, terminated, truncated, info)"
        )
    heard, rewards, terminated, truncated, info = answer
    over = _ended("terminated", terminated, active), _ended("truncated", truncated, active)
    return _heard(heard, len(active)), _paid(rewards, active), *over, _menus(info, len(active))


def closed(envs: TextEnvs) -> None:
    """Close what a world made. All that it did is recorded by then, so that a fault in closing takes nothing back."""
    with contextlib.suppress(*FAULTS):
        plain(envs.close())  # type: ignore[func-returns-value]


def quietly(does: Callable[[], T], sentence: Callable[[str], ParleyError]) -> T:
    """The answer of somebody else's code, or the sentence made of what it raised; our own errors pass as they are."""
    try:
        return does()
    except ParleyError:
        raise
    except FAULTS as wrong:
        raise sentence(raised(wrong)) from wrong


def _sentence(does: Callable[[], T], name: str) -> T:
    return quietly(
        does,
        lambda said: EnvironmentFailed(f"the world's `{name}` raised {said}: what was finished is saved"),
    )


def _paid(rewards: Any, active: Bool[np.ndarray, " B"]) -> Float[np.ndarray, " B"]:
    """Rewards as finite numbers."""
    paid = array_of(rewards)
    if paid.dtype.kind == "O" and all(isinstance(one, float | int | np.number) for one in paid.flat):
        with contextlib.suppress(OverflowError):  # of whole numbers
            paid = paid.astype(float)
    if paid.shape == active.shape and paid.dtype.kind in "fiub":
        kept = np.where(active, paid, 0.0)
        if (abs(kept) <= MOST_PAID).all():
            return kept
    raise EnvironmentFailed(
        f"the world gave rewards of {shown(rewards)}: expected {len(active)} finite numbers, "
        f"of size {MOST_PAID:g} at most"
    )


def _ended(what: str, given: Any, active: Bool[np.ndarray, " B"]) -> Bool[np.ndarray, " B"]:
    """Which episodes have ended, as truths."""
    ended = array_of(given)
    if ended.shape != active.shape:
        raise EnvironmentFailed(f"the world gave {what} of shape {ended.shape}: expected {active.shape}")
    if ended.dtype.kind == "b":
        return ended
    if all(isinstance(one, bool | np.bool_ | int | np.integer) for one in ended.tolist()):
        return ended.astype(bool)
    raise EnvironmentFailed(f"the world gave {what} of {shown(given)}: expected True or False for each run")


def _highest(given: Any, num_runs: int) -> Float[np.ndarray, " B"]:
    """The highest returns, NaN where they are unknown, or (0) there is nothing to score."""
    scores = array_of(given)
    if scores.shape == (num_runs,) and scores.dtype.kind in "fiu":
        scores = np.where(scores == 0, np.nan, scores)
        if not (scores < 0).any() and not np.isinf(scores).any():
            return scores
    raise EnvironmentFailed(
        f"the world gave max_scores of {shown(given)}: expected {num_runs} numbers above 0, NaN if unknown"
    )


def _heard(heard: Any, num_runs: int) -> Sentences:
    """What was said, as an array of texts."""
    said = heard if isinstance(heard, np.ndarray) and heard.dtype == object else np.array(heard, dtype=object)
    if said.shape != (num_runs,):
        raise EnvironmentFailed(f"the world said {_kind(heard)}: expected a sentence for each of {num_runs} runs")
    if {*map(type, said.tolist())} != {str}:
        if strange := [one for one in said.tolist() if not isinstance(one, str)]:
            raise EnvironmentFailed(f"the world said {_kind(strange[0])}: expected a text")
        said = np.array([*map(str.__str__, said), None], dtype=object)[:-1]
    return said


def _menus(info: Any, num_runs: int) -> dict[str, Any]:
    """`info`, which must hold a menu for each Actor."""
    menus = info.get("menus") if isinstance(info, dict) else None
    if not isinstance(menus, list) or not menus or not all(isinstance(menu, Menu) for menu in menus):
        raise EnvironmentFailed(
            f'the world\'s info["menus"] is {_kind(menus)}: expected a list, one `parley.Menu` for each Actor'
        )
    for menu in menus:
        if not isinstance(menu.sentences, np.ndarray) or getattr(menu.legal, "dtype", None) != np.bool_:
            raise EnvironmentFailed(
                f"a menu has sentences in a {type(menu.sentences).__name__}, legal in a {type(menu.legal).__name__}: "
                "expected arrays of texts and of truths"
            )
        said, legal = menu.sentences.shape, menu.legal.shape
        if not len(said) == len(legal) == 2 or said[1] != legal[1] or not {said[0], legal[0]} <= {1, num_runs}:
            raise EnvironmentFailed(
                f"a menu has sentences of shape {said}, legal of {legal}: expected (1 or runs, entries) of both, "
                f"of {num_runs} runs"
            )
    return info


def _kind(value: Any) -> str:
    return f"{shown(value)} ({type(value).__name__})"
