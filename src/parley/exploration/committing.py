"""Explore, then commit: a given exploration policy until the posterior is certain, then greedily on the posterior."""

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.core.said import Choice, Menu, Moment, Opening, Outcome, Proposal
from parley.exploration.explorers import ListeningPolicy, Policy
from parley.exploration.posterior import PosteriorExplorer, Reader
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes


class ExploreThenCommit(PosteriorExplorer):
    """Explores in every episode that begins with no class of latents above `confidence`; otherwise it exploits."""

    def __init__(
        self,
        beliefs: Beliefs,
        classes: Classes,
        reader: Reader,
        policy: Policy,
        listener: ListeningPolicy | None = None,
        confidence: float = 0.99,
        owns: bool = True,
    ) -> None:
        super().__init__(beliefs, classes, reader, owns)
        if not 0 < confidence <= 1:
            raise BadInput(f"confidence={confidence}: expected a posterior probability above 0 and at most 1")
        self.policy, self.listener, self.confidence = listener or policy, listener, confidence

    def hear(self, said: Opening | Outcome) -> None:
        super().hear(said)
        if self.listener:
            self.listener.hear(said)
        if isinstance(said, Opening):
            self.trial = self.belief.max(axis=1) < self.confidence

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        self._exploring: Float[np.ndarray, "B M"] = self.policy(menu, moment, len(proposal.probs))
        choice = super().choose(proposal, how, menu, moment)
        if self.listener:
            self.listener.chose(choice.index)
        return choice

    def _executed(self, law: Float[np.ndarray, "B M"], proposal: Proposal, how: str) -> Float[np.ndarray, "B M"]:
        return np.where(self.trial[:, None], self._exploring, law)
