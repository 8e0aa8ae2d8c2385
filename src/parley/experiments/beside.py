"""An explorer with the exact planner at its side: what a planner proposes and chooses is held against BAIL, live."""

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import Draws
from parley.core.roles import Explorer
from parley.core.said import Choice, Menu, Moment, Opening, Outcome, Proposal
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs

MEASURED = ("distance", "right", "first")


class Beside:
    """Explores as `explorer` does, and keeps what it sees. `latents` (B,) are the runs' own, known to the judge alone.

    For one Actor, and menus in the order of the world's tables.
    """

    def __init__(self, explorer: Explorer, beliefs: Beliefs, latents: Int[np.ndarray, " B"]) -> None:
        self.explorer, self.exact, self.latents = explorer, ExactPlanner(beliefs), latents

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        """Begin the runs; forget what was measured."""
        self.explorer.start(draws, num_episodes, horizon)
        self.exact.start(draws)
        self._found = np.full((draws.num_runs, num_episodes, horizon, len(MEASURED)), np.nan)

    def hear(self, said: Opening | Outcome) -> None:
        """Take in what was said."""
        self.explorer.hear(said)
        self.exact.hear(said)

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        """What the explorer chooses."""
        choice, exact = self.explorer.choose(proposal, how, menu, moment), self.exact
        law, runs = exact.joint_proposal(), np.arange(len(self.latents))
        values = exact.beliefs.optimal(exact.step, exact.place, exact.latent, exact.instruction)[runs, self.latents]
        at = self._found[:, moment.episode, moment.step - 1]
        at[:, 0] = 0.5 * np.abs(proposal.probs - law).sum(axis=1)
        at[:, 1] = values[runs, choice.index] >= values.max(axis=1) - 1e-9
        at[:, 2] = choice.index
        return choice

    @property
    def found(self) -> Float[np.ndarray, "B T 3"]:
        """What was found of each run and episode.

        First, the total variation of the proposals to BAIL, mean over steps. Second, whether the first subgoal is
        optimal for the latent. Third, the index of that subgoal.
        """
        return np.stack([np.nanmean(self._found[..., 0], axis=2), *np.moveaxis(self._found[:, :, 0, 1:], 2, 0)], axis=2)
