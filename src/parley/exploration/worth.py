"""The remaining loss of a belief, now and after some episodes with a policy.

An agent acts on a belief b as if class a were the truth. Under class c it loses D(a, c) an episode, until the
observations tell c from a. That takes n episodes: n is the odds, log(b(a) / b(c)) + 1 nats, over the nats that one
episode gives. Let M(a, c) be that loss weighed by b(c). There are two ways to go on:

- *one after another*: act as if each class were the truth in turn, until it is refuted. Under c it costs the sum of
  M(a, c) over the classes a that come before c, less what these tell about c besides. Classes come in the order of the
  row sums of M less its column sums, so that one that would never be refuted comes last;
- *by asking first*: follow a programme that informs for n episodes, at a price an episode under each class, and then
  act. Doubts fall by what it tells of each pair; those that it never settles stay and are paid. n is the best number.

The remaining loss is the smaller of the two. Both count each doubt by its cost, so learning lowers them.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.theory.trials import Trials

TINY = 1e-12
NOTHING = 1e-9  # nats: fewer tell nothing
MOVED, NATS = 0.02, 0.25  # who exploits reconsiders once the belief in a class has moved by so much, and its log-odds
SAMPLES = 96  # histories from which the remaining loss after several episodes is estimated
SECANTS = 4  # in search of the number of episodes of a programme
EXACT = 512  # ends of an episode that are all looked at; of more, samples


def moved(
    before: Float[np.ndarray, "*S C"], after: Float[np.ndarray, "*S C"], least: float = MOVED
) -> Bool[np.ndarray, "*S"]:
    """Whether some class is believed otherwise: by `least` and by `NATS`; also where there was no belief (NaN)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.abs(np.log(after / (1 - after)) - np.log(before / (1 - before)))
        same = (np.abs(after - before) <= least) | (odds <= NATS)
    return np.asarray(~same.all(axis=-1))


@dataclass(frozen=True)
class Programme:
    """Policies that inform, in turn: regret an episode under each class, and nats that tell c from c' if c is true."""

    price: Float[np.ndarray, " C"]
    nats: Float[np.ndarray, "C C"]


