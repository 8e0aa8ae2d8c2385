"""Positions on the table of `sorter` (metres; x away from the robot, y to its left), and the block on each mat."""

import numpy as np

from parley.worlds.sorter.tables import TABLE, Places

TABLE_MIDDLE, TABLE_HALF, TABLE_TOP = (1.3, 0.75), (0.28, 0.4), 0.4
BLOCK, HALF_MAT = 0.022, 0.045  # half the sides
MAT_AT = np.array([[1.16, 0.6], [1.16, 0.9], [1.39, 0.6], [1.39, 0.9]])
# Where a mat drives a block of each colour; and where it may begin. No two are near each other.
BESIDE = np.array([[0.08, 0.0], [-0.08, 0.0], [0.0, 0.11]])


def beside(colour: int, mat: int) -> np.ndarray:
    """The place beside a mat for a block of this colour."""
    return MAT_AT[mat] + BESIDE[colour]


def on_mat(block: np.ndarray) -> int:
    """The mat on which a block (x, y, z, ...) stands, or TABLE."""
    inside = np.abs(MAT_AT - block[:2]).max(axis=1) < HALF_MAT
    low = block[2] < TABLE_TOP + BLOCK + 0.01
    return int(inside.argmax()) if low and inside.any() else TABLE


def places(blocks: np.ndarray) -> Places:
    """Where each block is; of two on one mat, the second counts as on the table."""
    found: list[int] = []
    for block in blocks:
        mat = on_mat(block)
        found.append(TABLE if mat in found else mat)
    return tuple(found)
