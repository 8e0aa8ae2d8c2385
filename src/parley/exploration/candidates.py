"""The policies of an episode that an explorer chooses among, and which of them costs least in all.

- *exploiting*: greedy on the belief;
- *trials*: greedy on a belief tilted towards one class, where exploiting would cost much if that class were the truth;
- *plans*: the best for an episode, given the remaining loss after each way that it may end (`theory.plans`). A plan may
  begin with a subgoal that only informs, and then do what that subgoal told.

A policy costs its loss in n episodes plus the remaining loss after them (`Worth`), with the best n.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from parley.core.said import TIE
from parley.exploration.worth import MOVED, TINY, Future, Programme, Worth
from parley.theory.plans import Plan, best_plan
from parley.theory.trials import Told, Trials

IDLE = 1e-3  # regret: where less is left to gain, nothing is tried
SURE = 0.2  # of what exploiting costs: costs are not estimated better
LEAST = IDLE / 10  # episodes that remain times the belief in a class: with less it is as good as given up
TILTS = (1.0, 0.5)  # weight on the class that is tried
TRIED = 4  # classes considered for a trial, those that exploiting would cost most
EPISODES = 16  # of a programme that informs, at most
MOST = 30.0  # nats that count as certainty
SCALES = (1.0, 0.1)  # of what confusing two classes costs, for plans that inform more or less


@dataclass(frozen=True)
class Policy:
    """A policy of one episode, and what it costs and tells (one row)."""

    told: Told
    weights: Float[np.ndarray, " C"] | None = None
    plan: Plan | None = None


@dataclass(frozen=True)
class Chosen:
    """What a run plays for some episodes: greedily on `weights` of the classes, or a `plan`.

    A plan lists, by step, the nodes that it comes to and the probabilities of joint subgoals there.

    `score` is its total cost: that of so many episodes (`number`), and the remaining loss after them. A gain can be
    within the error of the estimates while exploiting settles the same doubts. Then it is put off until exploiting,
    which loses `lost` in an episode, has lost `unsure`.
    """

    score: float
    number: int
    weights: Float[np.ndarray, " C"] | None = None
    plan: list[tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m G"]]] | None = None
    unsure: float = 0.0
    lost: float = 0.0

    def planned(self, step: int, node: int) -> Float[np.ndarray, " G"] | None:
        """The plan's distribution at a node of the tree. None where the plan does not define one."""
        if self.plan is None or node < 0 or step > len(self.plan):
            return None
        nodes, laws = self.plan[step - 1]
        at = int(np.searchsorted(nodes, node))
        return laws[at] if at < len(nodes) and nodes[at] == node else None


class Candidates:
    """Finds the policies worth their cost in one family. `start` is the belief that a run begins with.

    `prudence`: as if so many times as many episodes remained. A latent that is given up permanently then costs so much
    more.
    """

    def __init__(self, trials: Trials, num_instructions: int, prudence: float, start: Float[np.ndarray, " C"]) -> None:
        self.trials, self.prudence, self.num_w, self.start = trials, prudence, num_instructions, start
        self._worth: dict[tuple[bytes, int], Worth] = {}

    def best(
        self,
        belief: Float[np.ndarray, " C"],
        w: int,
        often: Float[np.ndarray, " W"],
        remaining: int,
        drawn: int | None = None,
    ) -> Chosen | None:
        """The best trial under an instruction. None where exploiting is best, also in order to wait for another
        instruction. Where the best is about the most probable class, it is about `drawn` instead if that costs as much,
        within the error."""
        remaining = int(np.ceil(self.prudence * remaining))
        kept = np.flatnonzero(belief * remaining > LEAST)
        asked = Asked(self, belief, remaining, kept, self.worth(often, remaining).of_classes(kept))
        exploit = Policy(self.trials.play(belief[None], w))
        score = asked.exploiting(exploit, w)
        found = asked.cheapest(asked.policies(w, exploit), exploit, score - IDLE)
        if found is None:
            return asked.instead(drawn, w, exploit, exploit, score) if asked.acts(exploit, w) else None
        policy, now = found
        paid = float(exploit.told.loss[0] @ belief)
        for v in np.flatnonzero(often > 0).tolist():
            waiting = now.score - IDLE - paid / often[v]
            if v != w and waiting > 0:
                exploiting = Policy(self.trials.play(belief[None], v))
                if asked.cheapest(asked.policies(v, exploiting), exploiting, waiting) is not None:
                    return None
        unsure = SURE * score * asked.shared(exploit, policy)
        near = score - now.score < unsure
        now = asked.instead(drawn, w, exploit, policy, now.score) or now
        return replace(now, unsure=unsure, lost=paid) if near else now

    def worth(self, often: Float[np.ndarray, " W"], remaining: int) -> Worth:
        """The remaining loss where instructions come so often, with the programme that is most informative at the
        start."""
        key = np.round(often, 1).tobytes(), int(np.log2(max(remaining, 1)))
        if key not in self._worth:
            worth = Worth.of(self.trials, often)
            each = [self._programme(w, remaining, worth) for w in range(self.num_w)]
            price = sum(share * one.price for share, one in zip(often, each, strict=True))
            nats = sum(share * one.nats for share, one in zip(often, each, strict=True))
            self._worth[key] = worth.with_programme(Programme(np.asarray(price), np.asarray(nats)))
        return self._worth[key]

    def _programme(self, w: int, remaining: int, worth: Worth) -> Programme:
        """Policies that inform, each the best for the doubts that the ones before leave."""
        joint, tree = self.start * self.trials.likelihood, self.trials.tree
        doubt, beyond = worth.confused(remaining), self.trials.beyond(self.start, w)
        price, nats = np.zeros(len(doubt)), np.zeros_like(doubt)
        number = 0
        while number < EPISODES:
            number += 1
            plan = best_plan(tree, self.trials.losses(w), self.start, (apart(joint, doubt) + beyond)[None])
            one = self.trials.follow(plan, self.start, w)
            price, nats = price + one.loss[0], nats + _divergence(one.ends)
            doubt = doubt * one.pairs()[0]
            if apart(self.start[None], doubt)[0] <= self.start @ one.loss[0]:
                break
        return Programme(price / number, nats / number)


