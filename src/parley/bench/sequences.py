"""Intervals for a mean that hold at every sample size at once, so that a measurement may stop when it is decided.

Waudby-Smith and Ramdas (2024, "Estimating means of bounded random variables by betting", Theorem 3): the hedged capital
process, with their predictable plug-in bets. Somebody bets against a mean m, fairly, knowing the values before. Once
the capital has grown by 1 / alpha, m is ruled out. Values must be bounded, with one mean given those before.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LEVEL = 0.95
MEANS = 501  # of the range, that are tried
MOST_STAKED = 0.75  # of the capital, in one bet: their c


@dataclass(frozen=True)
class Interval:
    """The mean of `num` values, and between which limits the true mean is, at whatever size one stops."""

    mean: float
    low: float
    high: float
    num: int

    @property
    def width(self) -> float:
        return self.high - self.low


def interval(values: Float[np.ndarray, " n"], low: float, high: float, level: float = LEVEL) -> Interval:
    """The interval for the mean of values between `low` and `high`, in the order in which they came.

    >>> found = interval(np.tile([0.0, 0.2], 64), 0.0, 1.0)
    >>> 0.0 < found.low < 0.1 < found.high < 0.2
    True
    """
    if not len(values):
        return Interval(float("nan"), low, high, 0)
    x = (np.asarray(values, dtype=float) - low) / (high - low)
    if not (np.isfinite(x).all() and x.min() >= -1e-9 and x.max() <= 1 + 1e-9):
        raise ValueError(f"values from {np.min(values)} to {np.max(values)}: expected all between {low} and {high}")
    x = np.clip(x, 0, 1)
    means = np.linspace(0, 1, MEANS)
    inside = np.flatnonzero(_capital(x, means, 1 - level) < 1 / (1 - level))
    mean = float(x.mean())
    if not len(inside):  # so early and so unlikely that every mean is ruled out: nothing is said
        return Interval(low + mean * (high - low), low, high, len(x))
    # The neighbours of the first and last mean that is not ruled out: between the grid's points nothing was tried.
    first, last = means[max(inside[0] - 1, 0)], means[min(inside[-1] + 1, MEANS - 1)]
    ends = low + np.array([min(first, mean), max(last, mean)]) * (high - low)
    return Interval(low + mean * (high - low), float(ends[0]), float(ends[1]), len(x))


def _capital(x: Float[np.ndarray, " n"], means: Float[np.ndarray, " m"], alpha: float) -> Float[np.ndarray, " m"]:
    """The largest capital so far of who bets against each mean, half of it on either side."""
    stake = _bets(x, alpha)[:, None]
    with np.errstate(divide="ignore"):
        up = np.minimum(stake, MOST_STAKED / means)
        down = np.minimum(stake, MOST_STAKED / (1 - means))
    gain = x[:, None] - means
    above, below = (np.cumsum(np.log1p(one), axis=0) for one in (up * gain, -down * gain))
    found: Float[np.ndarray, " m"] = np.exp(np.minimum(np.maximum(above, below).max(axis=0), 600.0)) / 2
    return found


def _bets(x: Float[np.ndarray, " n"], alpha: float) -> Float[np.ndarray, " n"]:
    """Each bet by the mean and variance of the values before it: sqrt(2 log(2 / alpha) / (var i log(1 + i)))."""
    i = np.arange(1, len(x) + 1)
    middle = (0.5 + np.cumsum(x)) / (i + 1)
    variance = (0.25 + np.cumsum((x - middle) ** 2)) / (i + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    found: Float[np.ndarray, " n"] = np.sqrt(2 * np.log(2 / alpha) / (before * i * np.log1p(i)))
    return found
