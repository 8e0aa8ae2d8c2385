"""Intervals that hold at every stop: their coverage is measured where one stops when it suits."""

from itertools import product

import numpy as np
import pytest

from parley.bench.sequences import interval


def outcomes(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """96 values, and the mean of each given those before."""
    if kind == "dependent":  # after a low value a smooth one comes, after a high value all or nothing
        values = [0.2]
        for _ in range(95):
            values.append(float(rng.random() < 0.2) if values[-1] >= 0.2 else 0.2 + rng.uniform(-0.2, 0.2))
        return np.array(values), 0.2
    return {
        "rare": (rng.random(96) < 0.03, 0.03),
        "even": (rng.random(96) < 0.5, 0.5),
        "smooth": (rng.beta(10, 30, 96), 0.25),
    }[kind]


@pytest.mark.parametrize("kind", ["rare", "even", "smooth", "dependent"])
def test_the_mean_is_covered_however_one_stops(kind: str) -> None:
    """An adversary stops as soon as the mean is missed: in more than 20 of 160 at a rate of 5% with a chance of 1e-4.

    An interval is the intersection of those at all earlier sizes, so the last one tells whether any missed.
    """
    rng, missed = np.random.default_rng(7), 0
    for _ in range(160):
        values, mean = outcomes(kind, rng)
        found = interval(values, 0.0, 1.0)
        missed += not found.low <= mean <= found.high
    assert missed <= 20


def test_no_more_than_the_rate_is_missed_in_all_sequences_of_zeros_and_ones() -> None:
    """Exactly, over all 1,024 sequences of 10 outcomes: nothing is left to chance."""
    sequences = np.array(list(product([0.0, 1.0], repeat=10)))
    ends = np.array([(found.low, found.high) for found in (interval(one, 0, 1) for one in sequences)])
    ones, missed = sequences.sum(axis=1), []
    for mean in (0.05, 0.2, 0.35, 0.5, 0.8, 0.95):
        chance = mean**ones * (1 - mean) ** (10 - ones)
        missed.append(float(chance[(ends[:, 0] > mean) | (ends[:, 1] < mean)].sum()))
    assert 0 < max(missed) <= 0.05


def test_an_interval_lies_within_those_before_it() -> None:
    values = np.random.default_rng(3).random(64)
    found = [interval(values[:n], 0.0, 1.0) for n in range(1, 65)]
    for one, next_one in zip(found, found[1:], strict=False):
        assert one.low <= next_one.low + 1e-12 or next_one.mean < one.low + 1e-12
        assert next_one.high <= one.high + 1e-12 or next_one.mean > one.high - 1e-12


def test_intervals_shrink_and_follow_their_scale() -> None:
    values = np.random.default_rng(0).random(128)
    short, long = interval(values[:16], 0, 1), interval(values, 0, 1)
    assert long.width < short.width / 2
    scaled = interval(3 * values - 1, -1, 2)
    assert scaled.low == pytest.approx(3 * long.low - 1)
    assert scaled.high == pytest.approx(3 * long.high - 1)


def test_of_nothing_nothing_is_known_and_what_is_out_of_range_is_refused() -> None:
    nothing = interval(np.empty(0), -1.0, 1.0)
    assert (nothing.low, nothing.high, nothing.num) == (-1.0, 1.0, 0)
    for wrong in ([0.0, 1.5], [np.nan], [-0.2]):
        with pytest.raises(ValueError, match="expected all between"):
            interval(np.array(wrong), 0.0, 1.0)


def test_equal_values_at_a_limit_leave_the_limit_in() -> None:
    for value in (0.0, 1.0):
        found = interval(np.full(64, value), 0.0, 1.0)
        assert found.low <= value <= found.high
        assert found.width < 0.1
