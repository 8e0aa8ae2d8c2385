"""Exploration bought only where it is needed: the value of finding out against its cost, over the episodes that remain.

Between trials the explorer exploits: it plays greedily on the exact posterior b. At the start of an episode it asks, of
each latent z, what doing without a trial costs: b(z) times what exploiting loses in the world of z, in each episode
until exploiting itself gives z away; with affinity a between z and the rest, about log(odds against z) / (-2 log a)
episodes, or all that remain if a = 1. A trial of z is an episode played greedily on a belief tilted towards z. It is
made where doing without, times `prudence`, exceeds what the trials needed cost.

With `prudence` 1 and `caution` 0 this is Bayesian. The worst case over z cannot count on the prior: a latent that
trials have made improbable would be given up for good too early. `caution` 1 starts from equal beliefs instead of the
prior, 0.5 from their geometric mean; `prudence` asks for more evidence before giving up.

With `obeys` the planner's own proposals are executed between trials, so that planners can be told apart under one and
the same exploration: what exploiting loses is then still reckoned for the exact posterior.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.roles import State
from parley.core.rows import row_max
from parley.core.said import TIE, Choice, Menu, Moment, Opening, Outcome, Proposal, decode
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.trials import Told, Trials, greedy

TILTS = (1.0, 0.5)  # weight on the latent that is tried
CANDIDATES = 4  # latents considered for a trial, those that doing without would cost most
IDLE = 1e-3  # regret: where less is left to gain, no trial is made
MOVED = 0.02  # a run is weighed again when its posterior has moved by this since it was found not worth a trial
TINY = 1e-12


class Reader(Protocol):
    """Follows every latent's filter and the posterior; an exact planner does."""

    place: np.ndarray
    instruction: np.ndarray
    latent: np.ndarray
    log_environment: np.ndarray  # (B, Z), of this episode
    log_before: np.ndarray  # (B, Z), before what was heard last
    settled: np.ndarray  # log weights (B, Z) of the episodes before it

    def start(self, draws: Draws) -> None: ...

    def hear(self, said: Opening | Outcome) -> None: ...

    @property
    def posterior(self) -> Float[np.ndarray, "B Z"]: ...

    def snapshot(self) -> State: ...

    def restore(self, state: State) -> None: ...


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
        exploit = [Told(told.loss[rows], told.ends[rows]) for told in self.exploit]
        b, w, often = self.belief[rows], self.instruction[rows], self.often[rows]
        return Doubt(b, w, often, self.remaining, exploit, self.loss[rows], self.wait[rows])

    def gain(
        self, trials: Trials, c: Int[np.ndarray, " R"], tilt: Float[np.ndarray, " R"], prudence: float
    ) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, "R C"], Bool[np.ndarray, " R"]]:
        """What a trial of class c (one a run) gains, the weights it is played on, and whether it had better wait.

        On trial are all classes that lose less by it than by exploiting. A trial is better put off where the
        instruction that would make it cheaper comes soon enough: gain -inf.
        """
        b, r = self.belief, np.arange(len(c))
        weights = _tilted(b, c, tilt)
        trial = [trials.play(weights, v) for v in range(len(self.exploit))]
        kept = _over(self.often, [told.loss for told in trial])  # what the trial's play would lose for good
        tried = (b > 0) & (kept < self.loss - TIE)
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
            gains[:, v] = np.where(tried.any(axis=1) & (nats > TINY), prudence * without - cost * number, -np.inf)
        later = gains - (mine * self.loss).sum(axis=1)[:, None] / self.often
        now, soon = gains[r, self.instruction], later.max(axis=1)
        return np.where(now >= soon, now, -np.inf), weights, (soon > now) & (soon > IDLE)


