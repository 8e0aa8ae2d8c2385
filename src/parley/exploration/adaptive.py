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

import numpy as np
from jaxtyping import Bool, Float

from parley.core.draws import Draws
from parley.core.roles import State
from parley.core.rows import row_max
from parley.core.said import Moment, Opening, Outcome, Proposal, decode
from parley.exploration.candidates import IDLE, Candidates, Chosen
from parley.exploration.posterior import TINY, NodeFollower, PosteriorExplorer, Reader
from parley.exploration.worth import MOVED
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.trials import Trials


class AdaptiveExplorer(PosteriorExplorer):
    """Exploits the exact posterior, except in episodes in which finding something out is worth its cost."""

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
        super().__init__(beliefs, classes, reader, owns)
        self.prudence, self.obeys = prudence, obeys
        self.follower = NodeFollower(trials.tree)
        prior = classes.prior
        self.flat = np.where(prior > 0, np.maximum(prior, TINY) ** -caution, 0.0)  # C
        start = prior * self.flat / (prior @ self.flat)
        self.candidates = Candidates(trials, len(beliefs.tables.instructions), prudence, start)
        self.possible = np.flatnonzero(beliefs.tables.prior > 0)  # the hypotheses: Y of the Z latents

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        super().start(draws, num_episodes, horizon)
        num_w = len(self.beliefs.tables.instructions)
        self.asked: Float[np.ndarray, "B W"] = np.zeros((draws.num_runs, num_w))
        self.dismissed: Float[np.ndarray, "B C"] = np.full((draws.num_runs, len(self.home)), -1.0)
        self.chosen: dict[int, Chosen] = {}

    def hear(self, said: Opening | Outcome) -> None:
        super().hear(said)
        tables = self.beliefs.tables
        seen = tables.observation_words.encode(said.observations)
        if isinstance(said, Outcome):
            self.follower.advance(said, tables.joint(said.subgoals), seen)
            return
        self.follower.begin(seen)
        w = self.reader.instruction[:, 0]
        self.asked[np.arange(len(w)), w] += 1
        self._weigh(self.num_episodes - said.episode)

    def log_likelihood(self) -> Float[np.ndarray, "B Y"]:
        """log P_z(o given all before) of the observation heard last, for each latent that the prior allows."""
        before, after = self.reader.log_before, self.reader.log_environment
        with np.errstate(invalid="ignore"):
            return np.where(np.isneginf(after), -np.inf, after - before)[:, self.possible]

    def _believed(self) -> Float[np.ndarray, "B Z"]:
        """The posterior from a prior nearer to the uniform one."""
        return self._nearer(self.reader.posterior, self.flat @ self.home)

    def _nearer(self, posterior: np.ndarray, flat: np.ndarray) -> np.ndarray:
        weights = posterior * flat
        return weights / weights.sum(axis=1, keepdims=True)

    def rests(self, remaining: int) -> Bool[np.ndarray, " B"]:
        """Runs that will not be weighed again in the episodes that remain unless their belief moves."""
        return ~self._in_doubt(self.belief, remaining)

    def _in_doubt(self, belief: Float[np.ndarray, "B C"], remaining: int) -> Bool[np.ndarray, " B"]:
        """Runs in which something may be worth finding out: enough is left to gain, and the posterior has moved."""
        left = self.prudence * (1 - row_max(belief)) * remaining * self.beliefs.tables.horizon
        return (left > IDLE) & (row_max(np.abs(belief - self.dismissed)) > MOVED)

    def _weigh(self, remaining: int) -> None:
        """Decide what is tried; where nothing is, now or soon, a run rests until its posterior moves."""
        self.trial[:] = False
        self.chosen = {}
        belief, w = self._nearer(self.before, self.flat), self.reader.instruction[:, 0]
        rows = np.flatnonzero(self._in_doubt(belief, remaining))
        often = self.asked + 1 / self.asked.shape[1]
        often /= often.sum(axis=1, keepdims=True)
        known: dict[bytes, tuple[Chosen | None, bool]] = {}
        for row in rows:
            key = np.append(np.round(belief[row], 12), [w[row], *often[row]]).tobytes()
            if key not in known:
                known[key] = self.candidates.best(belief[row], int(w[row]), often[row], remaining)
            chosen, waits = known[key]
            if chosen is not None:
                self.chosen[int(row)] = chosen
                self.trial[row] = True
            self.dismissed[row] = -1.0 if chosen is not None or waits else belief[row]

    def _law(self, moment: Moment) -> Float[np.ndarray, "B G"]:
        weights, now = self._believed(), self._nearer(self.before, self.flat)
        tilted = [(row, one.weights) for row, one in self.chosen.items() if one.weights is not None]
        for row, wanted in tilted:
            weights[row] *= _ratio(wanted, now[row]) @ self.home
        law = self._greedily(moment, weights)
        for row, one in self.chosen.items():
            if one.plan is not None and (node := self.follower.node[row]) >= 0:
                law[row] = one.plan[moment.step - 1][node]
        return law

    def _executed(self, law: Float[np.ndarray, "B M"], proposal: Proposal, how: str) -> Float[np.ndarray, "B M"]:
        return np.where(self.trial[:, None], law, decode(proposal.probs, how)) if self.obeys else law

    def snapshot(self) -> State:
        return {**self.reader.snapshot(), "asked": self.asked, "dismissed": self.dismissed}

    def restore(self, state: State) -> None:
        super().restore(state)
        self.asked, self.dismissed = state["asked"].copy(), state["dismissed"].copy()


def _ratio(weights: Float[np.ndarray, " C"], b: Float[np.ndarray, " C"]) -> Float[np.ndarray, " C"]:
    """What turns beliefs b into a trial's; beliefs below TINY are as good as given up: the quotient would overflow."""
    alive = b > TINY
    return np.where(alive, weights / np.where(alive, b, 1.0), 0.0)
