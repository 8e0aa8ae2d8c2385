"""Explorers of the paper: none, and epsilon-greedy for whole episodes or single steps (theory.md section 4)."""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.errors import BadInput
from parley.core.roles import KeptPlanner, State
from parley.core.said import Choice, Menu, Moment, Opening, Outcome, Proposal, decode

Policy = Callable[[Menu, Moment, int], Float[np.ndarray, "B M"]]


class ListeningPolicy(Protocol):
    """An exploration policy that depends on the episode so far: it hears the observations, and each part that is
    chosen."""

    def hear(self, said: Opening | Outcome) -> None: ...

    def chose(self, index: Int[np.ndarray, " B"]) -> None:
        """The current Actor's part has been chosen: its index on the menu."""

    def __call__(self, menu: Menu, moment: Moment, num_runs: int) -> Float[np.ndarray, "B M"]: ...


def uniform_policy(menu: Menu, moment: Moment, num_runs: int) -> Float[np.ndarray, "B M"]:
    """Every legal subgoal alike: the exploration policy that needs no knowledge of the world."""
    legal = np.broadcast_to(menu.legal, (num_runs, menu.legal.shape[1]))
    return legal / legal.sum(axis=1, keepdims=True)


def weighted_policy(weights: Mapping[str, float], name: str = "policy") -> Policy:
    """A given exploration policy: subgoals in proportion to `weights` (0 where absent), whatever the step.

    Weights need not sum to one. `name` is what errors call the policy.
    """
    for subgoal, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < np.inf:
            raise BadInput(f"{name}: the weight of {subgoal!r} is {weight!r}: expected a finite number, not negative")

    def policy(menu: Menu, moment: Moment, num_runs: int) -> Float[np.ndarray, "B M"]:
        listed = np.array([[weights.get(s, 0.0) for s in row] for row in menu.sentences], dtype=float) * menu.legal
        total = listed.sum(axis=1, keepdims=True)
        if not (total > 0).all():
            offered = ", ".join(map(repr, menu.sentences[0]))
            raise BadInput(
                f"{name}: it has no weight on the menu of step {moment.step}: give one of {offered} a positive "
                "weight (weights need not sum to 1)"
            )
        return np.broadcast_to(listed / total, (num_runs, listed.shape[1]))

    return policy


class NoExploration:
    """Executes the planner's proposals as they are decoded."""

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        self.draws = draws
        self._never = np.zeros(draws.num_runs, dtype=bool)

    def hear(self, said: Opening | Outcome) -> None:
        pass

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        law = decode(proposal.probs, how)
        u = self.draws.uniform(Purpose.SUBGOAL, moment.episode, moment.step, moment.actor)
        return Choice(sample_rows(law, u), self._never, law)

    def snapshot(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        pass


class OwnPlan(NoExploration):
    """Executes the proposals of a planner of its own, whatever it is offered: a reference for other explorers."""

    def __init__(self, planner: KeptPlanner) -> None:
        self.planner = planner

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        super().start(draws, num_episodes, horizon)
        self.planner.start(draws)
        self._parts = np.empty((draws.num_runs, 0), dtype=object)

    def hear(self, said: Opening | Outcome) -> None:
        self.planner.hear(said)

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        parts = self._parts if moment.actor else np.empty((self.draws.num_runs, 0), dtype=object)
        choice = super().choose(self.planner.propose(menu, parts), self.planner.decode, menu, moment)
        self._parts = np.concatenate([parts, menu.say(choice.index)[:, None]], axis=1)
        return choice

    def snapshot(self) -> State:
        return self.planner.snapshot()

    def restore(self, state: State) -> None:
        self.planner.restore(state)


class EpsilonGreedy(NoExploration):
    """With probability epsilon(t) an episode (or, `per="step"`, a step) is exploration: its subgoals come from pi_e.

    `epsilon` maps the episode, counted from 0, to a probability, or to one for each run. A choice reports its
    distribution with the coin averaged out *given what was already executed in this episode*: each executed subgoal
    is evidence about it. The exploration policy pi_e is `policy`, or a `listener` where it depends on the history.
    """

    def __init__(
        self,
        epsilon: Callable[[int], float | Float[np.ndarray, " B"]],
        per: str = "episode",
        policy: Policy = uniform_policy,
        listener: ListeningPolicy | None = None,
    ) -> None:
        if per not in ("episode", "step"):
            raise BadInput(f"per={per!r}: expected 'episode' (as in the theory) or 'step'")
        self.epsilon, self.per, self.policy, self.listener = epsilon, per, listener or policy, listener

    def hear(self, said: Opening | Outcome) -> None:
        if self.listener:
            self.listener.hear(said)

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        num_runs = len(proposal.probs)
        if self.per == "step" or (moment.step == 1 and moment.actor == 0):
            epsilon = self.epsilon(moment.episode)
            step = moment.step if self.per == "step" else 0
            self._coin: Bool[np.ndarray, " B"] = self.draws.uniform(Purpose.COIN, moment.episode, step) < epsilon
            if self.per == "episode" or moment.actor == 0:
                self._weight = np.full(num_runs, epsilon)
        mine = decode(proposal.probs, how)
        explore = self.policy(menu, moment, num_runs)
        u = self.draws.uniform(Purpose.SUBGOAL, moment.episode, moment.step, moment.actor)
        index = sample_rows(np.where(self._coin[:, None], explore, mine), u)
        weight = self._weight[:, None]
        law = weight * explore + (1 - weight) * mine
        rows = np.arange(num_runs)
        # A run whose distribution is zero everywhere (an episode that is over) keeps its weight.
        total = law[rows, index]
        posterior = self._weight * explore[rows, index] / np.where(total > 0, total, 1)
        self._weight = np.where(total > 0, posterior, self._weight)
        if self.listener:
            self.listener.chose(index)
        return Choice(index, self._coin, law)


def schedule(epsilon: float, power: float = 0.0) -> Callable[[int], float]:
    """epsilon_t = min(1, epsilon * t ** -power), t counted from 1; power 0 is a constant, 0.5 the anytime variant."""
    if not 0 <= epsilon <= 1 and power == 0:
        raise BadInput(f"epsilon={epsilon}: expected a probability between 0 and 1")
    if epsilon < 0 or power < 0:
        raise BadInput(f"epsilon={epsilon}, power={power}: expected numbers that are not negative")
    return lambda episode: min(1.0, epsilon * float(episode + 1) ** -power)
