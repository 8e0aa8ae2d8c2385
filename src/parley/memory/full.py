"""Memory `full`: all episodes, as long as they fit."""

from collections.abc import Sequence
from dataclasses import dataclass

from parley.core.told import Fits, Recalled, Told
from parley.memory.fitting import shortened


@dataclass
class Full:
    """All episodes. When they no longer fit, the older half goes for good: prompts grow at their end in between."""

    first: int = 0

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        while not fits(kept := Recalled(episodes=tuple(earlier[self.first :]))):
            if not kept.episodes:
                shortened(kept, fits)
            self.first += (len(kept.episodes) + 1) // 2
        return kept
