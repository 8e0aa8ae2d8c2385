"""Exact planners for a latent that may jump: one discounts the past, one restarts when a sequential test says so.

The test is that of Shiryaev and Roberts (Pollak 1985), on episodes. For every past episode s there is a planner that
knows nothing from before s. Its predictions are held against the planner's own, R = sum_s prod_{i >= s} q_s(o_i) /
p(o_i). While the latent does not jump, R less the number of episodes is a martingale under the planner's distribution.
So the expected number of episodes to a false alarm at R >= A is at least A, over latents drawn from the prior.

As q_s is a mixture over the prior, R = sum_z P(z) R_z with R_z <- (R_z + 1) P_z(o) / p(o). After an alarm P(z) R_z
weighs the candidates for the new latent, the episode of the jump summed out.
"""

import numpy as np
from jaxtyping import Bool, Float

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import State
from parley.core.said import Opening, Outcome
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import log_total, normalised

EPISODES = 1000.0  # to a false alarm, on average, at least


class DiscountingPlanner(ExactPlanner):
    """BAIL for a latent that is drawn anew before each episode with probability 1 - `keep` (Herbster, Warmuth 1998)."""

    def __init__(self, beliefs: Beliefs, keep: float, decode: str = "sample") -> None:
        super().__init__(beliefs, decode=decode)
        self.keep = keep

    def _past(self) -> Float[np.ndarray, "B Z"]:
        return np.log(self.keep * normalised(super()._past()) + (1 - self.keep) * self.tables.prior)


class RestartingPlanner(ExactPlanner):
    """BAIL that begins anew when what it hears is better foretold by some later beginning.

    `alarmed` says in which runs it has done so in this episode. An observation that no latent can give after all that
    was heard is an alarm like any other.
    """

    log_since: Float[np.ndarray, "B Z"]  # log R_z, the current episode not counted

    def start(self, draws: Draws) -> None:
        super().start(draws)
        self.log_since = np.full(self.settled.shape, -np.inf)
        self.alarmed: Bool[np.ndarray, " B"] = np.zeros(self.num_runs, dtype=bool)

    def hear(self, said: Opening | Outcome) -> None:
        if isinstance(said, Opening):
            self.alarmed = np.zeros(self.num_runs, dtype=bool)
        self._before = 0.0 if isinstance(said, Opening) else self.log_environment
        super().hear(said)

    def _settle(self) -> None:
        if self.step:
            self.log_since = self._since()
        super()._settle()

    def _begun(self) -> Float[np.ndarray, "B Z"]:
        """log P(z) (R_z + 1): weights of a planner that began at some episode up to this one."""
        with np.errstate(divide="ignore"):
            return np.log(self.tables.prior) + np.logaddexp(self.log_since, 0.0)

    def _since(self) -> Float[np.ndarray, "B Z"]:
        """log R_z with what was heard in this episode."""
        foretold = log_total(self._log_weights()) - log_total(self.settled)
        return np.logaddexp(self.log_since, 0.0) + self.log_environment - foretold[:, None]

    def _refuse_impossible(self, said: Opening | Outcome) -> None:
        weights = self._log_weights()
        with np.errstate(invalid="ignore"):
            foretold = log_total(weights) - log_total(self.settled)
            found = log_total(self._begun() + self.log_environment) - foretold >= np.log(EPISODES)
        self._restart(np.flatnonzero(found | np.isneginf(foretold)))
        super()._refuse_impossible(said)

    def _restart(self, rows: np.ndarray) -> None:
        begun = self._begun()[rows]
        self.settled, self.log_since = self.settled.copy(), self.log_since.copy()
        self.settled[rows] = begun - begun.max(axis=1, keepdims=True)
        self.log_since[rows] = -np.inf
        self._unseen[rows] = (self.settled + self._before)[rows]
        self.alarmed[rows] = True

    def snapshot(self) -> State:
        return {**super().snapshot(), "log_since": self._since() if self.step else self.log_since}

    def restore(self, state: State) -> None:
        super().restore(state)
        self.log_since = state["log_since"].copy()


def forgetting(beliefs: Beliefs, how: str, decode: str = "sample") -> ExactPlanner:
    """The planner of `forget=restart`, or of a number, the share of belief that is kept from episode to episode."""
    if how == "restart":
        return RestartingPlanner(beliefs, decode=decode)
    try:
        keep = float(how)
    except ValueError:
        keep = 0.0
    if not 0 < keep < 1:
        raise BadInput(f"forget={how!r}: expected 'restart', or the share of belief that is kept, as in 0.99")
    return DiscountingPlanner(beliefs, keep, decode)
