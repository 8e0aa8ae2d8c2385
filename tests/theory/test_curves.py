"""Slopes, exponents and verdicts on curves whose growth is known."""

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.theory import curves as intervals
from parley.theory.curves import bootstrap, expanded_tail, growth, loglog_slope, student

T = np.arange(1, 1025)


def noisy(mean_rate: np.ndarray, runs: int = 200, seed: int = 0) -> np.ndarray:
    """Cumulative regret of runs whose episodes cost an exponential amount of the given mean."""
    return np.cumsum(np.random.default_rng(seed).exponential(mean_rate, size=(runs, len(mean_rate))), axis=1)


@pytest.mark.parametrize("power", [0.5, 1.0, 1.7])
def test_the_slope_of_a_power_is_the_power(power):
    x = np.array([1.0, 10.0, 100.0, 1000.0])
    curves = np.outer([1.0, 2.0, 3.0], x**power)
    found = loglog_slope(x, curves)
    assert [found.value, found.low, found.high] == pytest.approx([power] * 3)
    assert loglog_slope(x, [column for column in curves.T]).value == pytest.approx(power)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    x, hits = np.array([10.0, 100.0, 1000.0]), 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        apart = [rng.gamma(2.0, v**0.5 / 2.0, size=80) for v in x]
        found = loglog_slope(x, apart, resamples=200, seed=seed)
        hits += found.low <= 0.5 <= found.high
    assert 86 <= hits <= 100


def test_eight_skewed_runs_hold_the_truth_as_often_as_they_say(monkeypatch):
    """Plain percentiles miss it about twice as often as they say; the expanded ones do not."""
    x, hits = np.array([10.0, 100.0, 1000.0]), {"expanded": 0, "plain": 0}
    for kind in hits:
        if kind == "plain":
            monkeypatch.setattr(intervals, "expanded_tail", lambda level, num_runs: (1 - level) / 2)
        for seed in range(300):
            rng = np.random.default_rng(seed)
            found = loglog_slope(x, [rng.exponential(v**0.5, size=8) for v in x], resamples=300, seed=seed)
            hits[kind] += found.low <= 0.5 <= found.high
    assert 0.93 * 300 <= hits["expanded"] <= 0.975 * 300
    assert hits["plain"] < 0.92 * 300


def test_the_mean_of_a_few_normal_runs_is_in_students_interval():
    """The expanded percentiles of a mean come near mean +- t s / sqrt(n), whatever n; plain ones do not at n = 8."""
    for num_runs in (8, 30):
        sample = np.random.default_rng(num_runs).normal(size=(num_runs, 1))
        found = bootstrap(lambda means: float(means[0][0]), [sample], resamples=20_000)
        half = student(0.95, num_runs - 1) * sample.std(ddof=1) / num_runs**0.5
        assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)


@pytest.mark.parametrize("df, t", [(1, 12.7062), (2, 4.3027), (7, 2.3646), (30, 2.0423), (10_000, 1.9602)])
def test_students_quantiles(df, t):
    """Of a table (Abramowitz and Stegun 1964, 26.10)."""
    assert student(0.95, df) == pytest.approx(t, abs=2e-4)


def test_the_tail_is_that_of_the_smallest_sample():
    rng = np.random.default_rng(0)
    many, few = rng.exponential(size=(400, 1)), rng.exponential(size=(4, 1))
    both = [bootstrap(lambda means: float(means[0][0]), samples) for samples in ([many], [many, few])]
    assert both[1].high - both[1].low > 1.3 * (both[0].high - both[0].low)
    assert expanded_tail(0.95, 4) < 0.001 < expanded_tail(0.95, 8) < expanded_tail(0.95, 64) < 0.025


def test_curves_are_resampled_whole_and_points_apart():
    """A factor of each run moves its whole curve: no doubt about the slope of curves, but of points made apart."""
    x = np.array([10.0, 100.0])
    factors = np.random.default_rng(0).gamma(1.0, size=(50, 1))
    together = factors * x
    assert loglog_slope(x, together).high - loglog_slope(x, together).low < 1e-9
    apart = loglog_slope(x, list(together.T))
    assert apart.high - apart.low > 0.05


@pytest.mark.parametrize(
    "rate, verdict",
    [
        (np.full(1024, 0.3), "linear"),
        (0.5 * T**-0.5, "sublinear"),
        (1.0 / T, "sublinear"),
        (np.where(T < 40, 1.0, 0.0), "sublinear"),
        (np.where(T < 100, 5.0, 0.3), "linear"),  # a dear beginning does not make it sublinear
        (0.001 * T, "neither"),
    ],
)
def test_verdicts(rate, verdict):
    found = growth(noisy(rate))
    assert found.verdict == verdict
    assert found.exponent.low <= found.exponent.value <= found.exponent.high


def test_a_log_log_slope_would_take_a_dear_beginning_for_sublinear():
    curves = noisy(np.where(T < 100, 5.0, 0.3))
    assert loglog_slope(T[511:].astype(float), curves[:, 511:]).high < 0.8


def test_what_few_and_noisy_runs_cannot_tell_is_said():
    rng = np.random.default_rng(1)
    rare = np.cumsum(rng.random((6, 64)) < 0.02, axis=1)
    assert growth(rare).verdict == "neither"


def test_the_exponent_of_a_square_root():
    assert growth(noisy(0.5 * T**-0.5)).exponent.value == pytest.approx(0.5, abs=0.05)
    assert growth(np.zeros((4, 16))).exponent.high == -np.inf


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: growth(np.zeros((3, 4))), "8 episodes or more"),
        (lambda: growth(np.zeros(100)), "shape"),
        (lambda: growth(np.tile(-np.arange(16.0), (3, 1))), "falls somewhere"),
        (lambda: growth(np.zeros((1, 16))), "at least 2"),
        (lambda: growth(np.full((3, 16), np.nan)), "not finite"),
        (lambda: growth(np.zeros((3, 16)), level=95.0), "level=95"),
        (lambda: student(0.95, 0), "df=0"),
        (lambda: loglog_slope(np.array([1.0, 1.0]), np.ones((3, 2))), "two different positive"),
        (lambda: loglog_slope(np.array([0.0, 1.0]), np.ones((3, 2))), "two different positive"),
        (lambda: loglog_slope(np.array([1.0, 2.0]), np.ones((3, 3))), "number of points"),
        (lambda: loglog_slope(np.array([1.0, 2.0]), np.zeros((3, 2))), "not positive"),
    ],
)
def test_bad_input(call, said):
    with pytest.raises(BadInput, match=said):
        call()


def test_the_same_seed_the_same_interval():
    sample = [np.random.default_rng(0).random((30, 1))]
    first, again, other = (bootstrap(lambda means: float(means[0][0]), sample, seed=s) for s in (1, 1, 2))
    assert first == again != other
