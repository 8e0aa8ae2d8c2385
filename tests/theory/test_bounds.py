"""The theory's epsilon and bound: the formula by hand, its limits, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.core.errors import BadInput
from parley.theory.bounds import least_episodes, pretraining_delta, regret_bound, theory_epsilon


def test_by_hand():
    # H = 2, |Z| = 4, c_Z = e^2, T = e^8 rounded, eta = 0.5: log(c_Z |Z| sqrt(T)) = 2 + log 4 + 4.
    log = 2 + math.log(4) + math.log(math.sqrt(2981))
    assert theory_epsilon(2981, 2, 0.5, 4, math.e**2) == pytest.approx(math.sqrt(2 * log / (2981 * 0.5)), rel=1e-12)
    expected = 3 * 2**1.5 * math.sqrt(2981 / 0.5 * log)
    assert regret_bound(2981, 2, 0.5, 4, math.e**2, constant=3) == pytest.approx(expected, rel=1e-12)


sizes = dict(
    horizon=st.integers(1, 6), eta=st.floats(1e-3, 1.0), num_latents=st.integers(2, 100), c_z=st.floats(1.0, 1e4)
)


@given(**sizes)
def test_the_least_number_of_episodes_is_the_least(horizon, eta, num_latents, c_z):
    least = least_episodes(horizon, eta, num_latents, c_z)
    assert theory_epsilon(least, horizon, eta, num_latents, c_z) < 1
    assert least == 1 or theory_epsilon(least - 1, horizon, eta, num_latents, c_z) == 1


@given(**sizes, num_episodes=st.integers(1, 10**7))
def test_exploring_at_epsilon_stays_within_the_bound(horizon, eta, num_latents, c_z, num_episodes):
    epsilon = theory_epsilon(num_episodes, horizon, eta, num_latents, c_z)
    bound = regret_bound(num_episodes, horizon, eta, num_latents, c_z)
    assert 0 < epsilon <= 1
    assert epsilon * num_episodes * horizon <= bound * (1 + 1e-9)


@given(**sizes, num_episodes=st.integers(1, 10**7), delta_p=st.floats(0.0, 1.0))
def test_an_imperfect_model_adds_a_term_linear_in_episodes(horizon, eta, num_latents, c_z, num_episodes, delta_p):
    perfect = regret_bound(num_episodes, horizon, eta, num_latents, c_z, constant=3.0)
    found = regret_bound(num_episodes, horizon, eta, num_latents, c_z, constant=3.0, delta_p=delta_p)
    assert found == pytest.approx(perfect + horizon**2 * num_episodes * delta_p, rel=1e-12)


def test_the_pretraining_error_of_planner_and_reporter():
    assert pretraining_delta(0.0) == 0 and pretraining_delta(0.2) == 0.2
    assert pretraining_delta(0.2, 0.1, planner_coverage=3.0, reporter_coverage=5.0) == pytest.approx(1.1)
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(BadInput, match=f"planner_error={wrong}.*from 0 to 1"):
            pretraining_delta(wrong)
        with pytest.raises(BadInput, match=f"reporter_error={wrong}.*from 0 to 1"):
            pretraining_delta(0.1, wrong)
    with pytest.raises(BadInput, match="reporter_coverage=inf"):
        pretraining_delta(0.1, 0.1, reporter_coverage=math.inf)
    with pytest.raises(BadInput, match="delta_p=-1"):
        regret_bound(100, 1, 0.5, 2, 2.0, delta_p=-1.0)


@pytest.mark.parametrize("eta", [0.0, -0.1, 1.1, math.nan])
def test_eta_out_of_range(eta):
    with pytest.raises(BadInput, match="eta="):
        theory_epsilon(100, 1, eta, 2, 2.0)


def test_no_episodes_and_no_coverage():
    with pytest.raises(BadInput, match="T=0"):
        theory_epsilon(0, 1, 0.5, 2, 2.0)
    with pytest.raises(BadInput, match="T=0"):
        regret_bound(0, 1, 0.5, 2, 2.0)
    assert theory_epsilon(10**6, 1, 0.5, 2, math.inf) == 1.0
    with pytest.raises(BadInput, match="c_Z is infinite"):
        least_episodes(1, 0.5, 2, math.inf)
