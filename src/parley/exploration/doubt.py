"""What a trial of some latents is worth: the value of finding out against its cost, over the episodes that remain.

A trial tests a behaviour, not a latent. It is played for one class. All classes that lose less by the trial's play than
by exploiting are grouped with it, against the mixture of the others. Without the trial a class loses until exploiting
reveals that class, or the group. The loss of the trial's own play is not gained, except in the class that it is played
for.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.said import TIE
from parley.theory.trials import Told, Trials

IDLE = 1e-3  # regret: where less is left to gain, no trial is made
TINY = 1e-12


@dataclass(frozen=True)
class Doubt:
    """What R runs stand to lose by exploiting, at the start of an episode; C classes, W instructions."""

    belief: Float[np.ndarray, "R C"]
    instruction: Int[np.ndarray, " R"]
    often: Float[np.ndarray, "R W"]  # how often each instruction is expected to come
    remaining: int  # episodes, this one included
    exploit: list[Told]  # an episode of exploiting, under each instruction
    loss: Float[np.ndarray, "R C"]  # of such an episode, over the instructions
    wait: Float[np.ndarray, "R C"]  # episodes until exploiting itself gives each class away

    @classmethod
    def of(cls, trials: Trials, b: np.ndarray, w: np.ndarray, often: np.ndarray, remaining: int) -> "Doubt":
        exploit = [trials.play(b, v) for v in range(often.shape[1])]
        loss = _over(often, [told.loss for told in exploit])
        nats = _over(often, [_nats(told.affinity(b)) for told in exploit])
        return cls(b, w, often, remaining, exploit, loss, _wait(_odds(b, 1 - b), nats, remaining))

    @property
    def without(self) -> Float[np.ndarray, "R C"]:
        """What doing without a trial of each class costs, weighed by the belief in it."""
        return self.belief * self.loss * self.wait

    def of_rows(self, rows: Int[np.ndarray, " r"]) -> "Doubt":
        """That of some of the runs."""
        exploit = [told.of_rows(rows) for told in self.exploit]
        b, w, often = self.belief[rows], self.instruction[rows], self.often[rows]
        return Doubt(b, w, often, self.remaining, exploit, self.loss[rows], self.wait[rows])

    def gain(
        self, trials: Trials, c: Int[np.ndarray, " R"], tilt: Float[np.ndarray, " R"], prudence: float
    ) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, "R C"], Bool[np.ndarray, " R"]]:
        """What a trial of class c (one a run) gains, the weights it is played on, and whether it had better wait.

        On trial are c and all that lose less by it than by exploiting. A trial is better put off where the
        instruction that would make it cheaper comes soon enough: gain -inf.
        """
        b, r = self.belief, np.arange(len(c))
        weights = _tilted(b, c, tilt)
        trial = [trials.play(weights, v) for v in range(len(self.exploit))]
        kept = _over(self.often, [told.loss for told in trial])  # what the trial's play would lose for good
        tried = (b > 0) & (kept < self.loss - TIE)
        tried[r, c] = True
        mine, others = np.where(tried, b, 0.0), np.where(tried, 0.0, b)
        odds = _odds(mine.sum(axis=1), others.sum(axis=1))
        slowly = _over(self.often, [_nats(told.affinity_of(tried, b)) for told in self.exploit])
        wait = np.minimum(self.wait, _wait(odds, slowly, self.remaining)[:, None])
        kept[r, c] = 0.0  # once believed it is known
        without = (mine * (self.loss - kept) * wait).sum(axis=1)
        gains = np.full(self.often.shape, -np.inf)
        for v, (told, exploit) in enumerate(zip(trial, self.exploit, strict=True)):
            nats = _nats(told.affinity_of(tried, b))
            number = np.maximum(1.0, odds / np.maximum(nats, TINY))
            cost = (others * np.maximum(told.loss - exploit.loss, 0) + mine * told.loss).sum(axis=1)
            gains[:, v] = np.where(nats > TINY, prudence * without - cost * number, -np.inf)
        later = gains - (mine * self.loss).sum(axis=1)[:, None] / self.often
        now, soon = gains[r, self.instruction], later.max(axis=1)
        return np.where(now >= soon, now, -np.inf), weights, (soon > now) & (soon > IDLE)


def _tilted(
    b: Float[np.ndarray, "R C"], c: Int[np.ndarray, " R"], tilt: Float[np.ndarray, " R"]
) -> Float[np.ndarray, "R C"]:
    """Weights that give class c of each run a share `tilt`; where it is refuted within the episode, the belief."""
    mine = np.eye(b.shape[1])[c]
    others = np.where(mine > 0, 0.0, b)
    rest = (1 - tilt)[:, None] * others / np.maximum(others.sum(axis=1, keepdims=True), TINY)
    return tilt[:, None] * mine + rest + TINY * b


def _odds(mine: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Nats to be gained until those on trial are believed."""
    return np.maximum(np.log(np.maximum(others, TINY)) - np.log(np.maximum(mine, TINY**2)), 0.0) + 1


def _wait(odds: np.ndarray, nats: np.ndarray, remaining: int) -> np.ndarray:
    """Episodes until exploiting, so informative in each, reveals a hypothesis that has such odds."""
    return np.minimum(odds / np.maximum(nats, TINY), remaining)


def _over(often: Float[np.ndarray, "R W"], each: list[np.ndarray]) -> np.ndarray:
    """The expectation over instructions, of an array (R, ...) under each."""
    return np.asarray(sum(share.reshape(-1, *[1] * (a.ndim - 1)) * a for share, a in zip(often.T, each, strict=True)))


def _nats(affinity: np.ndarray) -> np.ndarray:
    return -2 * np.log(np.maximum(affinity, TINY))
