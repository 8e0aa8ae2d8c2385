"""A function of what one run has been told as Planner: the shortest way to plug in a planner, or a language model."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import State
from parley.core.said import Menu, Opening, Outcome, Proposal
from parley.core.tables import Sentences
from parley.core.told import Told, packed, unpacked
from parley.prompting.answers import parse

# plan(episodes, menu): the episodes told so far, the last one going on, and the sentences to choose from.
Plan = Callable[..., str | Mapping[str, float]]


class FunctionPlanner:
    """Plans by `plan(episodes, menu)`, run by run; several Actors: `plan(episodes, menu, parts)`.

    It returns one of the menu's sentences, or a text that chooses one of them (as a language model would answer). It
    may also return a mapping from sentences to weights. A text that chooses nothing is an invalid answer: the proposal
    is uniform, and the log says so. The messages it has received are its whole state, so that a run can be resumed.
    """

    def __init__(self, plan: Plan, decode: str = "sample") -> None:
        if not callable(plan):
            raise BadInput(f"plan: expected a function of (episodes, menu), found {type(plan).__name__}")
        self.plan, self.decode = plan, decode
        self._told_parts = len(inspect.signature(plan).parameters) > 2

    def start(self, draws: Draws) -> None:
        self._runs: list[list[Told]] = [[] for _ in range(draws.num_runs)]

    def hear(self, said: Opening | Outcome) -> None:
        for i, episodes in enumerate(self._runs):
            if isinstance(said, Opening):
                episodes.append(Told(str(said.instructions[i]), (str(said.observations[i]),)))
            elif said.active[i]:
                subgoal = tuple(map(str, said.subgoals[i]))
                episodes[-1] = episodes[-1].after(subgoal, str(said.observations[i]), float(said.rewards[i]))

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        shape = (len(self._runs), menu.sentences.shape[1])
        sentences, legal = np.broadcast_to(menu.sentences, shape), np.broadcast_to(menu.legal, shape)
        probs, valid = legal / legal.sum(axis=1, keepdims=True), np.ones(len(self._runs), dtype=bool)
        chose = False  # one sentence is no distribution: the log says so
        for i, episodes in enumerate(self._runs):
            shown = tuple(sentences[i, legal[i]])
            more: tuple[Any, ...] = (tuple(parts[i]),) if self._told_parts else ()
            planned = self.plan(tuple(episodes), shown, *more)
            chose = chose or isinstance(planned, str)
            law = _law(planned, shown)
            if law is None:
                valid[i] = False
            else:
                probs[i, legal[i]] = law
        return Proposal(probs, "chosen by a function" if chose else "", None if valid.all() else valid)

    def snapshot(self) -> State:
        return {"heard": packed(self._runs)}

    def restore(self, state: State) -> None:
        self._runs = unpacked(state["heard"])


def _law(planned: Any, menu: Sequence[str]) -> Float[np.ndarray, " M"] | None:
    """The distribution that a plan stands for; None if it chooses nothing. Raises `BadInput` for any other value."""
    if isinstance(planned, Mapping):
        strange = [sentence for sentence in planned if sentence not in menu]
        if strange:
            raise BadInput(f"plan: {strange[0]!r} has a weight and is not on the menu: {', '.join(menu):.300}")
        weights = np.array([float(planned.get(sentence, 0.0)) for sentence in menu])
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
            raise BadInput(f"plan: weights {weights.tolist()}: expected numbers from 0 on, at least one of them above")
        return weights / weights.sum()
    if not isinstance(planned, str):
        raise BadInput(f"plan: a {type(planned).__name__} was returned: expected a sentence, or weights of sentences")
    chosen = menu.index(planned) if planned in menu else parse(planned, menu)
    return None if chosen is None else np.eye(len(menu))[chosen]