@dataclass(frozen=True)
class Worth:
    """What acting as if each class a were the truth loses an episode, and tells about each pair of classes.

    `nats[a, c, c']` are for c against c', on average where c is true: by so many the odds grow in an episode.
    """

    loss: Float[np.ndarray, "A C"]
    nats: Float[np.ndarray, "A C C"]
    programme: Programme | None = None

    @classmethod
    def of(cls, trials: Trials, often: Float[np.ndarray, " W"]) -> "Worth":
        """For instructions that come so often."""
        certain = np.eye(len(trials.latents)) + TINY
        told = [trials.play(certain, w) for w in range(len(often))]
        loss = sum(share * each.loss for share, each in zip(often, told, strict=True))
        nats = sum(share * each.nats() for share, each in zip(often, told, strict=True))
        return cls(np.maximum(loss, 0.0), nats)

    def with_programme(self, programme: Programme) -> "Worth":
        return replace(self, programme=programme)

    def of_classes(self, classes: Int[np.ndarray, " c"]) -> "Worth":
        """That of some of the classes: the others are given up."""
        pairs = np.ix_(classes, classes)
        asked = self.programme and Programme(self.programme.price[classes], self.programme.nats[pairs])
        return Worth(self.loss[pairs], self.nats[np.ix_(classes, classes, classes)], asked)

    @cached_property
    def told(self) -> Float[np.ndarray, "A C"]:
        """Nats an episode by which c is told from a, when a is acted on."""
        return np.einsum("aca->ac", self.nats)

    @cached_property
    def rivals(self) -> Float[np.ndarray, "C AC"]:
        """By how much the odds of c'' against c fall until a is refuted by what acting on a tells, if c is true."""
        num = np.arange(len(self.told))
        found = np.exp(-self.nats * np.maximum(1 / np.maximum(self.told, TINY), 1.0)[:, :, None])  # a c c''
        found[num, :, num] = 0.0
        found[:, num, num] = 0.0
        return found.reshape(-1, len(num)).T

    def confused(self, remaining: int) -> Float[np.ndarray, "C C"]:
        """What confusing two classes costs: the geometric mean of what acting on the one costs under the other."""
        wrong = self.loss * np.minimum(remaining, 1 + 1 / np.maximum(self.told, TINY))
        return np.sqrt(wrong * wrong.T)

    def wrong(self, belief: Float[np.ndarray, "S C"], remaining: int) -> Float[np.ndarray, "S A C"]:
        """M(a, c)."""
        log = np.log(np.maximum(belief, 1e-300))
        odds = np.maximum(log[:, :, None] - log[:, None, :], 0.0) + 1  # S a c
        wait = np.clip(odds / np.maximum(self.told, TINY), 1.0, remaining)
        return belief[:, None, :] * self.loss * wait

    def in_turn(
        self, belief: Float[np.ndarray, "S C"], wrong: Float[np.ndarray, "S A C"], first: int | None = None
    ) -> Float[np.ndarray, "S C"]:
        """What acting as if one class after another were the truth loses, by class; `first` is one to begin with."""
        num, rows = np.arange(belief.shape[1]), np.arange(len(belief))[:, None]
        late = wrong.sum(axis=2) - wrong.sum(axis=1)
        if first is not None:
            late[:, first] = -np.inf
        order = np.argsort(late, axis=1, kind="stable")  # S rank
        others = (belief @ self.rivals).reshape(wrong.shape)
        unsure = others / np.maximum(belief[:, None, :] + others, 1e-300)  # S a c
        unsure *= self.told > NOTHING  # a hypothesis that is never refuted loses the maximum
        after = np.argsort(order, axis=1)[:, None, :] > num[:, None]  # S rank c: c comes after the class of that rank
        pay = np.cumprod(unsure[rows, order], axis=1)
        paid: np.ndarray = wrong[rows, order] * after
        paid[:, 1:] *= pay[:, :-1]
        return paid.sum(axis=1)

    def asking(self, belief: Float[np.ndarray, "S C"], wrong: Float[np.ndarray, "S A C"]) -> Float[np.ndarray, "S C"]:
        """What the programme costs until no doubt is worth its price, and what the doubts that stay do, by class."""
        assert self.programme is not None
        paid = belief * np.maximum(self.programme.price, TINY)  # S c
        doubts = np.minimum(wrong, wrong.transpose(0, 2, 1)) / 2  # of a pair, the one that costs less is acted on first
        return least_cost(paid, doubts, self.programme.nats)

    def acting(self, belief: Float[np.ndarray, " C"], remaining: int) -> float:
        """What acting on the most probable class until it is refuted loses in all, and then on the others in turn."""
        wrong = self.wrong(belief[None], remaining)
        return float(self.in_turn(belief[None], wrong, int(belief.argmax())).sum())

    def left(self, belief: Float[np.ndarray, "S C"], remaining: int) -> Float[np.ndarray, "S C"]:
        """The less of the two ways, by class."""
        if remaining <= 0:
            return np.zeros_like(belief)
        wrong = self.wrong(belief, remaining)
        one = self.in_turn(belief, wrong)
        if self.programme is None:
            return one
        other = self.asking(belief, wrong)
        return np.where((one.sum(axis=1) <= other.sum(axis=1))[:, None], one, other)

    def total(self, future: "Future", remaining: int, least: float) -> tuple[float, int]:
        """What a policy costs in all, and for how many episodes it is best followed before one reconsiders.

        Where the belief has not moved by then it is followed on, to the end at worst. A total above `least` is only
        known to be above it.
        """
        each, number = float(future.loss @ future.belief), 1
        best = (remaining * each, remaining)
        while number <= remaining and number * each < min(least, best[0]):
            joint = future.joint(number)
            mass = joint.sum(axis=1)
            on = moved(future.belief, joint / np.maximum(mass, 1e-300)[:, None], future.least)
            left, share = self.left(joint[on], remaining - number).sum(), min(float(mass[on].sum()), 1.0)
            rounds = remaining / number
            if share > TINY:
                rounds = -np.expm1(rounds * np.log1p(-min(share, 1 - TINY))) / share
            best = min(best, (float(rounds * (number * each + left)), number))
            number *= 2 if number < 4 else 4
        return best


