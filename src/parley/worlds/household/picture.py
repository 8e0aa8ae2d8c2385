"""The household seen from above, as pixels."""

from typing import Any

import numpy as np
from jaxtyping import UInt8

from parley.worlds.household.tables import PLACES, SOFA, House

SIDE = 4  # pixels of a cell
WALL, FLOOR, PLACE, SEAT = (40, 40, 40), (220, 220, 210), (170, 130, 90), (90, 120, 170)
ROBOT, COLOURS = (200, 40, 40), ((40, 160, 70), (150, 60, 180))
IN_HAND = 3


def picture(house: House, state: Any) -> UInt8[np.ndarray, "height width 3"]:
    """A raw state of `HouseholdGrid`: walls, places, sofa; the robot a square, each thing a stripe of its colour.

    A thing in the hand is where the robot is; one that was just handed over is a stripe over the sofa.
    """
    cell, *things, handed = (int(entry) for entry in state)
    rows = house.grid.rows
    image = np.full((SIDE * len(rows), SIDE * len(rows[0]), 3), WALL, dtype=np.uint8)

    def corner(number: int) -> tuple[int, int]:
        y, x = house.grid.cells[number]
        return SIDE * y, SIDE * x

    for number in range(len(house.grid.cells)):
        y, x = corner(number)
        image[y : y + SIDE, x : x + SIDE] = FLOOR
    for place, number in enumerate(house.cells[: SOFA + 1]):
        y, x = corner(number)
        image[y : y + SIDE, x : x + SIDE] = PLACE if place < len(PLACES) else SEAT
    y, x = corner(cell)
    image[y + 1 : y + SIDE - 1, x + 1 : x + SIDE - 1] = ROBOT
    for i, at in enumerate(things):
        where = house.cells[SOFA] if handed == 1 + i else cell if at == IN_HAND else at
        if at <= IN_HAND or handed == 1 + i:
            y, x = corner(house.cells[at] if at < IN_HAND else where)
            inside = 1 if at == IN_HAND else 0
            image[y + (SIDE - 1) * i, x + inside : x + SIDE - inside] = COLOURS[i]
    return image
