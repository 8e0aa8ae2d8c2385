"""Exploration bought from proposals alone, for any Planner: no latent, no tables, no likelihoods.

A planner that learns changes its mind: where the proposal at a decision it has met before has stopped moving although
it still leaves a subgoal a share p, acting on the proposal tells nothing more about that subgoal. By BAIL p is the
posterior share of the latents in which the subgoal is right, so doing without it costs p for each visit still to come,
in units of what being wrong costs; a trial costs about one unit. A trial is made where the visits until the planner
would have learnt it by itself, times p, exceed `patience` times the trials that would teach it: one at first, and as
trials of it are made, as many as these say (where they move the odds no faster than acting does, none is made any
more). Afterwards the episode goes on with the subgoals that
the same latents would propose: those whose odds are nearest to those of the subgoal tried. Of several Actors' parts
those after the one on trial are drawn from the proposal, which, given that part, is that of the latents on trial. In
later steps the first part that departs from the mode may be any Actor's: one is taken in the proportion that all
departing parts have of the share on trial, the last Actor's by its odds (of all parts together).

A decision is known by the instruction, the step, the last two observations with the subgoal between them, and the parts
of the subgoal chosen for the Actors before.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.codes import Codes, one_line
from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.roles import State
from parley.core.said import TIE, Choice, Menu, Moment, Opening, Outcome, Proposal, decode

FLOOR = 1e-12  # shares below this are never tried
STILL = 0.02  # nats: a trial that moves the odds of its subgoal by less has told nothing


class ProposalsExplorer:
    """Decodes greedily, except in episodes in which a share of the proposal that no longer moves is worth a trial."""

    kept: tuple[str, ...] = ("odds", "pace", "told", "trials", "futile", "visits", "tried")  # between episodes

    def __init__(self, patience: float = 2.0) -> None:
        self.patience = patience

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        self.draws, self.num_episodes = draws, num_episodes
        self.rows = np.arange(draws.num_runs)
        self._words, self._decisions, self._actors = Codes(), Codes(), 1
        shape = (draws.num_runs, 0, 0)  # B, decision, subgoal
        self.odds: Float[np.ndarray, "B D S"] = np.zeros(shape)  # at the last visit; NaN before the first
        self.pace: Float[np.ndarray, "B D S"] = np.zeros(shape)  # nats that the odds moved a visit, lately
        self.told: Float[np.ndarray, "B D S"] = np.zeros(shape)  # nats that trials of the subgoal moved them, in all
        self.trials: Float[np.ndarray, "B D S"] = np.zeros(shape)  # so many
        self.futile: Bool[np.ndarray, "B D S"] = np.zeros(shape, dtype=bool)  # tried, and told nothing
        self.visits: Float[np.ndarray, "B D"] = np.zeros(shape[:2])
        self.tried: Int[np.ndarray, "B D"] = np.zeros(shape[:2], dtype=int)  # at the last visit: the subgoal, or -1

    def hear(self, said: Opening | Outcome) -> None:
        seen = self._words.of(said.observations)
        self._parts: list[np.ndarray] = []  # chosen in this step for the Actors before
        self._share = np.ones(len(seen))  # of the proposal, that these parts have
        self._departed = np.zeros(len(seen), dtype=bool)  # whether one of them is on trial
        if isinstance(said, Opening):
            asked, nothing = self._words.of(said.instructions), np.full(len(seen), -1)
            self._where = np.stack([asked, nothing, nothing, seen], axis=1)
            self._trial: Float[np.ndarray, " B"] = np.full(len(seen), np.nan)  # odds of what is tried; NaN: no trial
            self._next = self._trial  # for the next step
            self._weight = np.ones(len(seen))  # by which what is tried counts more than its share
            self._explored = np.zeros(len(seen), dtype=bool)
            self._before: list[tuple[np.ndarray, tuple[np.ndarray, ...], dict[str, np.ndarray]]] = []
        else:
            self._take_back(~said.active)
            self._trial, self._actors = self._next, said.subgoals.shape[1]
            chosen = self._words.of(one_line(said.subgoals))
            where = np.stack([self._where[:, 0], self._where[:, 3], chosen, seen], axis=1)
            self._where = np.where(said.active[:, None], where, self._where)

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        probs = np.clip(proposal.probs, 0.0, 1.0)
        where = np.concatenate([self._where, *(part[:, None] for part in self._parts)], axis=1)
        here = self._decisions.of((moment.step, moment.actor, *key) for key in where.tolist())
        column = np.array([self._words.of(row) for row in menu.sentences])
        self._grow()
        at = (self.rows[:, None], here[:, None], np.broadcast_to(column, probs.shape))
        state = {name: getattr(self, name) for name in self.kept}
        noted = {name: array[at] if array.ndim == 3 else array[self.rows, here] for name, array in state.items()}
        self._before.append((here, at, noted))
        worth = self._worth(probs, log_odds(probs), here, at, moment.episode)
        law = decode(np.where(menu.legal, probs, 0.0), "greedy")
        trying = ~np.isnan(self._trial)
        seeking, so_far = trying & ~self._departed, self._share[:, None] * probs
        law = np.where(seeking[:, None], self._go_on(so_far, law, moment), law)
        law = np.where((trying & self._departed)[:, None], probs / probs.sum(axis=1, keepdims=True), law)
        fresh = np.where(self._stuck(probs, worth, here, at), probs, 0.0)
        begins = ~trying & (fresh.sum(axis=1) > 0)
        law = np.where(begins[:, None], fresh / np.where(begins, fresh.sum(axis=1), 1.0)[:, None], law)
        u = self.draws.uniform(Purpose.SUBGOAL, moment.episode, moment.step, moment.actor)
        index = sample_rows(law, u)
        self._parts.append(at[2][self.rows, index])
        self._share = so_far[self.rows, index]
        departs = probs[self.rows, index] < probs.max(axis=1) - TIE
        self._begin(begins, index, here)
        self._note_trial(begins, seeking, log_odds(self._share), departs)
        self.tried[self.rows, here] = np.where(begins, at[2][self.rows, index], -1)
        self._explored = begins | trying
        return Choice(index, self._explored, law)

    def _begin(self, begins: Bool[np.ndarray, " B"], index: Int[np.ndarray, " B"], here: Int[np.ndarray, " B"]) -> None:
        """Runs in which a trial of the subgoal of this index begins at this decision."""

    def _note_trial(self, begins: np.ndarray, seeking: np.ndarray, mine: np.ndarray, departs: np.ndarray) -> None:
        """The odds that the next step looks for are those of the part that departs, or of all parts where none does."""
        self._trial = np.where(begins, mine, self._trial)
        self._next = np.where(np.isnan(self._trial), np.nan, np.where(begins | seeking, mine, self._next))
        self._departed = self._departed | begins | (seeking & departs)

    def _take_back(self, over: Bool[np.ndarray, " B"]) -> None:
        """Runs that were over made no visit: only now is it known; that they were asked is due to the others."""
        for here, at, noted in reversed(self._before):
            for name, old in noted.items():
                array = getattr(self, name)
                if array.ndim == 3:
                    array[at] = np.where(over[:, None], old, array[at])
                else:
                    array[self.rows, here] = np.where(over, old, array[self.rows, here])
        self._before = []

    def _worth(
        self, probs: np.ndarray, odds: np.ndarray, here: np.ndarray, at: tuple[np.ndarray, ...], episode: int
    ) -> Float[np.ndarray, "B M"]:
        """Trials that each subgoal is worth; takes note of this visit."""
        moved = np.abs(odds - self.odds[at])  # NaN at the first visit
        pace = np.where(np.isnan(self.pace[at]), moved, (moved + self.pace[at]) / 2)
        last = self.tried[self.rows, here][:, None] == at[2]
        self.futile[at] = np.where(last, moved < STILL, self.futile[at] & ~(moved > 10 * STILL))
        self.told[at] += np.where(last, moved, 0.0)
        self.trials[at] += last
        self.pace[at], self.odds[at] = pace, odds
        self.visits[self.rows, here] += 1
        to_come = (self.num_episodes - episode) * self.visits[self.rows, here] / (episode + 1)
        nats = np.maximum(-odds, 0.0) + 1  # until the planner would have learnt it
        with np.errstate(divide="ignore", over="ignore"):
            alone = np.where(np.isnan(pace), 0.0, np.minimum(nats / pace, to_come[:, None]))  # visits, by itself
        number = (self.trials[at] + 1) * nats / (self.told[at] + nats)  # trials, one more imagined that tells it all
        return probs * alone / np.maximum(number, 1.0)

    def _stuck(
        self, probs: np.ndarray, worth: np.ndarray, here: np.ndarray, at: tuple[np.ndarray, ...]
    ) -> Bool[np.ndarray, "B M"]:
        return (worth > self.patience) & departing(probs) & ~self.futile[at]

    def _go_on(self, shares: np.ndarray, law: np.ndarray, moment: Moment) -> np.ndarray:
        """What the latents on trial would propose next; the trial is over where they have become too improbable."""
        odds = log_odds(shares)
        away = np.where(shares > FLOOR, np.abs(odds - np.nan_to_num(self._trial)[:, None]), np.inf)
        if early := moment.actor < self._actors - 1:
            away = np.where(law > 0, np.inf, away)
        nearest = away <= away.min(axis=1, keepdims=True) + TIE
        follow = nearest / nearest.sum(axis=1, keepdims=True)
        if early:  # all that depart here are taken for latents on trial: so large a part of these they are
            departing = np.where(law > 0, 0.0, shares).sum(axis=1, keepdims=True)
            part = np.minimum(departing * (1 + np.exp(-np.nan_to_num(self._trial)))[:, None], 1.0)
            return np.asarray((1 - part) * law + part * follow)
        share = (shares * nearest).max(axis=1) * self._weight
        alive = share * (self.num_episodes - moment.episode) > self.patience
        self._trial = np.where(alive | self._departed, self._trial, np.nan)
        return np.where(alive[:, None], follow, law)

    def _grow(self) -> None:
        """Room for new decisions and new words."""
        num, old = (len(self._decisions), len(self._words)), self.odds.shape[1:]
        if num[0] > old[0] or num[1] > old[1]:
            more = [(0, 0), (0, max(0, num[0] - old[0])), (0, max(0, num[1] - old[1]))]
            self.odds = np.pad(self.odds, more, constant_values=np.nan)
            self.pace = np.pad(self.pace, more, constant_values=np.nan)
            self.told = np.pad(self.told, more)
            self.trials = np.pad(self.trials, more)
            self.futile = np.pad(self.futile, more)
            self.visits = np.pad(self.visits, more[:2])
            self.tried = np.pad(self.tried, more[:2], constant_values=-1)

    def snapshot(self) -> State:
        kept = {name: getattr(self, name) for name in self.kept}
        return {**kept, **self._words.snapshot("words"), **self._decisions.snapshot("decisions")}

    def restore(self, state: State) -> None:
        for name in self.kept:
            setattr(self, name, state[name].copy())
        self._words.restore(state, "words")
        self._decisions.restore(state, "decisions")


def departing(probs: Float[np.ndarray, "B M"]) -> Bool[np.ndarray, "B M"]:
    """Subgoals that are not the only mode of the proposal, and of some share."""
    modal = probs >= probs.max(axis=1, keepdims=True) - TIE
    alone = modal & (modal.sum(axis=1, keepdims=True) == 1)
    return np.asarray(~alone & (probs > FLOOR))


def log_odds(probs: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Of shares; those near 0 and 1 are cut off."""
    return np.asarray(np.log(np.maximum(probs, FLOOR)) - np.log(np.maximum(1 - probs, FLOOR)))
