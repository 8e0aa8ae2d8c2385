"""Memory `window`: the last few episodes as they were; of none, this episode alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from parley.core.told import Fits, Recalled, Told
from parley.memory.fitting import shortened


@dataclass(frozen=True)
class Window:
    """The last `size` episodes; 0 is a planner without memory."""

    size: int

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        return shortened(Recalled(episodes=tuple(earlier[max(0, len(earlier) - self.size) :])), fits)
