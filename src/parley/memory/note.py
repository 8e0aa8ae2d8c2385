"""Memory `note`: what the model writes for itself after each episode."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from parley.core.told import Fits, Recalled, Told
from parley.memory.fitting import shortened


@dataclass
class Note:
    """A note that the model keeps for itself: after each episode it writes the old one anew.

    `write(note, number)` is the model's, after episode `number`; notes are asked for once, in order.
    """

    write: Callable[[str, int], str]
    _notes: list[str] = field(default_factory=lambda: [""])

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        for number in range(len(self._notes) - 1, len(earlier)):
            self._notes.append(self.write(self._notes[-1], number))
        note = self._notes[len(earlier)]
        return shortened(Recalled(note and note.rstrip("\n") + "\n"), fits)
