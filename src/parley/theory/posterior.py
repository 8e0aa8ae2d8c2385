"""The posterior over latents that a perfectly pretrained Planner computes implicitly (theory.md 2), in log space."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.core.rows import row_max

ENVIRONMENT = "environment"
DEMONSTRATOR = "environment+demonstrator"


@dataclass(frozen=True)
class Evidence:
    """What counts as evidence about z.

    With `kind` "environment" only observations are evidence; choosing a subgoal is an intervention. With
    "environment+demonstrator" the pretraining data held a share `rho` of the expert's own trajectories. Then subgoals
    are evidence too, by the mixture rho * expert + (1 - rho) * behaviour. It is drawn for whole episodes
    (`mixture="episode"`) or at each step.
    """

    kind: str = ENVIRONMENT
    rho: float = 0.0
    mixture: str = "episode"

    def __post_init__(self) -> None:
        if self.kind not in (ENVIRONMENT, DEMONSTRATOR):
            raise BadInput(f"evidence={self.kind!r}: expected {ENVIRONMENT!r} or {DEMONSTRATOR!r}")
        if not 0 <= self.rho <= 1:
            raise BadInput(f"rho={self.rho}: expected the share of expert trajectories, between 0 and 1")
        if self.kind == ENVIRONMENT and self.rho:
            raise BadInput(f"rho={self.rho} means nothing with evidence={ENVIRONMENT!r}: use evidence={DEMONSTRATOR!r}")
        if self.mixture not in ("episode", "step"):
            raise BadInput(f"mixture={self.mixture!r}: expected 'episode' or 'step'")

    @property
    def demonstrator(self) -> bool:
        return self.kind == DEMONSTRATOR and self.rho > 0

    def of_episode(self, expert: Float[np.ndarray, "*B Z"], behaviour: Float[np.ndarray, "*B"]) -> np.ndarray:
        """Log-likelihood of an episode's subgoals under the episode mixture, from the two sides' log-likelihoods."""
        with np.errstate(divide="ignore"):
            return np.logaddexp(np.log(self.rho) + expert, np.log1p(-self.rho) + behaviour[..., None])

    def of_step(self, expert: Float[np.ndarray, "*B Z"], behaviour: float) -> np.ndarray:
        """Log-likelihood of one subgoal under the step mixture, from probabilities."""
        with np.errstate(divide="ignore"):
            return np.log(self.rho * expert + (1 - self.rho) * behaviour)


def normalised(log_weights: Float[np.ndarray, "*B Z"]) -> Float[np.ndarray, "*B Z"]:
    """Probabilities from log weights; a row that is all -inf gives NaN (the caller names what was impossible)."""
    with np.errstate(invalid="ignore"):
        weights = np.exp(log_weights - row_max(log_weights, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)


def log_total(log_weights: Float[np.ndarray, "*B Z"]) -> Float[np.ndarray, "*B"]:
    """log of the sum of the weights; -inf for a row that is all -inf."""
    most = row_max(log_weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isneginf(most), most, most + np.log(np.exp(log_weights - most[..., None]).sum(axis=-1)))


def bail(posterior: Float[np.ndarray, "*B Z"], experts: Float[np.ndarray, "*B Z G"]) -> Float[np.ndarray, "*B G"]:
    """Bayesian aggregated imitation: sum_z P(z given pt) pi*_z(g) (He et al. 2024, Proposition 4.2)."""
    return (posterior[..., None, :] @ experts)[..., 0, :]
