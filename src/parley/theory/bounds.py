"""The theory's epsilon and regret bound (He et al. 2024, Theorem 5.7, as restated in theory.md section 4).

The paper leaves the constant in front of the bound open; it is an argument here, 1 by default.
"""

import math

from parley.core.errors import BadInput


def _log_term(num_episodes: int, num_latents: int, c_z: float) -> float:
    if num_episodes < 1:
        raise BadInput(f"T={num_episodes}: the number of episodes must be at least 1")
    return math.log(c_z * num_latents * math.sqrt(num_episodes))


def theory_epsilon(num_episodes: int, horizon: int, eta: float, num_latents: int, c_z: float) -> float:
    """epsilon = min(1, sqrt(H log(c_Z |Z| sqrt(T)) / (T eta))): the share of exploration episodes.

    >>> round(theory_epsilon(10_000, horizon=3, eta=0.5, num_latents=2, c_z=9.0), 4)
    0.0671
    """
    if not 0 < eta <= 1:
        raise BadInput(f"eta={eta}: the exploration policy cannot tell some latents apart; use one that can")
    return min(1.0, math.sqrt(horizon * _log_term(num_episodes, num_latents, c_z) / (num_episodes * eta)))


def least_episodes(horizon: int, eta: float, num_latents: int, c_z: float) -> int:
    """The least T for which the theory's epsilon is below 1. Raises `BadInput` where c_Z is infinite: there is none.

    >>> least_episodes(horizon=1, eta=1.0, num_latents=2, c_z=7.0)
    4
    """
    if not math.isfinite(c_z):
        raise BadInput("a latent has prior 0, so c_Z is infinite and the theory's epsilon is 1 for ever: give epsilon")
    low, high = 0, 1
    while theory_epsilon(high, horizon, eta, num_latents, c_z) == 1.0:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if theory_epsilon(middle, horizon, eta, num_latents, c_z) == 1.0 else (low, middle)
    return high


def regret_bound(
    num_episodes: int, horizon: int, eta: float, num_latents: int, c_z: float, constant: float = 1.0
) -> float:
    """constant * H^{3/2} sqrt(T / eta * log(c_Z |Z| sqrt(T))); the paper's constant is open."""
    return constant * horizon**1.5 * math.sqrt(num_episodes / eta * _log_term(num_episodes, num_latents, c_z))
