"""Memory `note`: what the model writes for itself after each episode."""

from collections.abc import Callable, Sequence

from parley.core.told import Fits, Recalled, Told
from parley.memory.fitting import shortened
from parley.memory.learned import Fold


class Note:
    """A note that the model keeps for itself: after each episode it writes the old one anew.

    `write(note, number)` is the model's, after episode `number`; notes are asked for once, in order.
    """

    def __init__(self, write: Callable[[str, int], str]) -> None:
        self._notes = Fold("", lambda note, heard: write(note, len(heard) - 1))

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        note = self._notes.before(earlier)
        return shortened(Recalled(note and note.rstrip("\n") + "\n"), fits)
