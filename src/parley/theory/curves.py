"""How regret grows: log-log slopes and exponents with bootstrap intervals over runs, and linear against sublinear.

The intervals are expanded percentile intervals (Hesterberg 2015, "What teachers should know about the bootstrap", The
American Statistician 69). Plain percentiles are too narrow for few runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput

MARGIN = 0.1  # exponents this close to 1 are not told from linear growth


@dataclass(frozen=True)
class Estimate:
    """A number and its bootstrap interval over runs, by expanded percentiles."""

    value: float
    low: float
    high: float
    level: float = 0.95


def student(level: float, df: float) -> float:
    """The t below which the size of a Student variable with `df` degrees of freedom lies with probability `level`.

    Let t = sqrt(df) tan(a). Then that probability is the integral of cos^(df - 1) up to a, over the one up to pi / 2.
    See Abramowitz and Stegun 1964, 26.7.3.

    >>> round(student(0.95, 7), 3)
    2.365
    """
    if not (0 < level < 1 and df >= 1):
        raise BadInput(f"level={level}, df={df}: expected a level between 0 and 1, a degree of freedom or more")
    angle = np.linspace(0.0, np.pi / 2, 20_001)
    density = np.cos(angle) ** (df - 1)
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return float(np.sqrt(df) * np.tan(np.interp(level, below / below[-1], angle)))


def expanded_tail(level: float, num_runs: int) -> float:
    """The share of the bootstrap to leave out at each end: Phi(-sqrt(n / (n - 1)) t) (Hesterberg 2015, section 3.3).

    A bootstrap over n runs spreads by sqrt((n - 1) / n) too little, and its tails are normal where Student's are due.

    >>> round(expanded_tail(0.95, 8), 4), round(expanded_tail(0.95, 10_000), 4)
    (0.0057, 0.025)
    """
    return NormalDist().cdf(-np.sqrt(num_runs / (num_runs - 1)) * student(level, num_runs - 1))


def bootstrap(
    statistic: Callable[[list[np.ndarray]], float],
    samples: Sequence[Float[np.ndarray, "R *P"]],
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """The statistic of the samples' means; each sample (its first axis is runs) is resampled on its own.

    The interval's percentiles are those due to the smallest of the samples.
    """
    if not 0 < level < 1:
        raise BadInput(f"level={level}: expected a confidence level between 0 and 1")
    for sample in samples:
        if len(sample) < 2:
            raise BadInput(f"{len(sample)} run(s): an interval over runs needs at least 2")
        if not np.isfinite(sample).all():
            raise BadInput(
                "regret holds values that are not finite: a world without exact tables has no expected regret"
            )
    rng = np.random.Generator(np.random.Philox(key=seed))
    drawn = [rng.multinomial(len(s), np.full(len(s), 1 / len(s)), size=resamples) @ s / len(s) for s in samples]
    found = np.array([statistic(list(means)) for means in zip(*drawn, strict=True)])
    tail = expanded_tail(level, min(map(len, samples)))
    low = float(np.quantile(found, tail, method="lower"))
    high = float(np.quantile(found, 1 - tail, method="higher"))
    return Estimate(float(statistic([sample.mean(axis=0) for sample in samples])), low, high, level)


def loglog_slope(
    x: Float[np.ndarray, " P"],
    regret: Float[np.ndarray, "R P"] | Sequence[Float[np.ndarray, " R"]],
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Least-squares slope of log mean regret on log x.

    `regret` is a matrix if runs were followed through all x; runs are then resampled as whole curves. It is a list with
    the runs of each x if they were made apart (regret at T as a function of T). Raises `BadInput` if mean regret is not
    positive.
    """
    x = np.asarray(x, dtype=float)
    if len(x) < 2 or not (x > 0).all() or len(np.unique(x)) < len(x):
        raise BadInput(f"x={x.tolist()}: a slope needs at least two different positive numbers")
    together = isinstance(regret, np.ndarray)
    samples = [np.asarray(regret)] if together else [np.asarray(runs) for runs in regret]
    if (samples[0].shape[-1] if together else len(samples)) != len(x):
        raise BadInput(f"regret holds another number of points than x, which has {len(x)}")
    log = np.log(x) - np.log(x).mean()

    def slope(means: list[np.ndarray]) -> float:
        y = means[0] if together else np.array(means)
        if not (y > 0).all():
            raise BadInput("mean regret is not positive everywhere: there is no slope in logarithms")
        return float(log @ np.log(y) / (log @ log))

    return bootstrap(slope, samples, resamples, level, seed)


@dataclass(frozen=True)
class Growth:
    """Which of the two the data support: `verdict` is "sublinear", "linear" or "neither"."""

    exponent: Estimate
    verdict: str


def growth(cumulative: Float[np.ndarray, "R T"], resamples: int = 1000, level: float = 0.95, seed: int = 0) -> Growth:
    """Does cumulative regret, at T episodes and more, grow like t or slower?

    The exponent is that of increments over doublings, log2((C(T) - C(T/2)) / (C(T/2) - C(T/4))). It is a for curves
    like c + t^a, for any loss c in the beginning (a log-log slope takes c + t for sublinear). It is 0 for log t, and
    -inf if nothing is lost any more. Sublinear: the interval lies below 0.9. Linear: it lies within 0.9 and 1.1.
    Otherwise: neither.
    """
    cumulative = np.asarray(cumulative, dtype=float)
    if cumulative.ndim != 2 or cumulative.shape[1] < 8:
        raise BadInput(f"cumulative regret has shape {cumulative.shape}: expected (runs, episodes), 8 episodes or more")
    if (np.diff(cumulative, axis=1) < -1e-9).any():
        raise BadInput("cumulative regret falls somewhere: expected expected_regret, summed over episodes")
    num = cumulative.shape[1]
    marks = np.array([num // 4, num // 2, num]) - 1
    late = np.diff(cumulative[:, marks], axis=1)  # per run: second quarter, second half

    def exponent(means: list[np.ndarray]) -> float:
        before, after = np.maximum(means[0], 0.0)
        if after <= 1e-12 * num:
            return -np.inf
        return np.inf if before == 0 else float(np.log2(after / before))

    found = bootstrap(exponent, [late], resamples, level, seed)
    if found.high < 1 - MARGIN:
        return Growth(found, "sublinear")
    return Growth(found, "linear" if found.low > 1 - MARGIN and found.high < 1 + MARGIN else "neither")
