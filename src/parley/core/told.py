"""What one run has been told, episode by episode, and the memory that chooses what a prompt shows of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import UInt8


@dataclass(frozen=True)
class Told:
    """An episode as far as it has been told: one observation more than subgoals, and K parts in each subgoal."""

    instruction: str
    observations: tuple[str, ...]
    subgoals: tuple[tuple[str, ...], ...] = ()
    rewards: tuple[float, ...] = ()

    def after(self, subgoal: tuple[str, ...], observation: str, reward: float) -> "Told":
        """The same episode, one step later."""
        observations = (*self.observations, observation)
        return Told(self.instruction, observations, (*self.subgoals, subgoal), (*self.rewards, reward))


Tilt = Callable[[Told, Sequence[str], Sequence[str]], Sequence[float]]


@dataclass(frozen=True)
class Recalled:
    """What a prompt shows of earlier episodes: notes, and episodes as they were.

    `tilt(now, parts, menu)` gives one number in nats for each entry of a menu. The planner adds it to the entry's
    log-probability. The Actors before have been told `parts`. A planner that proposes no distribution refuses it.
    """

    notes: str = ""
    episodes: tuple[Told, ...] = ()
    tilt: Tilt | None = None


Fits = Callable[[Recalled], bool]


class Writer(Protocol):
    """Has a planner's model write for a run's memory; on resuming, what was answered is read in the log."""

    def note(self, note: str, number: int, words: int) -> str:
        """The note of at most so many words that the model makes of its old one after episode `number`."""

    def ask(self, prompt: str, number: int, words: int, material: str = "") -> str:
        """What the model answers to a prompt after episode `number`; empty where no usable answer comes.

        `material` stands before the prompt; where both do not fit, its first lines are left out. The answer keeps its
        line breaks, and at most so many words.
        """


class Memory(Protocol):
    """The memory of one run. Its state is a function of what was heard."""

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        """What to show of the episodes before `now`; raises `BadInput` where even nothing does not fit."""


def packed(runs: Sequence[Sequence[Told]]) -> UInt8[np.ndarray, " n"]:
    """Everything that some runs have been told, as JSON in bytes."""
    return np.frombuffer(json.dumps([[vars(told) for told in run] for run in runs]).encode(), dtype=np.uint8)


def unpacked(heard: UInt8[np.ndarray, " n"]) -> list[list[Told]]:
    """What `packed` holds."""
    return [[_told(**told) for told in run] for run in json.loads(bytes(heard))]


def _told(instruction: str, observations: list[str], subgoals: list[list[str]], rewards: list[float]) -> Told:
    return Told(instruction, tuple(observations), tuple(map(tuple, subgoals)), tuple(rewards))
