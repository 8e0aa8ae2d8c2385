"""What a world answers the loop, made sure of: ours, a plugin's, or an object that somebody gave."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.draws import Draws
from parley.core.errors import FAULTS, EnvironmentFailed, ParleyError
from parley.core.roles import TextEnvs, World
from parley.core.said import Menu
from parley.core.tables import Sentences
from parley.core.text import inert

MOST_PAID = 1e30  # of a reward: sums and squares of such numbers are finite too

T = TypeVar("T")
Step = tuple[Sentences, Float[np.ndarray, " B"], Any, Any, dict[str, Any]]


def made(world: World, latents: Int[np.ndarray, " B"], draws: Draws) -> TextEnvs:
    """The environments of a world; raises `EnvironmentFailed` where it raises, or makes no such thing."""
    envs = _sentence(lambda: world.make(latents, draws), "make")
    if missing := [name for name in ("reset", "step", "close") if not callable(getattr(envs, name, None))]:
        raise EnvironmentFailed(f"the world's `make` gave {_kind(envs)}: it has no method {missing[0]!r}")
    return envs


def plain(answer: T) -> T:
    """The answer of somebody else's method; raises `TypeError` where it is a coroutine or a generator."""
    if inspect.iscoroutine(answer) or inspect.isgenerator(answer):
        answer.close()
        raise TypeError("it is async, or a generator: expected a plain method")
    return answer


def begun(envs: TextEnvs, episode: int, instructions: Sentences) -> tuple[Sentences, dict[str, Any]]:
    """Begin an episode; raises `EnvironmentFailed` where the world raises, or answers no such thing."""
    answer = _sentence(lambda: envs.reset(options={"episode": episode, "instructions": instructions}), "reset")
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise EnvironmentFailed(f"the world's `reset` gave {_kind(answer)}: expected (observations, info)")
    heard, info = answer
    return _heard(heard, len(instructions)), _menus(info)


def stepped(envs: TextEnvs, parts: Sentences, active: Bool[np.ndarray, " B"]) -> Step:
    """Carry out subgoals (B, K); a run whose episode is over is paid 0. Raises as `begun` does."""
    answer = _sentence(lambda: envs.step(parts), "step")
    if not isinstance(answer, tuple) or len(answer) != 5:
        raise EnvironmentFailed(
            f"the world's `step` gave {_kind(answer)}: expected (observations, rewards, terminated, truncated, info)"
        )
    heard, rewards, terminated, truncated, info = answer
    for what, ended in (("terminated", terminated), ("truncated", truncated)):
        if np.shape(ended) != active.shape:
            raise EnvironmentFailed(f"the world gave {what} of shape {np.shape(ended)}: expected {active.shape}")
    return _heard(heard, len(active)), _paid(rewards, active), terminated, truncated, _menus(info)


def quietly(does: Callable[[], T], sentence: Callable[[str], ParleyError]) -> T:
    """The answer of somebody else's code, or the sentence made of what it raised; our own errors pass as they are."""
    try:
        return does()
    except ParleyError:
        raise
    except FAULTS as wrong:
        raise sentence(inert(f"{type(wrong).__name__}: {wrong}", 300)) from wrong


def _sentence(does: Callable[[], T], name: str) -> T:
    return quietly(
        does, lambda said: EnvironmentFailed(f"the world's `{name}` raised {said}: what was finished is saved")
    )


def _paid(rewards: Any, active: Bool[np.ndarray, " B"]) -> Float[np.ndarray, " B"]:
    """Rewards as finite numbers."""
    paid = rewards if isinstance(rewards, np.ndarray) else np.array(rewards, dtype=object)
    if paid.dtype.kind == "O" and all(isinstance(one, float | int | np.number) for one in paid.flat):
        paid = paid.astype(float)
    if paid.shape == active.shape and paid.dtype.kind in "fiub":
        kept = np.where(active, paid, 0.0)
        if (abs(kept) <= MOST_PAID).all():
            return kept
    raise EnvironmentFailed(
        f"the world gave rewards of {inert(repr(rewards), 80)}: expected {len(active)} finite numbers, "
        f"of size {MOST_PAID:g} at most"
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


def _menus(info: Any) -> dict[str, Any]:
    """`info`, which must hold a menu for each Actor."""
    menus = info.get("menus") if isinstance(info, dict) else None
    if not isinstance(menus, list) or not menus or not all(isinstance(menu, Menu) for menu in menus):
        raise EnvironmentFailed(
            f'the world\'s info["menus"] is {_kind(menus)}: expected a list, one `parley.Menu` for each Actor'
        )
    for menu in menus:
        said, legal = np.shape(menu.sentences), np.shape(menu.legal)
        if not len(said) == len(legal) == 2 or said[1] != legal[1]:
            raise EnvironmentFailed(
                f"a menu has sentences of shape {said}, legal of {legal}: expected (1 or runs, entries) of both"
            )
    return info


def _kind(value: Any) -> str:
    return f"{inert(repr(value), 80)} ({type(value).__name__})"
