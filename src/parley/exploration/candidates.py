"""The policies of an episode that an explorer chooses among, and which of them is worth its cost.

All are known by what an episode of them costs and tells: `exploiting`, greedy on the belief; *trials*, greedy on a belief
that is tilted towards a class which stands to lose; and *plans*, the best for an episode, given what every way that it may
end leaves to lose (`theory.plans`), which begin with a subgoal that only informs where that pays.

A policy is worth what n episodes of it leave less to lose than n episodes of exploiting, times `prudence`, less what they
cost more; n is the best power of two. Of several that are worth something the one that gains most for its cost comes
first: what has to be found out anyway is best found out in that order.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parley.exploration.worth import TINY, Programme, Worth
from parley.theory.plans import Plan, best_plan
from parley.theory.trials import Told, Trials

IDLE = 1e-3  # regret: where less is left to gain, nothing is tried
TILTS = (1.0, 0.5)  # weight on the class that is tried
TRIED = 4  # classes considered for a trial, those that exploiting would cost most
EPISODES = 16  # of a programme that informs, at most
MOST = 30.0  # nats
SCALES = (1.0, 0.1)  # of what confusing two classes would cost, for plans that tell them apart


@dataclass(frozen=True)
class Chosen:
    """What a run plays for an episode: greedily on `weights` of the classes, or a `plan`, laws at the tree's nodes."""

    score: float
    weights: Float[np.ndarray, " C"] | None = None
    plan: Plan | None = None
    name: str = ""


