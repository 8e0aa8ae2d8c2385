"""The house seen from above, drawn without a display or a GL library."""

from typing import Any

import numpy as np
from jaxtyping import UInt8

from parley.worlds.house.tables import DOORS, ROOMS, Plan

METRE = 34  # pixels
WIDE = 7  # metres
WALL, FLOOR, LOCKED, DRAUGHT, ROBOT = (70, 66, 62), (225, 222, 212), (150, 60, 50), (150, 190, 225), (30, 70, 200)


def picture(plan: Plan, state: Any) -> UInt8[np.ndarray, "height width 3"]:
    """A raw state of `HouseMaze`: rooms and open doors are floor, locked ones red, the draught's doorway blue."""
    image = np.full((WIDE * METRE, WIDE * METRE, 3), WALL, dtype=np.uint8)
    for room in range(len(ROOMS)):
        _square(image, _cell(room, room), 0.5, FLOOR)
    for pair in DOORS:
        draughty = pair == (min(plan.against), max(plan.against))
        _square(image, _cell(*pair), 0.5, LOCKED if pair in plan.locked else DRAUGHT if draughty else FLOOR)
    x, y = float(state[0]), float(state[1])
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    middle = ((WIDE / 2 - y) * METRE, (WIDE / 2 + x) * METRE)
    image[(rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 <= (0.15 * METRE) ** 2] = ROBOT
    return image


def _cell(a: int, b: int) -> tuple[float, float]:
    """Row and column, in metres from the upper left, of the middle of a room (a = b) or of a door."""
    return 1.5 + a // 3 + b // 3, 1.5 + a % 3 + b % 3


def _square(image: np.ndarray, middle: tuple[float, float], half: float, colour: tuple[int, int, int]) -> None:
    top, left = (round((m - half) * METRE) for m in middle)
    size = round(2 * half * METRE)
    image[top : top + size, left : left + size] = colour
