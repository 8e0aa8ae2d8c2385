"""Information-directed sampling over the policies of an episode.

Russo and Van Roy 2014, "Learning to Optimize via Information-Directed Sampling". Each episode is played by a mixture of
two policies. The mixture has the least information ratio: expected regret squared over information gain (their
Proposition 1: two policies are enough). The gain is the mutual information, in nats, between the class of latents and
how the episode ends. The policies: for each of `PRICES`, the policy with the least regret minus price times gain, over
all policies of the episode's tree (`theory.plans`). The price 0 gives the greedy one.
"""

import numpy as np
from jaxtyping import Float, Int

from parley.core.said import Moment, Opening, Outcome
from parley.exploration.posterior import TINY, NodeFollower, PosteriorExplorer, Reader
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.plans import Plan, best_plan
from parley.theory.trials import Told, Trials

KEPT = 512  # mixtures, so that they need not be worked out again
PRICES = np.array([0.0, *np.geomspace(1e-4, 1e4, 17)])  # of a nat, in units of regret


class InformationDirected(PosteriorExplorer):
    """Plays, for an episode, the mixture of policies with the least regret squared over information gain."""

    def __init__(self, beliefs: Beliefs, classes: Classes, trials: Trials, reader: Reader, owns: bool = True) -> None:
        super().__init__(beliefs, classes, reader, owns)
        self.trials = trials
        self.follower = NodeFollower(trials.tree)
        self._share: Float[np.ndarray, "B 2"] = np.zeros((0, 2))
        self._mixtures: dict[bytes, tuple[Plan, np.ndarray]] = {}

    def hear(self, said: Opening | Outcome) -> None:
        super().hear(said)
        tables = self.beliefs.tables
        seen = tables.observation_words.encode(said.observations)
        if isinstance(said, Opening):
            self.follower.begin(seen)
            self._mix()
        else:
            joint = tables.joint(said.subgoals)
            weight = self._share * np.take_along_axis(self._laws, joint[:, None, None], axis=2)[:, :, 0]
            total = weight.sum(axis=1, keepdims=True)  # 0 where the episode was over
            self._share = np.where(total > 0, weight / np.where(total > 0, total, 1.0), self._share)
            self.follower.advance(said, joint, seen)

    def _mix(self) -> None:
        """Choose each run's two policies; runs that believe alike choose alike."""
        belief, w = self.before, self.reader.instruction[:, 0]
        key = np.column_stack([np.round(belief, 12), w])
        _, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
        self._which: Int[np.ndarray, " B"] = which.ravel()
        found = [self._mixture(key[row], belief[row], int(w[row])) for row in first]
        self._plans = [plan for plan, _ in found]
        self._share = np.array([share for _, share in found])[self._which]
        self.trial = self._share[:, 1] > 0

    def _mixture(self, key: np.ndarray, belief: Float[np.ndarray, " C"], w: int) -> tuple[Plan, np.ndarray]:
        """What `least_ratio` finds; kept, since a belief that nothing moves comes back in every episode."""
        name = key.tobytes()
        if name not in self._mixtures:
            while len(self._mixtures) >= KEPT:
                self._mixtures.pop(next(iter(self._mixtures)))
            self._mixtures[name] = least_ratio(self.trials, belief, w)
        return self._mixtures[name]

    def _law(self, moment: Moment) -> Float[np.ndarray, "B G"]:
        node, step = self.follower.node, moment.step - 1
        self._laws: Float[np.ndarray, "B 2 G"] = np.stack(
            [self._plans[k][step][:, max(n, 0)] for k, n in zip(self._which, node, strict=True)]
        )
        law = np.einsum("bk,bkg->bg", self._share, self._laws)
        return np.where((node >= 0)[:, None], law, self._greedily(moment, self._believed()))


def least_ratio(trials: Trials, belief: Float[np.ndarray, " C"], w: int) -> tuple[Plan, Float[np.ndarray, " 2"]]:
    """Two plans for an episode begun with a belief, and their shares: the least regret squared over information.

    The first plan is the one of less regret. Where the greedy plan loses nothing it is played alone.
    """
    nats = _information(trials, belief)
    later = trials.beyond(belief, w) - PRICES[:, None] * nats
    plans = best_plan(trials.tree, trials.losses(w), belief, later)
    told = trials.follow(plans, belief, w)
    regret, nats = np.maximum(told.loss @ belief, 0.0), _mutual(told, belief)
    if regret[0] <= TINY:
        return _only(plans, 0, 0), np.array([1.0, 0.0])
    i, j = np.triu_indices(len(PRICES))
    dearer, more = regret[j] - regret[i], nats[j] - nats[i]
    with np.errstate(divide="ignore", invalid="ignore"):  # where the derivative of the ratio is 0, or at an end
        q = np.nan_to_num(np.clip(regret[i] / dearer - 2 * nats[i] / more, 0.0, 1.0))
        shares = np.stack([q, np.zeros(len(q)), np.ones(len(q))])
        ratio = (regret[i] + shares * dearer) ** 2 / (nats[i] + shares * more)
    best, pair = divmod(int(np.argmin(np.where(np.isnan(ratio), np.inf, ratio))), len(i))
    return _only(plans, i[pair], j[pair]), np.array([1 - shares[best, pair], shares[best, pair]])


def _only(plans: Plan, i: int, j: int) -> Plan:
    return [law[[i, j]] for law in plans]


def _mutual(told: Told, belief: Float[np.ndarray, " C"]) -> Float[np.ndarray, " R"]:
    """The mutual information of the class and the end, in nats, under each plan."""
    joint = belief * told.ends
    mass = joint.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(joint > 0, joint * np.log(told.ends / mass), 0.0).sum(axis=1)
    return np.maximum(told.over_ends(each), 0.0)


def _information(trials: Trials, belief: Float[np.ndarray, " C"]) -> Float[np.ndarray, " E"]:
    """Nats that each end tells about the class, per unit of its mass under equal weights."""
    joint = belief * trials.likelihood
    mass = joint.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(joint > 0, joint * np.log(trials.likelihood / mass), 0.0).sum(axis=1)
