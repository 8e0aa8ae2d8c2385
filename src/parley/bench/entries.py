"""An entry of a card: one question about a planner, the arms that answer it, and what to call a bad answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from parley.bench.arms import Arm
from parley.bench.logs import Log
from parley.bench.sequences import Interval

APART = 0.02  # of floor and ceiling, at least
Value = Callable[[Sequence[Log]], Float[np.ndarray, "R *M"]]


@dataclass(frozen=True)
class Measured:
    """The state of an entry: the interval, floor and ceiling (None where it has none), and details."""

    interval: Interval
    floor: float | None = None
    ceiling: float | None = None
    details: dict[str, float] = field(default_factory=dict)

    def normalised(self, value: float) -> float | None:
        """A value between floor (0) and ceiling (1); None where these are so close that a share says nothing."""
        if self.floor is None or self.ceiling is None or abs(self.ceiling - self.floor) < APART:
            return None
        return (value - self.floor) / (self.ceiling - self.floor)


@dataclass(frozen=True)
class Fault:
    """A name and a sentence, and whether an interval shows it (True), rules it out (False), or neither yet (None).

    It is not named where one of `unless`, which explains it, is shown in the same world.
    """

    name: str
    sentence: str
    shown: Callable[[Measured], bool | None]
    unless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One question. `value` gives a number a run, between `low` and `high`, from the logs of `arms`.

    `floor` and `ceiling` are numbers, or the arms of the reference planner to which the same is done; None where the
    question has none. `wide` is the width of the interval at which it is decided. Where `places`, there is one number a
    place of the menu, and the place that stood out before is judged.
    """

    name: str
    suite: str
    world: str
    measures: str
    unit: str
    arms: tuple[Arm, ...]
    value: Value
    low: float
    high: float
    floor: tuple[Arm, ...] | float | None = None
    ceiling: tuple[Arm, ...] | float | None = None
    fault: Fault | None = None
    places: bool = False
    wide: float = 0.1

    @property
    def references(self) -> tuple[Arm, ...]:
        """The arms of floor and ceiling."""
        return tuple(arm for side in (self.floor, self.ceiling) if isinstance(side, tuple) for arm in side)

    def decided(self, now: Measured) -> str:
        """Why no more runs are needed; empty where they are."""
        shown = self.fault.shown(now) if self.fault else None
        if shown is not None:
            return f"{self.fault.name if self.fault else ''}: {'shown' if shown else 'ruled out'}"
        if not self.fault and self.floor == 0.0 and (now.interval.low > 0 or now.interval.high < 0):
            return "its interval excludes 0"
        if now.interval.num and now.interval.width <= self.wide * (self.high - self.low):
            return f"its interval is narrower than {self.wide * (self.high - self.low):.2g}"
        return ""


def above(limit: float) -> Callable[[Measured], bool | None]:
    """Shown where the interval is above a limit."""
    return lambda m: True if m.interval.low > limit else False if m.interval.high <= limit else None


def below_share(share: float) -> Callable[[Measured], bool | None]:
    """Shown where the interval is below a share of the ceiling."""

    def shown(m: Measured) -> bool | None:
        limit = share * (m.ceiling or 0.0)
        if limit < 0.02:  # the exact planner hardly does it either
            return None
        return True if m.interval.high < limit else False if m.interval.low >= limit else None

    return shown


def predicted(profile: Float[np.ndarray, "R M"]) -> Float[np.ndarray, " R"]:
    """Run by run the number at the place that stood out in the runs before it."""
    before = np.concatenate([np.zeros((1, profile.shape[1])), np.cumsum(profile, axis=0)[:-1]])
    found: Float[np.ndarray, " R"] = np.take_along_axis(profile, before.argmax(axis=1)[:, None], axis=1)[:, 0]
    return found