class Candidates:
    """Finds what is worth its cost in one family; `start` is the belief that a run begins with."""

    def __init__(self, trials: Trials, num_instructions: int, prudence: float, start: Float[np.ndarray, " C"]) -> None:
        self.trials, self.prudence, self.num_w = trials, prudence, num_instructions
        self.start = start
        self._worth: dict[tuple[bytes, int], Worth] = {}

    def worth(self, often: Float[np.ndarray, " W"], remaining: int) -> Worth:
        """What is left to lose; the price of finding out is that of the best policy at the start of a run."""
        key = np.round(often, 1).tobytes(), int(np.log2(max(remaining, 1)))
        if key not in self._worth:
            worth = Worth.of(self.trials, often)
            programmes = [self._programme(w, remaining, worth) for w in range(self.num_w)]
            self._worth[key] = worth.with_programme(
                Programme(
                    np.asarray(sum(share * one.price for share, one in zip(often, programmes, strict=True))),
                    np.asarray(sum(share * one.nats for share, one in zip(often, programmes, strict=True))),
                )
            )
        return self._worth[key]

    def _programme(self, w: int, remaining: int, worth: Worth) -> Programme:
        """Policies that inform, each the best for the doubts that the ones before leave."""
        joint = self.start * self.trials.likelihood
        root = np.sqrt(joint)
        told = np.einsum("aca->ac", worth.nats)
        confused = worth.loss * np.minimum(remaining, 1 + 1 / np.maximum(told, TINY))
        doubt = np.sqrt(confused * confused.T)
        price, nats = np.zeros(len(joint.T)), np.zeros_like(doubt)
        for number in range(1, EPISODES + 1):
            later = ((root @ doubt) * root).sum(axis=1) / 2
            plan = best_plan(self.trials.tree, self.trials.losses(w), self.start[None], later[None])
            one = self.trials.follow(plan, w)
            price, nats = price + one.loss[0], nats + _divergence(one.ends)
            doubt = doubt * one.pairs()[0]
            if (np.sqrt(np.outer(self.start, self.start)) * doubt).sum() / 2 <= self.start @ one.loss[0]:
                break
        return Programme(price / number, nats / number)

    def best(
        self, belief: Float[np.ndarray, " C"], w: int, often: Float[np.ndarray, " W"], remaining: int
    ) -> tuple[Chosen | None, bool]:
        """What is best tried in this episode, and whether it is better to wait for another instruction."""
        worth = self.worth(often, remaining)
        exploit, *others = self._options(w, belief, remaining, worth)
        now = min(others, key=lambda one: one.score, default=exploit)
        if now.score < exploit.score - IDLE:
            return now, False
        return None, False

    def _options(self, w: int, belief: np.ndarray, remaining: int, worth: Worth) -> list[Chosen]:
        """What each policy costs in all under one instruction, exploiting first."""
        exploit = self.trials.play(belief[None], w)
        doubt = self.prudence * belief * exploit.loss[0] * remaining
        wrong = worth.wrong(belief[None], remaining)[0]
        first = (wrong.sum(axis=1) - wrong.sum(axis=0)).argmin()
        likely = np.argsort(-doubt)[:TRIED]
        likely = np.unique([first, *likely[doubt[likely] > 0]])
        weights = np.array([_tilted(belief, c, tilt) for c in likely for tilt in TILTS])
        plans = self._plans(w, belief, remaining, worth)
        policies = [(one, None, None) for one in (exploit,)]
        told = self.trials.play(weights, w)
        policies += [(told.of_rows(np.array([i])), weights[i], None) for i in range(len(weights))]
        told = self.trials.follow(plans, w)
        policies += [(told.of_rows(np.array([i])), None, [law[i] for law in plans]) for i in range(len(told.loss))]
        kept = np.flatnonzero(belief * remaining > IDLE / 10)
        worth, b = worth.of_classes(kept), belief[kept]
        found: list[Chosen] = []
        seen: list[Told] = []
        least = np.inf
        for k, (one, weights_of, plan) in enumerate(policies):
            if any(_same(one, other) for other in seen):
                continue
            seen.append(one)
            score, number = self._score(one, b, kept, exploit, remaining, worth, least, k == 0)
            least = min(least, score)
            name = f"{'exploit' if k==0 else 'tilt%d' % likely[(k-1)//2] if plan is None else 'plan'} n={number} cost={one.loss[0] @ belief:.3f} score={score:.3f}"
            found.append(Chosen(score, weights_of, plan, name))
        return found

    def _score(self, one: Told, b: np.ndarray, kept: np.ndarray, exploit: Told, remaining: int, worth: Worth, least: float, exploits: bool) -> tuple[float, int]:
        """What a policy costs in all, over the best number of episodes; nothing above `least` is worth computing."""
        each = float(one.loss[0, kept] @ b) * (self.prudence if exploits else 1.0)
        best = remaining * each, remaining
        for number, left in worth.after(one.ends[:, kept], b, exploit.loss[0, kept], remaining):
            if number * each >= min(least, best[0]):
                break
            best = min(best, (number * each + self.prudence * left.sum(), number))
        return best

    def _plans(self, w: int, belief: np.ndarray, remaining: int, worth: Worth) -> Plan:
        """Plans by what would be left to lose, and by what confusing two classes would cost."""
        joint = belief * self.trials.likelihood
        later = [self.prudence * worth.left(joint, remaining - 1).sum(axis=1)]
        told = np.einsum("aca->ac", worth.nats)
        confused = worth.loss * np.minimum(remaining, 1 + 1 / np.maximum(told, TINY))
        root = np.sqrt(joint)
        apart = ((root @ np.sqrt(confused * confused.T)) * root).sum(axis=1) / 2
        later += [scale * apart for scale in SCALES]
        return best_plan(self.trials.tree, self.trials.losses(w), np.tile(belief, (len(later), 1)), np.array(later))


def _tilted(belief: Float[np.ndarray, " C"], c: int, tilt: float) -> Float[np.ndarray, " C"]:
    """Weights that give class c a share `tilt`; where it is refuted within the episode, the belief."""
    others = np.where(np.arange(len(belief)) == c, 0.0, belief)
    mine = np.where(np.arange(len(belief)) == c, tilt, 0.0)
    return mine + (1 - tilt) * others / max(others.sum(), TINY) + TINY * belief


def _divergence(ends: Float[np.ndarray, "E C"]) -> Float[np.ndarray, "C C"]:
    """Nats by which an episode tells c from c' when c is true, at most `MOST`."""
    log = np.log(np.maximum(ends, 1e-300))
    return np.minimum((ends * log).sum(axis=0)[:, None] - ends.T @ log, MOST)


def _same(one: Told, other: Told) -> bool:
    """Whether two policies do the same: they lose the same and come to the same ends."""
    return one.ends.shape == other.ends.shape and np.allclose(one.loss, other.loss) and np.allclose(one.ends, other.ends)