@dataclass(frozen=True)
class Asked:
    """One question: the best trial on a belief, so many episodes before the end."""

    of: Candidates
    belief: Float[np.ndarray, " C"]
    remaining: int
    kept: Int[np.ndarray, " k"]  # classes that are not as good as given up
    worth: Worth  # of these

    def cheapest(self, policies: Iterable[Policy], exploit: Policy, below: float) -> tuple[Policy, Chosen] | None:
        """The policy that costs least in all, if it costs less than `below` and is not the same as exploiting."""
        seen, best = [exploit], None
        for policy in policies:
            if any(_same(policy.told, other.told) for other in seen):
                continue
            seen.append(policy)
            score, number = self.total(policy, below)
            if score < below:
                below = score
                best = policy, Chosen(score, number, policy.weights)
        if best is None:
            return None
        policy, chosen = best
        if policy.plan is None:
            return best
        return policy, replace(chosen, plan=self._reached(policy.plan))

    def shared(self, exploit: Policy, policy: Policy) -> float:
        """The share of what a policy settles that exploiting settles as well."""
        mine, theirs = self._settled(policy), self._settled(exploit)
        return float(np.minimum(mine, theirs).sum() / max(mine.sum(), TINY))

    def _settled(self, policy: Policy) -> Float[np.ndarray, "k k"]:
        """By how much an episode of a policy lowers what confusing two classes costs."""
        belief = self.belief[self.kept]
        told = 1 - policy.told.pairs()[0][np.ix_(self.kept, self.kept)]
        return np.asarray(self.worth.confused(self.remaining) * np.sqrt(np.outer(belief, belief)) * told)

    def exploiting(self, exploit: Policy, w: int) -> float:
        """What exploiting costs in all.

        To follow a policy until the belief has moved counts only the histories that move it. One who exploits learns
        from the others, too: near certainty that would overstate the cost by far. So where exploiting is acting on the
        most probable class, it costs at most what that does.
        """
        score, _ = self.total(exploit, np.inf, exploits=True)
        acting = self.worth.acting(self.belief[self.kept], self.remaining)
        return acting if acting < score and self.acts(exploit, w) else score

    def acts(self, exploit: Policy, w: int) -> bool:
        """Whether exploiting is acting on the most probable class."""
        certain = np.eye(len(self.belief))[[self.belief.argmax()]] + TINY
        return _same(exploit.told, self.of.trials.play(certain, w))

    def instead(self, drawn: int | None, w: int, exploit: Policy, policy: Policy, score: float) -> Chosen | None:
        """A policy like this one, with the class drawn for the most probable one. None where it costs more, beyond the
        error of the estimates."""
        top = int(self.belief.argmax())
        if drawn is None or drawn not in self.kept or (drawn == top and policy.weights is None):
            return None
        changed = self.belief.copy()
        changed[[drawn, top]] = changed[[top, drawn]]
        others = self.tilts(np.array([drawn]), w) if policy.plan is None else self.plans(changed, w)
        found = self.cheapest(others, exploit, (1 + SURE) * score)
        return found[1] if found else None

    def total(self, policy: Policy, below: float, exploits: bool = False) -> tuple[float, int]:
        """What a policy costs in all, and for how many episodes it is best followed; nothing exact above `below`."""
        told, kept = policy.told, self.kept
        least = MOVED if exploits else MOVED * (1 - self.belief.max())
        future = Future(told.ends[:, kept], self.belief[kept], told.loss[0, kept], least)
        return self.worth.total(future, self.remaining, below)

    def policies(self, w: int, exploit: Policy) -> Iterator[Policy]:
        """Trials and plans."""
        doubt = self.belief * exploit.told.loss[0]
        likely = np.argsort(-doubt)[:TRIED]
        yield from self.tilts(np.unique([self._first(), *likely[doubt[likely] > 0]]), w)
        yield from self.plans(self.belief, w)

    def plans(self, belief: Float[np.ndarray, " C"], w: int) -> Iterator[Policy]:
        """Plans that are best on a belief, by what confusing two classes would cost; they are followed on the own."""
        trials = self.of.trials
        later = apart(belief[self.kept] * trials.likelihood[:, self.kept], self.worth.confused(self.remaining))
        values = np.outer(SCALES, later) + trials.beyond(belief, w)
        plans = best_plan(trials.tree, trials.losses(w), belief, values)
        told = self.of.trials.follow(plans, self.belief, w)
        for i in range(len(SCALES)):
            yield Policy(told.of_rows(np.array([i])), plan=[law[i : i + 1] for law in plans])

    def tilts(self, classes: Int[np.ndarray, " t"], w: int) -> Iterator[Policy]:
        """Trials of these classes."""
        weights = np.array([_tilted(self.belief, c, tilt) for c in classes for tilt in TILTS])
        told = self.of.trials.play(weights, w)
        for i, one in enumerate(weights):
            yield Policy(told.of_rows(np.array([i])), weights=one)

    def _first(self) -> int:
        """The class that is tried first where one is tried after another."""
        wrong = self.worth.wrong(self.belief[self.kept][None], self.remaining)[0]
        return int(self.kept[(wrong.sum(axis=1) - wrong.sum(axis=0)).argmin()])

    def _reached(self, plan: Plan) -> list[tuple[np.ndarray, np.ndarray]]:
        """The nodes that a plan reaches under some class, and its distributions there."""
        tree, found = self.of.trials.tree, []
        nodes = np.unique(tree.first[tree.first >= 0])
        for (law,), step in zip(plan, tree.steps, strict=True):
            found.append((nodes, law[nodes]))
            at, g = np.nonzero(law[nodes] > 0)
            child = step.child[nodes[at], g]
            nodes = np.unique(child[child >= 0])
        return found


