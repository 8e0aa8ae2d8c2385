"""Any environment that is registered with Gymnasium, `gym:ID`; for some of them words and skills come with it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import gymnasium
import numpy as np

from parley.core.errors import BadInput
from parley.core.spec import TRUTHS
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.skills import See
from parley.worlds.kit.wrap import wrap
from parley.worlds.open.seeds import some

MOST_ACTIONS = 100  # of a discrete action space, that are listed by number


@dataclass(frozen=True)
class Told:
    """How an environment is told in words, and what can be told it."""

    describe: Callable[[Any], str] | None = None
    skills: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""
    max_score: float | None = None
    success_at: float = 1.0
    hidden: Callable[[int], Mapping[str, Any]] | None = None  # settings of a variation
    about: str = ""


def gym(
    id: str, variations: int = 0, first: int = 0, horizon: int = 0, settings: str = "", seeded_by: str = "episode"
) -> PhysicalWorld:
    """Any Gymnasium environment: gym:FrozenLake-v1. settings="name=value;..." go to gymnasium.make.

    Without `variations` nothing is hidden, unless seeded_by=variation: then the seed is, the same in all episodes of a
    run. FrozenLake has variations: each is another map.
    """
    told = WORDS.get(id.rpartition("-v")[0].rpartition("/")[2], Told())
    given = _settings(settings)
    if ":" in id:
        raise BadInput(f"id={id!r}: the module before the id would be imported: wrap it in Python, parley.wrap(...)")
    if id.startswith(("MiniGrid-", "BabyAI-")) and find_spec("minigrid"):
        import_module("minigrid")  # registers them
    try:
        spec = gymnasium.spec(id)
        if not told.skills or told.describe is None:
            probe = gymnasium.make(id, disable_env_checker=True, **given)
            space = probe.action_space
            probe.close()
    except (gymnasium.error.Error, ImportError, TypeError) as wrong:
        raise BadInput(f"id={id!r}: Gymnasium does not make it: {wrong}") from None
    skills = dict(told.skills) or _numbered(id, space)
    hidden, count = told.hidden, variations or (1000 if told.hidden else 0)
    if hidden and {"desc", "map_name"} & set(given):
        raise BadInput(f"settings={settings!r}: {id!r} has maps of its own here, one a variation: leave that out")
    if count and not hidden and seeded_by == "episode":
        raise BadInput(f"variations={variations}: {id!r} has none; seeded_by=variation makes its seed what is hidden")

    def make_env(*variation: int) -> Any:
        more = hidden(variation[0]) if hidden and variation else {}
        return gymnasium.make(id, disable_env_checker=True, **{**more, **given})

    return wrap(
        make_env,
        variations=some(first, count),
        seeded_by=seeded_by,
        horizon=horizon or (spec.max_episode_steps or 100),
        skills=skills or None,
        describe=told.describe,
        instruction=told.task or None,
        max_score=told.max_score,
        success_at=told.success_at,
        name=f"gym:{id}",
    )


def _settings(text: str) -> dict[str, Any]:
    """Settings as `gymnasium.make` takes them: numbers, truths, and words."""
    found: dict[str, Any] = {}
    for item in filter(None, text.split(";")):
        name, equals, value = item.partition("=")
        if not equals or not name.strip().isidentifier():
            raise BadInput(f"settings={text!r}: expected name=value;name=value, found {item!r}")
        value = value.strip()
        number: Any = value
        for kind in (int, float):
            try:
                number = kind(value)
                break
            except ValueError:
                continue
        found[name.strip()] = TRUTHS.get(value.lower(), number) if value.lower() in ("true", "false") else number
    return found


def _numbered(id: str, space: Any) -> dict[str, Any]:
    """A discrete action space by its numbers; a space of texts takes any words as they are."""
    if isinstance(space, gymnasium.spaces.Discrete) and space.n <= MOST_ACTIONS:
        return {f"action {i}": i for i in range(int(space.start), int(space.start + space.n))}
    if isinstance(space, gymnasium.spaces.Text):
        return {}
    raise BadInput(
        f"id={id!r}: its actions are {space}: nobody has said what can be told; wrap it in Python, "
        "parley.wrap(lambda: gymnasium.make(...), skills={...})"
    )


# ---- words that come with it ----


def _lake(variation: int) -> dict[str, Any]:
    from gymnasium.envs.toy_text.frozen_lake import generate_random_map

    return {"desc": generate_random_map(size=4, p=0.75, seed=variation), "is_slippery": False}


def _lake_words(state: int) -> str:
    return f"You stand on the ice in row {int(state) // 4 + 1}, column {int(state) % 4 + 1} of 4."


CORNERS = ("the red corner", "the green corner", "the yellow corner", "the blue corner")


def _taxi_words(state: int) -> str:
    rest, goal = divmod(int(state), 4)
    rest, passenger = divmod(rest, 5)
    row, column = divmod(rest, 5)
    where = "in the taxi" if passenger == 4 else f"at {CORNERS[passenger]}"
    return f"The taxi is in row {row + 1}, column {column + 1}. The passenger is {where} and wants to {CORNERS[goal]}."


def _cards(state: Any) -> str:
    mine, dealer, ace = (int(one) for one in state)
    return f"Your cards sum to {mine}, {'with' if ace else 'without'} an ace counted as 11. The dealer shows {dealer}."


def _cart_words(state: Any) -> str:
    x, speed, angle, turn = (float(one) for one in state)
    leans = f"{abs(np.degrees(angle)):.1f} degrees to the {'right' if angle > 0 else 'left'}"
    falls = "falling further" if angle * turn > 0 else "coming back"
    return f"The pole leans {leans}, {falls}. The cart is {x:+.1f} from the middle and moves at {speed:+.1f}."


def _hold(see: See) -> Iterator[int]:
    """Ten pushes towards the side to which the pole falls."""
    for _ in range(10):
        _, speed, angle, turn = see()
        yield int(angle + 0.4 * turn + 0.05 * speed > 0)


def _push(side: int) -> list[int]:
    return [side] * 3


def _reacher_words(state: Any) -> str:
    away = float(np.hypot(state[8], state[9])) * 100
    side = "right" if state[8] < 0 else "left"
    return f"The finger is {away:.0f} cm from the target, which lies to its {side} and {_ahead(state[9])} it."


def _ahead(y: float) -> str:
    return "above" if y < 0 else "below"


def _turn(shoulder: float, elbow: float) -> list[np.ndarray]:
    return [np.array([shoulder, elbow], dtype=np.float32)] * 3


def _reach(see: See) -> Iterator[np.ndarray]:
    """Five actions down the gradient of the distance: the transposed Jacobian of the two-link arm."""
    for _ in range(5):
        s = see()
        one, both = np.arctan2(s[2], s[0]), np.arctan2(s[2], s[0]) + np.arctan2(s[3], s[1])
        tip = 0.11 * np.array([-np.sin(both), np.cos(both)])
        jacobian = np.stack([0.1 * np.array([-np.sin(one), np.cos(one)]) + tip, tip], axis=1)
        pull = -jacobian.T @ np.asarray(s[8:10]) * 60 - 0.05 * np.asarray(s[6:8])
        yield np.clip(pull, -1, 1).astype(np.float32)


DRIVER = {
    "go south": 0,
    "go north": 1,
    "go east": 2,
    "go west": 3,
    "take the passenger in": 4,
    "let the passenger out": 5,
}
FOUR = {"go left": 0, "go down": 1, "go right": 2, "go up": 3}
WORDS: dict[str, Told] = {
    "FrozenLake": Told(_lake_words, FOUR, "cross the ice to row 4, column 4; some of it is thin", 1.0, hidden=_lake),
    "Taxi": Told(
        _taxi_words,
        DRIVER,
        "bring the passenger where they want to go, in as few steps as you can",
        20.0,
        success_at=-0.5,  # of a success at least -200 + 20 is paid; who brings nobody pays at least a step each
    ),
    "Blackjack": Told(_cards, {"stick": 0, "hit": 1}, "win: come closer to 21 than the dealer, and not above it", 1.0),
    "CartPole": Told(
        _cart_words,
        {"balance": _hold, "push to the left": _push(0), "push to the right": _push(1)},
        "keep the pole upright",
        500.0,
    ),
    "Reacher": Told(
        _reacher_words,
        {
            "reach for the target": _reach,
            "turn the shoulder left": _turn(0.5, 0),
            "turn the shoulder right": _turn(-0.5, 0),
            "bend the elbow left": _turn(0, 0.5),
            "bend the elbow right": _turn(0, -0.5),
        },
        "bring the finger to the target",
    ),
}
