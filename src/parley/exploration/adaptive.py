"""Exploration bought only where it is needed: the value of finding out against its cost, over the episodes that remain.

Between trials the explorer exploits: it plays greedily on the exact posterior. At the start of an episode it compares
exploiting with trials and plans (`candidates`). Each costs what it loses in the episodes that it takes, plus the
remaining loss after them (`worth`). What costs least is played.

With `prudence` 1 and `caution` 0 this is Bayesian. The worst case over z cannot count on the prior: a latent that
trials have made improbable would be given up for good too early. `caution` 1 starts from equal beliefs instead of the
prior, 0.5 from their geometric mean; `prudence` times the episodes that remain are counted.

In a fixed order of trials one latent would be tried last in every run. So each run draws an order (`orders`). The next
class of that order is tried instead of the best, if that costs as much, within the error of the estimates.

With `obeys` the planner's own proposals are executed between trials. Planners can then be compared under the same
exploration. The loss of exploiting is still computed for the exact posterior.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.roles import State
from parley.core.rows import row_max
from parley.core.said import Moment, Opening, Outcome, Proposal, decode
from parley.exploration.candidates import IDLE, Candidates, Chosen
from parley.exploration.orders import levelled
from parley.exploration.posterior import TINY, NodeFollower, PosteriorExplorer, Reader
from parley.exploration.worth import MOVED, moved
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.trials import Trials

KEPT = ("asked", "weighed", "often", "remaining", "drawn", "put_off", "stood", "stands")
DECISIONS = 4096  # kept, so that they need not be worked out again
SAME = 1e-12  # of a belief: so little is no change
EQUAL = 1e-9  # of the largest: classes so near to it are drawn equally


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
        self.prior = prior = classes.prior
        self.flat = np.where(prior > 0, np.maximum(prior, TINY) ** -caution, 0.0)  # C
        start = prior * self.flat / (prior @ self.flat)
        self.candidates = Candidates(trials, len(beliefs.tables.instructions), prudence, start)
        self.possible = np.flatnonzero(beliefs.tables.prior > 0)  # the hypotheses: Y of the Z latents

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        super().start(draws, num_episodes, horizon)
        num_w = len(self.beliefs.tables.instructions)
        num, num_c = draws.num_runs, len(self.home)
        self.asked: Float[np.ndarray, "B W"] = np.zeros((num, num_w))
        # What was decided last under each instruction is a function of where things stood then.
        self.weighed: Float[np.ndarray, "B W C"] = np.full((num, num_w, num_c), np.nan)
        self.often: Float[np.ndarray, "B W W"] = np.zeros((num, num_w, num_w))
        self.remaining: Int[np.ndarray, "B W"] = np.zeros((num, num_w), dtype=np.intp)
        # The class drawn then: it is tried where that costs as much as the best trial.
        self.drawn: Int[np.ndarray, "B W"] = np.zeros((num, num_w), dtype=np.intp)
        # What exploiting has lost since a trial, whose gain is within the error of the estimates, was first put off.
        self.put_off: Float[np.ndarray, "B W"] = np.zeros((num, num_w))
        level = levelled(self.prior, draws.uniform(Purpose.TRIAL, step=1))
        self.level: Float[np.ndarray, "B C"] = np.where(self.prior > 0, level / np.maximum(self.prior, TINY), 0.0)
        # Episodes since a decision, and after how many it is looked at again.
        self.stood: Int[np.ndarray, "B W"] = np.zeros((num, num_w), dtype=np.intp)
        self.stands: Int[np.ndarray, "B W"] = np.ones((num, num_w), dtype=np.intp)
        self._decisions: dict[bytes, Chosen | None] = {}
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
        self._weigh(said.episode)

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
        """Runs that go on exploiting in the episodes that remain unless their belief moves."""
        belief = self.belief
        idle = ~self._in_doubt(belief, remaining)
        for row in np.flatnonzero(~idle).tolist():
            settled = np.abs(self.weighed[row] - belief[row]).max() <= SAME  # not where it was never decided
            idle[row] = settled and all(self._decided(row, w) is None for w in range(len(self.weighed[row])))
        return idle

    def _in_doubt(self, belief: Float[np.ndarray, "B C"], remaining: int) -> Bool[np.ndarray, " B"]:
        """Runs in which enough is left to gain for something to be worth finding out."""
        return self.prudence * (1 - row_max(belief)) * remaining * self.beliefs.tables.horizon > IDLE

    def _weigh(self, episode: int) -> None:
        """Decide the trial. A decision stands until the belief has moved.

        A belief that hardly moves may turn exploiting into something that tells nothing. So a decision is also looked
        at again after 1, 2, 4, ... episodes, if the belief is not quite the same.
        """
        remaining = self.num_episodes - episode
        likely = self.before * self.level
        first = likely >= (1 - EQUAL) * likely.max(axis=1, keepdims=True)
        drawn = sample_rows(first.astype(float), self.draws.uniform(Purpose.TRIAL, episode))
        belief, now = self._nearer(self.before, self.flat), self.reader.instruction[:, 0]
        often = self.asked + 1 / self.asked.shape[1]
        self.chosen = {}
        for row in np.flatnonzero(self._in_doubt(belief, remaining)).tolist():
            w = now[row]
            decided = None if np.isnan(self.weighed[row, w, 0]) else self._decided(row, w)
            least = MOVED * (1 - self.weighed[row, w].max()) if decided else MOVED
            far = bool(moved(self.weighed[row, w], belief[row], least))
            other = far or np.abs(self.weighed[row, w] - belief[row]).max() > SAME
            if far or (other and self.stood[row, w] >= self.stands[row, w]):
                self.stood[row, w], self.stands[row, w] = 0, 1 if far else 2 * self.stands[row, w]
                self.weighed[row, w], self.remaining[row, w], self.drawn[row, w] = belief[row], remaining, drawn[row]
                self.often[row, w] = often[row] / often[row].sum()
                decided = self._decided(row, w)
            self.stood[row, w] += 1
            if decided and self.put_off[row, w] < decided.unsure:
                self.put_off[row, w] += decided.lost
                continue
            self.put_off[row, w] = 0.0
            if decided:
                self.chosen[row] = decided
        self.trial = np.isin(np.arange(len(belief)), list(self.chosen))

    def _decided(self, row: int, w: int) -> Chosen | None:
        """What was decided last in a run under one instruction."""
        belief, often, remaining = self.weighed[row, w], self.often[row, w], int(self.remaining[row, w])
        drawn = int(self.drawn[row, w])
        key = np.concatenate([belief, often, [remaining, drawn, w]]).tobytes()
        if key not in self._decisions:
            while len(self._decisions) >= DECISIONS:
                self._decisions.pop(next(iter(self._decisions)))
            self._decisions[key] = self.candidates.best(belief, int(w), often, remaining, drawn)
        return self._decisions[key]

    def _law(self, moment: Moment) -> Float[np.ndarray, "B G"]:
        weights, now = self._believed(), self._nearer(self.before, self.flat)
        tilted = [(row, one.weights) for row, one in self.chosen.items() if one.weights is not None]
        for row, wanted in tilted:
            weights[row] *= _ratio(wanted, now[row]) @ self.home
        law = self._greedily(moment, weights)
        for row, one in self.chosen.items():
            planned = one.planned(moment.step, int(self.follower.node[row]))
            law[row] = law[row] if planned is None else planned
        return law

    def _executed(self, law: Float[np.ndarray, "B M"], proposal: Proposal, how: str) -> Float[np.ndarray, "B M"]:
        return np.where(self.trial[:, None], law, decode(proposal.probs, how)) if self.obeys else law

    def snapshot(self) -> State:
        return {**self.reader.snapshot(), **{name: getattr(self, name) for name in KEPT}}

    def restore(self, state: State) -> None:
        super().restore(state)
        for name in KEPT:
            if name in state:  # snapshots of the versions before have fewer
                setattr(self, name, state[name].copy())


def _ratio(weights: Float[np.ndarray, " C"], b: Float[np.ndarray, " C"]) -> Float[np.ndarray, " C"]:
    """What turns beliefs b into a trial's; beliefs below TINY are as good as given up: the quotient would overflow."""
    alive = b > TINY
    return np.where(alive, weights / np.where(alive, b, 1.0), 0.0)