class AdaptiveExplorer:
    """Exploits the exact posterior, except in episodes in which the trial of some latent is worth its cost."""

    def __init__(
        self,
        beliefs: Beliefs,
        classes: Classes,
        trials: Trials,
        reader: Reader,
        prudence: float = 2.0,
        caution: float = 0.5,
        obeys: bool = False,
        owns: bool = True,
    ) -> None:
        """`owns`: the reader is this explorer's; otherwise it is the run's planner, which hears before explorers do."""
        self.owns = owns
        self.beliefs, self.trials, self.reader, self.prudence = beliefs, trials, reader, prudence
        self.obeys = obeys
        prior = classes.prior
        self.flat = np.where(prior > 0, np.maximum(prior, TINY) ** -caution, 0.0)  # C
        self.possible = np.flatnonzero(beliefs.tables.prior > 0)  # the hypotheses: Y of the Z latents
        self.home = np.zeros((len(classes.members), beliefs.tables.num_latents))  # C Z
        for c, group in enumerate(classes.members):
            self.home[c, list(group)] = 1.0

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        self.draws, self.num_episodes = draws, num_episodes
        if self.owns:
            self.reader.start(draws)
        num_w = len(self.beliefs.tables.instructions)
        self.asked: Float[np.ndarray, "B W"] = np.zeros((draws.num_runs, num_w))
        self.dismissed: Float[np.ndarray, "B C"] = np.full((draws.num_runs, len(self.home)), -1.0)
        self.tilt: Float[np.ndarray, "B Z"] = np.ones((draws.num_runs, self.beliefs.tables.num_latents))
        self.trial: Bool[np.ndarray, " B"] = np.zeros(draws.num_runs, dtype=bool)
        self.log_likelihood: Float[np.ndarray, "B Y"] = np.zeros((draws.num_runs, len(self.possible)))  # of the last

    def hear(self, said: Opening | Outcome) -> None:
        if self.owns:
            self.reader.hear(said)
        before, after = self.reader.log_before, self.reader.log_environment
        with np.errstate(invalid="ignore"):
            self.log_likelihood = np.where(np.isneginf(after), -np.inf, after - before)[:, self.possible]
        if isinstance(said, Opening):
            w = self.reader.instruction[:, 0]
            self.asked[np.arange(len(w)), w] += 1
            self.tilt[:] = 1.0
            self.trial[:] = False
            belief = self.belief
            rows = np.flatnonzero(self._in_doubt(belief, self.num_episodes - said.episode))
            if len(rows):
                self._weigh(rows, belief[rows], w[rows], self.num_episodes - said.episode)

    def _believed(self) -> Float[np.ndarray, "B Z"]:
        """The posterior from a prior nearer to the uniform one."""
        weights = self.reader.posterior * (self.flat @ self.home)
        return weights / weights.sum(axis=1, keepdims=True)

    @property
    def belief(self) -> Float[np.ndarray, "B C"]:
        """What it exploits: the posterior of the classes, from a prior nearer to the uniform one."""
        return self._believed() @ self.home.T

    def rests(self, remaining: int) -> Bool[np.ndarray, " B"]:
        """Runs that will not be weighed again in the episodes that remain unless their belief moves."""
        return ~self._in_doubt(self.belief, remaining)

    def _in_doubt(self, belief: Float[np.ndarray, "B C"], remaining: int) -> Bool[np.ndarray, " B"]:
        """Runs in which a trial may be worth it: enough is left to gain, and the posterior has moved."""
        left = self.prudence * (1 - row_max(belief)) * remaining * self.beliefs.tables.horizon
        return (left > IDLE) & (row_max(np.abs(belief - self.dismissed)) > MOVED)

    def _weigh(
        self, rows: Int[np.ndarray, " R"], b: Float[np.ndarray, "R C"], w: Int[np.ndarray, " R"], remaining: int
    ) -> None:
        """Decide on a trial in these runs; not worth one, now or soon, they rest until their posterior moves."""
        often = self.asked[rows] + 1 / self.asked.shape[1]
        doubt = Doubt.of(self.trials, b, w, often / often.sum(axis=1, keepdims=True), remaining)
        best, weights, waits = np.full(len(rows), IDLE), b.copy(), np.zeros(len(rows), dtype=bool)
        without = doubt.without
        most = self.prudence * without.sum(axis=1)  # what a trial that costs nothing could gain
        likely = np.argsort(-without, axis=1)[:, :CANDIDATES].T
        ways = [(c, tilt) for c in likely for tilt in TILTS]
        together = max(1, self.trials.at_once // len(rows))
        for first in range(0, len(ways), together):
            some = np.flatnonzero(most > best)
            if not len(some):
                break
            part = ways[first : first + together]
            c, tilt = np.concatenate([c[some] for c, _ in part]), np.repeat([tilt for _, tilt in part], len(some))
            told = doubt.of_rows(np.tile(some, len(part))).gain(self.trials, c, tilt, self.prudence)
            gain, tilted, puts_off = (a.reshape(len(part), len(some), *a.shape[1:]) for a in told)
            which, each = gain.argmax(axis=0), np.arange(len(some))
            better = gain[which, each] > best[some]
            waits[some] |= puts_off.any(axis=0)
            best[some] = np.where(better, gain[which, each], best[some])
            weights[some] = np.where(better[:, None], tilted[which, each], weights[some])
        chosen = best > IDLE
        ratio = np.where(b > 0, weights / np.where(b > 0, b, 1.0), 0.0)
        self.tilt[rows] = np.where(chosen[:, None], ratio, 1.0) @ self.home
        self.trial[rows] = chosen
        self.dismissed[rows] = np.where((chosen | waits)[:, None], -1.0, b)

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        if moment.actor == 0:
            weights, r = self._believed() * self.tilt, self.reader
            joint = greedy(self.beliefs, moment.step, r.place, r.latent, r.instruction, weights)
            self._joint = joint.reshape(len(joint), *(len(words) for words in self.beliefs.tables.menus))
        law = self._joint.sum(axis=tuple(range(2, self._joint.ndim)))  # of this Actor, given the parts before
        law = law / np.maximum(law.sum(axis=1, keepdims=True), TINY)  # 0 only after a part that the planner proposed
        if self.obeys:
            law = np.where(self.trial[:, None], law, decode(proposal.probs, how))
        u = self.draws.uniform(Purpose.SUBGOAL, moment.episode, moment.step, moment.actor)
        index = sample_rows(law, u)
        if self._joint.ndim > 2:
            self._joint = self._joint[np.arange(len(index)), index]
        return Choice(index, self.trial.copy(), law)

    def snapshot(self) -> State:
        return {**self.reader.snapshot(), "asked": self.asked, "dismissed": self.dismissed}

    def restore(self, state: State) -> None:
        if self.owns:
            self.reader.restore(state)
        self.asked, self.dismissed = state["asked"].copy(), state["dismissed"].copy()


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
    """Episodes until exploiting, which tells so much in each, gives away what is believed with such odds."""
    return np.minimum(odds / np.maximum(nats, TINY), remaining)


def _over(often: Float[np.ndarray, "R W"], each: list[np.ndarray]) -> np.ndarray:
    """The expectation over instructions, of an array (R, ...) under each."""
    return np.asarray(sum(share.reshape(-1, *[1] * (a.ndim - 1)) * a for share, a in zip(often.T, each, strict=True)))


def _nats(affinity: np.ndarray) -> np.ndarray:
    return -2 * np.log(np.maximum(affinity, TINY))
