"""Counter-based randomness: one Philox stream for each (seed, episode, step, purpose).

Run r takes the r-th number of every stream, so a number depends on nothing that happened before. A resumed run is
therefore bit-identical to an uninterrupted one. Two explorers on the same seed meet the same world (common random
numbers).
"""

import threading
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parley.core.rows import row_count


class Purpose(IntEnum):
    """What a random number decides; each has streams of its own. Append only: the numbers are part of every seed."""

    LATENT = 0
    INSTRUCTION = 1
    STATE = 2
    OBSERVATION = 3
    COIN = 4
    SUBGOAL = 5
    PLANNER = 6
    DOCUMENT = 7
    BEHAVIOUR = 8
    ENVIRONMENT = 9
    JUMP = 10
    TRIAL = 11


class _Streams(threading.local):
    """One generator a thread, set to the beginning of a stream: a third of the time that a new one takes."""

    def __init__(self) -> None:
        self.philox = np.random.Philox(key=[0, 0])
        self.generator = np.random.Generator(self.philox)
        # Lists are read in half of the time of arrays.
        self.state: Any = {**self.philox.state, "buffer": [0, 0, 0, 0]}

    def at(self, key: list[int], counter: list[int]) -> np.random.Generator:
        """The generator at the first number of a stream, as `Philox(key=key, counter=counter)` would give it."""
        self.state["state"] = {"key": key, "counter": counter}
        self.philox.state = self.state
        return self.generator


_STREAMS = _Streams()


@dataclass(frozen=True)
class Draws:
    """The random numbers of a cohort: the consecutive runs `first_run` ... `first_run + num_runs - 1` of one seed."""

    seed: int
    num_runs: int
    first_run: int = 0

    def uniform(self, purpose: Purpose, episode: int = 0, step: int = 0, part: int = 0) -> Float[np.ndarray, " runs"]:
        """Uniform numbers in [0, 1), one a run; `part` tells Actors of one step apart."""
        counter = [0, (part << 32) | step, episode, int(purpose)]
        key = [self.seed & 0xFFFFFFFFFFFFFFFF, self.seed >> 64]
        return _STREAMS.at(key, counter).random(self.first_run + self.num_runs)[self.first_run :]

    def seeds(self, episode: int) -> list[int]:
        """One 31-bit seed a run for the low-level environment of `episode`."""
        return [int(u * 2**31) for u in self.uniform(Purpose.ENVIRONMENT, episode)]


def sample_rows(probabilities: Float[np.ndarray, "rows n"], u: Float[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
    """Draw one index a row by inversion, from one uniform number a row; rows need not be exactly normalised."""
    cumulative = np.cumsum(probabilities, axis=1)
    index = row_count(cumulative <= (u * cumulative[:, -1])[:, None])
    return np.minimum(index, probabilities.shape[1] - 1)
