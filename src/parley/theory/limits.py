"""Limits of a mean from independent numbers in [0, 1], however rare their large values (by betting).

The numbers may have any distribution. Bet a share of a fortune on every number being larger than m, at odds that would
be fair if m were the mean. If m is the mean, the fortune ever grows r-fold with probability 1 / r at most. So an m at
which the fortune grows 1 / level-fold is rejected (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random
variables by betting"). The limit stays valid however often you look before drawing more numbers. A normal interval
would not do: where 32 runs of 32 lose nothing its width is zero.
"""

import numpy as np
from jaxtyping import Float

from parley.theory.posterior import log_total

# All of the fortune at stake is best where hardly any number differs from 0 (as losses of planners that have learnt).
# The other shares are for the rest.
SHARES = 2.0 ** -np.arange(8)
WEIGHTS = np.array([0.8, *np.full(7, 0.2 / 7)])
EVERYTHING = 1e-9  # kept back of a stake of everything, so that no logarithm is infinite


def lower_limit(numbers: Float[np.ndarray, " n"], level: float) -> float:
    """The mean is larger than this, except with probability `level`.

    >>> round(lower_limit(np.ones(100), 0.025), 3)
    0.962
    """
    low, high = 0.0, float(numbers.mean())
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _fortune(numbers, middle) >= -np.log(level) else (low, middle)
    return low


def upper_limit(numbers: Float[np.ndarray, " n"], level: float) -> float:
    """The mean is smaller than this, except with probability `level`."""
    return 1 - lower_limit(1 - numbers, level)


def _fortune(numbers: np.ndarray, mean: float) -> float:
    """Log of what betting that numbers are larger than `mean` makes of 1."""
    if mean <= 0:
        return 0.0
    shares = np.minimum(SHARES, 1 - EVERYTHING)[:, None]
    logs = np.log1p(shares * (numbers / mean - 1)).sum(axis=1) + np.log(WEIGHTS)
    return float(log_total(logs))
