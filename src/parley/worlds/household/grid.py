"""A small slippery grid: who moves in it where, and the best way to walk (value iteration)."""

from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

HEADINGS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # north, east, south, west


class Grid:
    """The free cells of a map drawn in characters, `#` being wall; cells are numbered in reading order.

    A move goes where it is headed with probability 1 - 2 `slip` and to either side with `slip` each; a wall stops it.
    `places` maps every letter on the map to its cell.

    >>> grid = Grid(("#####", "#a.b#", "#####"), slip=0.1)
    >>> grid.places, grid.outcomes[1][0]
    ({'a': 0, 'b': 2}, ((0.8, 1), (0.1, 0), (0.1, 0)))
    """

    def __init__(self, rows: tuple[str, ...], slip: float) -> None:
        self.rows, self.slip = rows, slip
        self.cells = [(y, x) for y, row in enumerate(rows) for x, mark in enumerate(row) if mark != "#"]
        number = {cell: i for i, cell in enumerate(self.cells)}
        self.places = {rows[y][x]: i for (y, x), i in number.items() if rows[y][x].isalpha()}
        ahead = [[number.get((y + dy, x + dx), number[y, x]) for y, x in self.cells] for dy, dx in HEADINGS]
        # outcomes[heading][cell]: the (probability, next cell) of a move
        self.outcomes = [
            [
                tuple((round(p, 12), ahead[(a + turn) % 4][c]) for p, turn in ((1 - 2 * slip, 0), (slip, 1), (slip, 3)))
                for c in range(len(self.cells))
            ]
            for a in range(4)
        ]

    @cached_property
    def law(self) -> Float[np.ndarray, "4 C C"]:
        """P(next cell given heading, cell)."""
        law = np.zeros((4, len(self.cells), len(self.cells)))
        for a, c in np.ndindex(4, len(self.cells)):
            for p, after in self.outcomes[a][c]:
                law[a, c, after] += p
        return law

    def way(self, target: int) -> Int[np.ndarray, " C"]:
        """The heading that minimises the expected number of moves to `target`, for each cell (value iteration)."""
        moves = np.zeros(len(self.cells))
        while True:
            ahead = 1 + self.law @ moves  # 4 C
            better = ahead.min(axis=0)
            better[target] = 0
            if np.abs(better - moves).max() < 1e-12:
                return np.round(ahead, 9).argmin(axis=0)  # equally good headings: the first one
            moves = better

    def arrival(self, target: int, moves: int) -> Float[np.ndarray, " C"]:
        """P(at `target` within `moves` moves), for each first cell: the `moves`-th power of the absorbing chain."""
        chain = self.law[self.way(target), np.arange(len(self.cells))]
        chain[target] = np.eye(len(self.cells))[target]
        return np.linalg.matrix_power(chain, moves)[:, target]