def apart(joint: Float[np.ndarray, "E C"], doubt: Float[np.ndarray, "C C"]) -> Float[np.ndarray, " E"]:
    """sum over pairs of classes of doubt sqrt(b P b' P'), which bounds what confusing the two costs (Bhattacharyya)."""
    root = np.sqrt(joint)
    return np.asarray(((root @ doubt) * root).sum(axis=1) / 2)


def _tilted(belief: Float[np.ndarray, " C"], c: int, tilt: float) -> Float[np.ndarray, " C"]:
    """Weights that give class c a share `tilt`; where it is refuted within the episode, the belief."""
    others = np.where(np.arange(len(belief)) == c, 0.0, belief)
    mine = np.where(np.arange(len(belief)) == c, tilt, 0.0)
    return mine + (1 - tilt) * others / max(others.sum(), TINY) + TINY * belief


def _divergence(ends: Float[np.ndarray, "E C"]) -> Float[np.ndarray, "C C"]:
    """Nats by which an episode lowers what confusing two classes costs (Bhattacharyya), at most `MOST`."""
    root = np.sqrt(ends)
    return np.minimum(-np.log(np.clip(root.T @ root, 1e-300, 1.0)), MOST)


def _same(one: Told, other: Told) -> bool:
    """Whether two policies do the same: they lose the same and come to the same ends."""
    if one.ends.shape != other.ends.shape or np.abs(one.loss - other.loss).max() > TIE:
        return False
    return bool(np.abs(one.ends - other.ends).max() <= TIE)
