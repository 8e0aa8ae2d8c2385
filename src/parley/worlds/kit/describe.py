"""Raw states in words, where nobody has said how: texts, numbers, dictionaries of them, MiniGrid's view."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.worlds.kit.given import text

MOST = 32  # numbers that are told one by one
OBJECTS = "unseen empty wall floor door key ball box goal lava agent".split()  # as MiniGrid numbers them
COLOURS = "red green blue purple yellow grey".split()
DOORS = "open closed locked".split()
HEADINGS = ("east", "south", "west", "north")


class Described:
    """A Reporter of a function from raw states to words."""

    def __init__(self, words: Callable[[Any], str]) -> None:
        self.words = words

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """What the function says; nothing is drawn."""
        return self.words(state)


def in_words(state: Any) -> str:
    """A raw state in words.

    >>> in_words(14), in_words(np.array([0.51234, -2.0])), in_words({"at": (3, 4), "light": True})
    ('state 14', '0.512, -2', 'at: 3, 4; light: yes')
    """
    if isinstance(state, int | np.integer) and not isinstance(state, bool):
        return f"state {state}"
    return _part(state)


def _part(state: Any) -> str:
    if isinstance(state, str | bytes):
        return text(state)
    if isinstance(state, bool | np.bool_):
        return "yes" if state else "no"
    if isinstance(state, int | float | np.number):
        return f"{state:.3g}" if isinstance(state, float | np.floating) else str(state)
    if isinstance(state, Mapping):
        return grid(state) if is_grid(state) else "; ".join(f"{key}: {_held(value)}" for key, value in state.items())
    if isinstance(state, tuple | list) and len(state) <= MOST:
        return ", ".join(map(_held, state))
    if isinstance(state, np.ndarray) and state.size <= MOST and state.dtype.kind in "biufU":
        return ", ".join(_part(value.item()) for value in state.ravel()) if state.ndim else _part(state.item())
    shape = f" of shape {state.shape}" if isinstance(state, np.ndarray) else ""
    raise BadInput(
        f"a raw state that is a {type(state).__name__}{shape} cannot be told in words by itself: "
        "give `describe=`, a function from it to words"
    )


def _held(value: Any) -> str:
    """A part of a state, which may lack it, as servers write null."""
    return "none" if value is None else _part(value)


def is_grid(state: Mapping[Any, Any]) -> bool:
    """Whether a raw state is what an agent of MiniGrid sees."""
    image, heading = state.get("image"), state.get("direction")
    if not isinstance(heading, int | np.integer) or not isinstance(image, np.ndarray) or image.dtype.kind not in "iu":
        return False
    if image.ndim != 3 or image.shape[2] != 3 or not image.size or image.min() < 0:
        return False
    kinds, colours, how = image[..., 0], image[..., 1], image[..., 2]
    known = kinds.max() < len(OBJECTS) and colours.max() < len(COLOURS)
    return bool(known and (how[kinds == OBJECTS.index("door")] < len(DOORS)).all())  # else it is a picture


def grid(state: Mapping[Any, Any]) -> str:
    """What an agent of MiniGrid sees of its grid: things with their place, nearest first; not its mission.

    >>> image = np.zeros((3, 3, 3), dtype=np.uint8)
    >>> image[..., 0] = 1
    >>> image[1, 0] = (6, 2, 0)
    >>> grid({"image": image, "direction": 0, "mission": "go to the blue ball"})
    'You face east. Ahead of you: nothing for 1 step, then a blue ball. You see a blue ball 2 ahead.'
    """
    image = np.asarray(state["image"])
    width, height = image.shape[:2]
    me = width // 2
    found = []
    for x in range(width):
        for y in range(height):
            kind, colour, how = (int(n) for n in image[x, y])
            ahead, right = height - 1 - y, x - me
            if OBJECTS[kind] in ("unseen", "empty", "wall", "floor", "agent") or (ahead, right) == (0, 0):
                continue
            found.append((ahead + abs(right), ahead, right, _thing(kind, colour, how)))
    held = int(image[me, height - 1, 0])
    said = [f"You face {HEADINGS[int(state['direction']) % 4]}."]
    if OBJECTS[held] in ("key", "ball", "box"):
        said.append(f"You carry {_thing(held, int(image[me, height - 1, 1]), 0)}.")
    said.append(f"Ahead of you: {_ahead(image[me, :, :])}.")
    if found:
        said.append("You see " + "; ".join(f"{thing} {_where(a, r)}" for _, a, r, thing in sorted(found)) + ".")
    return " ".join(said)


def _ahead(column: np.ndarray) -> str:
    """What stands in the way, and how far it is."""
    free = 0
    for kind, colour, how in column[-2::-1].tolist():
        name = OBJECTS[kind]
        if name == "unseen":
            return f"nothing for {_steps(free)}, then what you cannot see"
        if name not in ("empty", "floor") and not (name == "door" and how == 0):
            thing = "a wall" if name == "wall" else _thing(kind, colour, how)
            return f"nothing for {_steps(free)}, then {thing}" if free else thing
        free += 1
    return f"nothing for {_steps(free)}"


def _steps(count: int) -> str:
    return f"{count} step{'s' if count != 1 else ''}"


def _thing(kind: int, colour: int, how: int) -> str:
    name = OBJECTS[kind]
    if name == "door":
        return f"{'an' if how == 0 else 'a'} {DOORS[how]} {COLOURS[colour]} door"
    return name if name == "lava" else f"a {COLOURS[colour]} {name}"


def _where(ahead: int, right: int) -> str:
    side = f"{abs(right)} to the {'right' if right > 0 else 'left'}"
    return side if not ahead else f"{ahead} ahead" + (f" and {side}" if right else "")
