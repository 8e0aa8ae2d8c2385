"""Exploration bought from proposals alone, for any Planner: no latent, no tables, no likelihoods.

A planner that learns changes its mind. At a decision that it met before, its proposal may have stopped moving, and
still leave a subgoal a share p. Then acting on the proposal is no longer informative about that subgoal. By BAIL p is
the posterior share of the latents in which the subgoal is right. Without a trial each visit to come costs p, in units
of the cost of being wrong. A trial costs about one unit. Let v be the visits until the planner would have learnt it
without a trial. A trial is made where p v exceeds `patience` times the number of trials that would teach it. This
number is one at first, and is estimated from the trials as they are made. Where trials move the odds no faster than
acting does, they stop. Afterwards the episode goes on with the subgoals that the same latents would propose: those
whose odds are nearest to those of the subgoal tried. With several Actors, the parts after the one on trial are drawn
from the proposal. Given that part, the proposal is that of the latents on trial. In later steps the first part that
departs from the mode may be any Actor's. One is drawn in proportion to the share on trial that its departing parts
have. The last Actor's is drawn by its odds (of all parts together).

Four things identify a decision: instruction, step, the last two observations with the subgoal between them, and the
parts chosen for the Actors before.
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
        self._words, self._decisions, self._menus, self._actors = Codes(), Codes(), Codes(), 1
        self._last_menu: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        # One row for each decision that a run has met (D), one column for each entry of its menu (M).
        self.odds: Float[np.ndarray, "D M"] = np.zeros((0, 0))  # at the last visit; NaN before the first
        self.pace: Float[np.ndarray, "D M"] = np.zeros((0, 0))  # nats that the odds moved a visit, lately
        self.told: Float[np.ndarray, "D M"] = np.zeros((0, 0))  # nats that trials of the subgoal moved them, in all
        self.trials: Float[np.ndarray, "D M"] = np.zeros((0, 0))  # so many
        self.futile: Bool[np.ndarray, "D M"] = np.zeros((0, 0), dtype=bool)  # tried, and told nothing
        self.visits: Float[np.ndarray, " D"] = np.zeros(0)
        self.tried: Int[np.ndarray, " D"] = np.zeros(0, dtype=int)  # at the last visit: the entry, or -1

    def hear(self, said: Opening | Outcome) -> None:
        seen = self._words.of(said.observations)
        self._parts: list[np.ndarray] = []  # chosen in this step for the Actors before
        self._share = np.ones(len(seen))  # of the proposal, that these parts have
        self._departed = np.zeros(len(seen), dtype=bool)  # whether one of them is on trial
        if isinstance(said, Opening):
            asked, nothing = self._words.of(said.instructions), np.full(len(seen), -1)
            self._where = np.stack([asked, nothing, nothing, seen], axis=1)
            self._trial: Float[np.ndarray, " B"] = np.full(len(seen), np.nan)  # odds of the trial; NaN: no trial
            self._next = self._trial  # for the next step
            self._weight = np.ones(len(seen))  # by which a trial counts more than its share
            self._explored = np.zeros(len(seen), dtype=bool)
            self._before: list[tuple[np.ndarray, dict[str, np.ndarray]]] = []
        else:
            self._take_back(~said.active)
            self._trial, self._actors = self._next, said.subgoals.shape[1]
            chosen = self._words.of(one_line(said.subgoals))
            where = np.stack([self._where[:, 0], self._where[:, 3], chosen, seen], axis=1)
            self._where = np.where(said.active[:, None], where, self._where)

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        probs = np.clip(proposal.probs, 0.0, 1.0)
        number, place = self._listed(menu)
        listed, place = np.broadcast_to(number, len(probs)), np.broadcast_to(place, probs.shape)
        where = np.stack([self.rows, listed, *self._where.T, *self._parts], axis=1)
        here = self._met([(moment.step, moment.actor, *key) for key in where.tolist()], probs, place)
        self._grow(probs.shape[1])
        at = (here[:, None], place)
        state = {name: getattr(self, name) for name in self.kept}
        noted = {name: array[here] for name, array in state.items()}
        self._before.append((here, noted))
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
        self._parts.append(self._words.of(menu.say(index)))
        self._share = so_far[self.rows, index]
        departs = probs[self.rows, index] < probs.max(axis=1) - TIE
        self._begin(begins, index, here)
        self._note_trial(begins, seeking, log_odds(self._share), departs)
        self.tried[here] = np.where(begins, place[self.rows, index], -1)
        self._explored = begins | trying
        return Choice(index, self._explored, law)

    def _met(self, keys: list[tuple[int, ...]], probs: np.ndarray, place: np.ndarray) -> Int[np.ndarray, " B"]:
        """The number of each run's decision."""
        return self._decisions.of(keys)

    def _begin(self, begins: Bool[np.ndarray, " B"], index: Int[np.ndarray, " B"], here: Int[np.ndarray, " B"]) -> None:
        """Runs in which a trial of the subgoal of this index begins at this decision."""

    def _note_trial(self, begins: np.ndarray, seeking: np.ndarray, mine: np.ndarray, departs: np.ndarray) -> None:
        """The odds that the next step looks for are those of the part that departs, or of all parts where none does."""
        self._trial = np.where(begins, mine, self._trial)
        self._next = np.where(np.isnan(self._trial), np.nan, np.where(begins | seeking, mine, self._next))
        self._departed = self._departed | begins | (seeking & departs)

    def _take_back(self, over: Bool[np.ndarray, " B"]) -> None:
        """Runs that were over made no visit: only now is it known; that they were asked is due to the others."""
        for here, noted in reversed(self._before):
            for name, old in noted.items():
                array = getattr(self, name)  # which may have grown since
                if array.ndim == 2:
                    array[here[over], : old.shape[1]] = old[over]
                else:
                    array[here[over]] = old[over]
        self._before = []

    def _worth(
        self, probs: np.ndarray, odds: np.ndarray, here: np.ndarray, at: tuple[np.ndarray, ...], episode: int
    ) -> Float[np.ndarray, "B M"]:
        """Trials that each subgoal is worth; takes note of this visit."""
        moved = np.abs(odds - self.odds[at])  # NaN at the first visit
        pace = np.where(np.isnan(self.pace[at]), moved, (moved + self.pace[at]) / 2)
        last = self.tried[here][:, None] == at[1]
        self.futile[at] = np.where(last, moved < STILL, self.futile[at] & ~(moved > 10 * STILL))
        self.told[at] += np.where(last, moved, 0.0)
        self.trials[at] += last
        self.pace[at], self.odds[at] = pace, odds
        self.visits[here] += 1
        to_come = (self.num_episodes - episode) * self.visits[here] / (episode + 1)
        nats = np.maximum(-odds, 0.0) + 1  # until the planner would have learnt it
        with np.errstate(divide="ignore", over="ignore"):
            alone = np.where(np.isnan(pace), 0.0, np.minimum(nats / pace, to_come[:, None]))  # visits, by itself
        number = (self.trials[at] + 1) * nats / (self.told[at] + nats)  # trials, one more imagined that tells it all
        return probs * alone / np.maximum(number, 1.0)

    def _stuck(
        self, probs: np.ndarray, worth: np.ndarray, here: np.ndarray, at: tuple[np.ndarray, ...]
    ) -> Bool[np.ndarray, "B M"]:
        return (worth > self.patience) & doubtful(probs) & ~self.futile[at]

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

    def _listed(self, menu: Menu) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, "rows M"]]:
        """The number of each row's menu, and the place of its entries in the alphabet; the last one is remembered."""
        if self._last_menu is None or self._last_menu[0] is not menu.sentences:
            rows = menu.sentences.tolist()
            place = np.argsort(np.array([sorted(range(len(row)), key=row.__getitem__) for row in rows]), axis=1)
            self._last_menu = menu.sentences, self._menus.of(tuple(sorted(row)) for row in rows), place
        return self._last_menu[1:]

    def _grow(self, entries: int) -> None:
        """Room for new decisions, twice as many as there were, and for longer menus."""
        room, width = self.odds.shape
        num = max(2 * room, len(self._decisions)) if len(self._decisions) > room else room
        if num > room or entries > width:
            more = [(0, num - room), (0, max(0, entries - width))]
            self.odds = np.pad(self.odds, more, constant_values=np.nan)
            self.pace = np.pad(self.pace, more, constant_values=np.nan)
            self.told = np.pad(self.told, more)
            self.trials = np.pad(self.trials, more)
            self.futile = np.pad(self.futile, more)
            self.visits = np.pad(self.visits, more[0])
            self.tried = np.pad(self.tried, more[0], constant_values=-1)

    def snapshot(self) -> State:
        kept = {name: getattr(self, name)[: len(self._decisions)] for name in self.kept}
        codes = {"words": self._words, "decisions": self._decisions, "menus": self._menus}
        return {**kept, **{key: value for name, of in codes.items() for key, value in of.snapshot(name).items()}}

    def restore(self, state: State) -> None:
        for name in self.kept:
            setattr(self, name, state[name].copy())
        self._words.restore(state, "words")
        self._decisions.restore(state, "decisions")
        self._menus.restore(state, "menus")
        self._last_menu = None


def doubtful(probs: Float[np.ndarray, "B M"]) -> Bool[np.ndarray, "B M"]:
    """Subgoals that are not the only mode of the proposal, and of some share."""
    modal = probs >= probs.max(axis=1, keepdims=True) - TIE
    alone = modal & (modal.sum(axis=1, keepdims=True) == 1)
    return np.asarray(~alone & (probs > FLOOR))


def log_odds(probs: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Of shares; those near 0 and 1 are cut off."""
    return np.asarray(np.log(np.maximum(probs, FLOOR)) - np.log(np.maximum(1 - probs, FLOOR)))
