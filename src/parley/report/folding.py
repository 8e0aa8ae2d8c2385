"""Long names in narrow columns: folded after commas, colons and slashes, or else hyphens, not within words."""

import re
from itertools import chain

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

from parley.core.text import inert

HYPHENS = re.compile(r"[^-]*-+|[^-]+")
PIECES = re.compile(r"\(?/?(?:[^\s,:/]*[\s,:/]+|[^\s,:/]+)")


class Folding:
    """A table's cell that holds such a name: a spec, a path, or a label made of them."""

    def __init__(self, name: str) -> None:
        self.name = inert(name)
        self.pieces = PIECES.findall(self.name) or [""]

    def lines(self, width: int) -> list[str]:
        """As many pieces on a line as fit; one that fits on none comes apart at its hyphens, or stands alone.

        >>> Folding("exact, epsilon-greedy:epsilon=theory,policy=designed").lines(20)
        ['exact, ', 'epsilon-greedy:', 'epsilon=theory,', 'policy=designed']
        >>> Folding("adaptive-proposals").lines(13)
        ['adaptive-', 'proposals']
        """
        lines = [""]
        wide = [p for p in self.pieces if Text(p.rstrip()).cell_len > width]
        for piece in chain.from_iterable(HYPHENS.findall(p) if p in wide else [p] for p in self.pieces):
            fits = Text(lines[-1] + piece.rstrip()).cell_len <= width
            lines = [*lines[:-1], lines[-1] + piece] if fits or not lines[-1] else [*lines, piece]
        return lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.lines(options.max_width):
            yield Text(line.rstrip(), overflow="fold")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        least = max(Text(piece.rstrip()).cell_len for piece in self.pieces)
        return Measurement(least, Text(self.name).cell_len).clamp(max_width=options.max_width)
