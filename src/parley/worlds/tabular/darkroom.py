"""`darkroom`: a dark room with a goal somewhere, which is seen only by who stands on it (Lee et al. 2023, DPT).

Latents: the goal's cell, one of `size` x `size`, alike. Subgoals: "go north", "go south", "go east", "go west", "stay".
An episode begins in the middle and has `horizon` steps; each step after which one stands on the goal pays 1/`horizon`;
walls hold one back. Instruction: "stand on the goal". The planner sees its cell, and whether this is the goal.
DPT's room has size 10 and horizon 100; exact values fit up to size 6 and horizon 24.
Why: the history of episodes is a map of where the goal is not. No expert ever searches: who plays one drawn goal an
episode walks past few cells, where a search would pass many.
"""

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables

WAYS = {"go north": (-1, 0), "go south": (1, 0), "go east": (0, 1), "go west": (0, -1), "stay": (0, 0)}
SIZE, HORIZON = 6, 24  # the largest room, and the longest episode


def darkroom(size: int = 4, horizon: int = 6) -> Tables:
    """A dark room with a goal in one of its cells (DPT).

    The room of `size` x `size` cells; see the module's docstring.
    """
    if not 2 <= size <= SIZE or not 1 <= horizon <= HORIZON:
        raise BadInput(f"size={size}, horizon={horizon}: expected from 2 to {SIZE} and from 1 to {HORIZON}")
    cells = [(row, column) for row in range(size) for column in range(size)]
    num = len(cells)
    move = np.zeros((num, len(WAYS), num))
    for s, (row, column) in enumerate(cells):
        for g, (down, right) in enumerate(WAYS.values()):
            there = min(max(row + down, 0), size - 1), min(max(column + right, 0), size - 1)
            move[s, g, cells.index(there)] = 1
    emission = np.zeros((num, num, 2 * num))  # goal, cell -> that cell, dark or the goal
    for goal in range(num):
        emission[goal, np.arange(num), np.where(np.arange(num) == goal, num, 0) + np.arange(num)] = 1
    initial = np.zeros((num, num))
    initial[:, cells.index((size // 2, size // 2))] = 1
    names = tuple(f"row {row + 1}, column {column + 1}" for row, column in cells)
    return Tables(
        name="darkroom",
        horizon=horizon,
        states=names,
        observations=(*(f"{name}: it is dark" for name in names), *(f"{name}: the goal" for name in names)),
        menus=(tuple(WAYS),),
        latents=tuple(f"the goal is in {name}" for name in names),
        instructions=("stand on the goal",),
        prior=np.full(num, 1 / num),
        initial=initial,
        transition=np.tile(move, (num, 1, 1, 1)),
        emission=emission,
        reward=np.concatenate([np.zeros(num), np.ones(num)])[:, None] / horizon,
        doc=__doc__ or "",
    )
