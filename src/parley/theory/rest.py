"""When a run is at rest: nothing that it can still see changes what it does, so that what it will lose is known.

A belief b at the start of an episode, and what an episode played on it costs and tells (`trials.Told`), are enough:

- *frozen*: Under every latent that is still believed, future observations are distributed as under the true one. The
  belief never moves again, and each episode loses the same.
- *harmless*: The true latent is believed, and no believed latent loses anything. A run that plays the least loss on the
  belief plays without loss from then on, whichever of them it comes to believe.

Latents believed with less than `SETTLED` are left out. A false belief rises by a factor f with probability 1 / f at
most. So the neglected loss is of the order of `SETTLED` an episode.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.theory.trials import Told

SETTLED = 1e-9
SAME = 1e-12  # squared Hellinger distance of distributions that count as one: 1e-7 nats in 100,000 episodes


@dataclass(frozen=True)
class Rest:
    """Of R runs: whether they are frozen or harmless; what an episode under each instruction loses in each class."""

    frozen: Bool[np.ndarray, " R"]
    harmless: Bool[np.ndarray, " R"]
    loss: Float[np.ndarray, "W R C"]

    @classmethod
    def of(cls, told: Iterable[Told], belief: Float[np.ndarray, "R C"], truth: Int[np.ndarray, " R"]) -> "Rest":
        """`told` of an episode under each instruction that still comes, one at a time: they are large."""
        rows, likely, loss = np.arange(len(truth)), belief >= SETTLED, []
        frozen, harmless = np.ones(len(truth), dtype=bool), likely[rows, truth]
        for episode in told:
            true = episode.ends[np.arange(len(episode.row)), truth[episode.row]]
            apart = 1 - episode.over_ends(np.sqrt(episode.ends * true[:, None]))
            frozen &= np.where(likely, apart, 0.0).max(axis=1) <= SAME
            harmless &= np.where(likely, episode.loss, 0.0).max(axis=1) <= SETTLED
            loss.append(episode.loss)
        return cls(frozen, harmless, np.array(loss))
