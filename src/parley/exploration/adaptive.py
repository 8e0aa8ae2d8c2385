"""Exploration bought only where it is needed: the value of finding out against its cost, over the episodes that remain.

Between trials the explorer exploits: it plays greedily on the exact posterior b. A trial is an episode played greedily
on a belief tilted towards some latent; Z are the latents that lose less by it than by exploiting (`exploration.doubt`).
At the start of an episode the explorer asks what doing without costs: b(z) for z in Z times what exploiting loses more
in the world of z, in each episode until exploiting itself gives z or Z away; with affinity a between them and the rest,
about log(odds against them) / (-2 log a) episodes, or all that remain if a = 1. A trial is made where doing without,
times `prudence`, exceeds what the trials needed cost.

With `prudence` 1 and `caution` 0 this is Bayesian. The worst case over z cannot count on the prior: a latent that
trials have made improbable would be given up for good too early. `caution` 1 starts from equal beliefs instead of the
prior, 0.5 from their geometric mean; `prudence` asks for more evidence before giving up.

With `obeys` the planner's own proposals are executed between trials, so that planners can be told apart under one and
the same exploration: what exploiting loses is then still reckoned for the exact posterior.
"""

from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.roles import State
from parley.core.rows import row_max
from parley.core.said import Choice, Menu, Moment, Opening, Outcome, Proposal, decode
from parley.exploration.doubt import IDLE, TINY, Doubt
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.trials import Trials, greedy

TILTS = (1.0, 0.5)  # weight on the latent that is tried
CANDIDATES = 4  # latents considered for a trial, those that doing without would cost most
MOVED = 0.02  # a run is weighed again when its posterior has moved by this since it was found not worth a trial


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

    def hear(self, said: Opening | Outcome) -> None:
        if self.owns:
            self.reader.hear(said)
        if isinstance(said, Opening):
            w = self.reader.instruction[:, 0]
            self.asked[np.arange(len(w)), w] += 1
            self.tilt[:] = 1.0
            self.trial[:] = False
            belief = self.belief
            rows = np.flatnonzero(self._in_doubt(belief, self.num_episodes - said.episode))
            if len(rows):
                self._weigh(rows, belief[rows], w[rows], self.num_episodes - said.episode)

    def log_likelihood(self) -> Float[np.ndarray, "B Y"]:
        """log P_z(o given all before) of the observation heard last, for each latent that the prior allows."""
        before, after = self.reader.log_before, self.reader.log_environment
        with np.errstate(invalid="ignore"):
            return np.where(np.isneginf(after), -np.inf, after - before)[:, self.possible]

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
        self.tilt[rows] = np.where(chosen[:, None], _ratio(weights, b), 1.0) @ self.home
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


def _ratio(weights: Float[np.ndarray, "R C"], b: Float[np.ndarray, "R C"]) -> Float[np.ndarray, "R C"]:
    """What turns beliefs b into a trial's; beliefs below TINY are as good as given up: the quotient would overflow."""
    alive = b > TINY
    return np.where(alive, weights / np.where(alive, b, 1.0), 0.0)
