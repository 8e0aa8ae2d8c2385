"""The table of `sorter` seen from above, drawn without a display or a GL library."""

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from parley.worlds.sorter.layout import BLOCK, HALF_MAT, TABLE_HALF, TABLE_MIDDLE, TABLE_TOP

METRE = 400  # pixels
WOOD, GRIP, FINGERS = (225, 222, 212), (40, 40, 40), (90, 90, 90)
MATS = ((214, 180, 90), (235, 235, 240), (160, 110, 70), (120, 125, 120))  # straw, wool, cork, felt
BLOCKS = ((200, 50, 45), (50, 150, 60), (40, 80, 200))


def picture(state: dict[str, Any], mats: Float[np.ndarray, "M 2"]) -> UInt8[np.ndarray, "height width 3"]:
    """A raw state of `SorterArm`, with at most 4 mats: away from the robot is up; a lifted block is drawn larger."""
    half_x, half_y = TABLE_HALF
    image = np.full((round(2 * half_x * METRE), round(2 * half_y * METRE), 3), WOOD, dtype=np.uint8)
    for at, colour in zip(mats, MATS, strict=False):
        _box(image, at, (HALF_MAT, HALF_MAT), colour)
    for block, colour in zip(state["blocks"], BLOCKS, strict=True):
        size = BLOCK * (1 + 2 * max(0.0, float(block[2]) - TABLE_TOP - BLOCK))
        _box(image, block[:2], (size, size), colour)
    grip, fingers = state["arm"][:3], state["arm"][3:5]
    for side, finger in ((-1, fingers[0]), (1, fingers[1])):
        _box(image, grip[:2] + np.array([0, side * (0.008 + finger)]), (0.0135, 0.007), FINGERS)
    _box(image, grip[:2], (0.004, 0.004), GRIP)
    return image


def _box(image: np.ndarray, at: Any, half: tuple[float, float], colour: tuple[int, int, int]) -> None:
    """A rectangle around (x, y) in metres, of half sides along x and y; the part outside the picture is left out."""
    top, bottom = (TABLE_MIDDLE[0] + TABLE_HALF[0] - at[0] + s * half[0] for s in (-1, 1))
    left, right = (TABLE_MIDDLE[1] + TABLE_HALF[1] - at[1] + s * half[1] for s in (-1, 1))
    rows, columns = (slice(*(max(0, round(v * METRE)) for v in ends)) for ends in ((top, bottom), (left, right)))
    image[rows, columns] = colour