def _log(numbers: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(numbers, 1e-300))


def least_cost(
    price: Float[np.ndarray, "S C"], doubts: Float[np.ndarray, "S C A"], nats: Float[np.ndarray, "C A"]
) -> Float[np.ndarray, "S C"]:
    """About the least of price n + sum over a of doubts exp(-n nats), over n = 0 and n >= 1 episodes.

    n is where one episode more is not worth its price. Doubts that nothing tells stay. The logarithm of what one more
    episode is worth is convex in n, so secants come to n from below.
    """
    worth, fall = doubts * -np.expm1(-nats), np.exp(-nats)  # of an episode
    number, least, stays = np.ones_like(price), _log(price), fall
    for _ in range(SECANTS):
        now = worth * stays
        log = _log(now.sum(axis=2))
        more = log > least
        if not more.any():
            break
        rate = np.maximum(log - _log((now * fall).sum(axis=2)), TINY)
        number += np.where(more, (log - least) / rate, 0.0)
        stays = np.exp(-number[:, :, None] * nats)
    after = price * number + (doubts * stays).sum(axis=2)
    return np.minimum(after, doubts.sum(axis=2))


@dataclass
class Future:
    """What may be believed after 1, 2, 4, ... episodes of a policy with these ends, and what it loses an episode."""

    ends: Float[np.ndarray, "E C"]
    belief: Float[np.ndarray, " C"]
    loss: Float[np.ndarray, " C"]
    least: float = MOVED  # a smaller change of the belief does not count
    _history: np.ndarray | None = None
    _number: int = 1

    def joint(self, number: int) -> Float[np.ndarray, "S C"]:
        """Beliefs after so many episodes, each weighed by its probability; `number` only grows."""
        if number == 1 and len(self.ends) <= EXACT:
            return self.ends * self.belief
        if self._history is None:
            self._history = _histories(self.ends, self.belief)
        while self._number < number:
            self._history = _twice(self._history, len(self.belief), self._number)
            self._number *= 2
        like = np.exp(self._history - self._history.max(axis=1, keepdims=True))
        joint = self.belief * like / like.sum(axis=1, keepdims=True)
        return np.asarray(joint * (self.belief / np.maximum(joint.sum(axis=0), 1e-300)))


def _histories(ends: Float[np.ndarray, "E C"], belief: Float[np.ndarray, " C"]) -> Float[np.ndarray, "S C"]:
    """Log-likelihoods of ends drawn under each class, by quantiles; class after class."""
    each = max(4, SAMPLES // len(belief))
    u = (np.arange(each) + 0.5) / each
    cumulative = np.cumsum(ends, axis=0)
    drawn = np.concatenate([np.searchsorted(column / column[-1], u) for column in cumulative.T])
    return np.log(np.maximum(ends, 1e-300))[np.minimum(drawn, len(ends) - 1)]


def _twice(history: Float[np.ndarray, "S C"], num: int, number: int) -> Float[np.ndarray, "S C"]:
    """Histories of twice as many episodes: each with another one of its class added."""
    rng = np.random.Generator(np.random.Philox(key=number))
    each = len(history) // num
    other = rng.permuted(np.arange(len(history)).reshape(num, each), axis=1).ravel()
    return history + history[other]
