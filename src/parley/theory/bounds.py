"""The theory's epsilon and regret bound (He et al. 2024, Theorem 5.7, as restated in theory.md section 4).

The paper leaves the constant in front of the bound open. It also leaves open the coverage constants in front of the
errors of an imperfect model. All are arguments here, 1 by default.
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
        raise BadInput(
            f"eta={eta}: expected a number above 0, at most 1; it is 0 where the exploration policy cannot tell some "
            "latents apart: use one that can"
        )
    return min(1.0, math.sqrt(horizon * _log_term(num_episodes, num_latents, c_z) / (num_episodes * eta)))


def least_episodes(horizon: int, eta: float, num_latents: int, c_z: float) -> int:
    """The least T for which the theory's epsilon is below 1. Raises `BadInput` if c_Z is infinite: then no T is enough.

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
    num_episodes: int,
    horizon: int,
    eta: float,
    num_latents: int,
    c_z: float,
    constant: float = 1.0,
    delta_p: float = 0.0,
) -> float:
    """constant * H^{3/2} sqrt(T / eta * log(c_Z |Z| sqrt(T))) + H^2 T Delta_p; the paper's constant is open.

    `delta_p` is what an imperfect model adds in every episode (`pretraining_delta`): 0 for a perfect one.

    >>> perfect = regret_bound(1_000, horizon=3, eta=0.5, num_latents=2, c_z=9.0)
    >>> round(regret_bound(1_000, horizon=3, eta=0.5, num_latents=2, c_z=9.0, delta_p=0.01) - perfect, 9)
    90.0
    """
    if not 0 <= delta_p < math.inf:
        raise BadInput(f"delta_p={delta_p}: expected the pretraining error, a finite number that is not negative")
    perfect = constant * horizon**1.5 * math.sqrt(num_episodes / eta * _log_term(num_episodes, num_latents, c_z))
    return perfect + horizon**2 * num_episodes * delta_p


def pretraining_delta(
    planner_error: float, reporter_error: float = 0.0, planner_coverage: float = 1.0, reporter_coverage: float = 1.0
) -> float:
    """Delta_p: the errors of Planner and Reporter, each times a coverage constant that the paper leaves open.

    Errors are total variation: of the Planner's distribution over subgoals to BAIL's, and of the Reporter's emission to
    the true E.

    >>> pretraining_delta(0.25, reporter_error=0.125, reporter_coverage=2.0)
    0.5
    """
    for name, error in (("planner_error", planner_error), ("reporter_error", reporter_error)):
        if not 0 <= error <= 1:
            raise BadInput(f"{name}={error}: expected a total variation, a number from 0 to 1")
    for name, coverage in (("planner_coverage", planner_coverage), ("reporter_coverage", reporter_coverage)):
        if not 0 <= coverage < math.inf:
            raise BadInput(f"{name}={coverage}: expected a finite constant that is not negative")
    return planner_coverage * planner_error + reporter_coverage * reporter_error
