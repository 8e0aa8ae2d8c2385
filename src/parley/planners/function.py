"""A function of what one run has been told as Planner: the shortest way to plug in a planner, or a language model."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import State
from parley.core.said import NOTHING, Menu, Opening, Outcome, Proposal, in_words
from parley.core.tables import Sentences
from parley.core.told import Told, packed, unpacked
from parley.prompting.answers import parse

# plan(episodes, menu): the episodes told so far, the last one going on, and the sentences to choose from.
Plan = Callable[..., str | Mapping[str, float]]


class FunctionPlanner:
    """Plans by `plan(episodes, menu)`, run by run; several Actors: `plan(episodes, menu, parts)`.

    It returns one of the menu's sentences, or a text that chooses one of them (as a language model would answer). It
    may also return a mapping from sentences to weights. A text that chooses nothing is an invalid answer: the proposal
    is uniform, and the log says so. Where the world offers no menu, the text itself is said, or one of the mapping's
    texts. The messages it has received are its whole state, so that a run can be resumed.
    """

    def __init__(self, plan: Plan, decode: str = "sample") -> None:
        if not callable(plan):
            raise BadInput(f"plan: expected a function of (episodes, menu), found {type(plan).__name__}")
        self.plan, self.decode = plan, decode
        told = inspect.signature(plan).parameters.values()
        self._told_parts = len([p for p in told if p.default is p.empty or p.name == "parts"]) > 2

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
        runs = range(len(self._runs))
        asked = [i for i in runs if menu.asked is None or menu.asked[i]]  # the others' episodes are over
        planned = {i: self._planned(i, menu.row(i), parts) for i in asked}
        shown = {i: _own(one) if menu.free else menu.row(i) for i, one in planned.items()}
        laws = {i: _law(one, shown[i]) for i, one in planned.items()}
        valid = np.array([laws.get(i, ()) is not None for i in runs])
        chose = any(isinstance(one, str) for one in planned.values())  # one sentence is no distribution
        source, usable = "chosen by a function" if chose else "", None if valid.all() else valid
        if menu.free:
            told = {i: dict(zip(shown[i], law, strict=True)) for i, law in laws.items() if law is not None}
            brought, probs = in_words([told.get(i, {NOTHING: 1.0}) for i in runs])
            return Proposal(probs, source, usable, menu=brought)
        legal = np.broadcast_to(menu.legal, (len(runs), menu.legal.shape[1]))
        probs = legal / legal.sum(axis=1, keepdims=True)
        for i, law in laws.items():
            probs[i, legal[i]] = probs[i, legal[i]] if law is None else law
        return Proposal(probs, source, usable)

    def _planned(self, run: int, menu: tuple[str, ...], parts: Sentences) -> Any:
        more: tuple[Any, ...] = (tuple(parts[run]),) if self._told_parts else ()
        return self.plan(tuple(self._runs[run]), menu, *more)

    def snapshot(self) -> State:
        return {"heard": packed(self._runs)}

    def restore(self, state: State) -> None:
        self._runs = unpacked(state["heard"])


def _own(planned: Any) -> tuple[str, ...]:
    """The texts that a plan says where there is no menu."""
    told = tuple(planned) if isinstance(planned, Mapping) else (planned,)
    return tuple(text for text in told if isinstance(text, str) and text.strip())


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
