"""Tables from rules: functions for the next state of a subgoal, and for the report of a state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.tables import Tables

State = Any  # hashable
Secret = Any  # what a rule is told of a latent


@dataclass(frozen=True)
class Family:
    """A family of worlds by its rules; `secrets` are the latents as the rules see them, in the order of their names.

    `after(secret, state, subgoal)` is the next state, or a mapping from states to probabilities; with several Actors
    `subgoal` is a tuple of parts. `says(secret, state)` is a sentence, or a mapping from sentences to probabilities.
    Episodes begin in `begins`. `pays(observations)` gives rewards (O, W). `name(state)` is what the tables call it.
    """

    states: Sequence[State]
    secrets: Sequence[Secret]
    begins: State
    after: Callable[[Secret, State, Any], State | Mapping[State, float]]
    says: Callable[[Secret, State], str | Mapping[str, float]]
    pays: Callable[[tuple[str, ...]], np.ndarray]
    name: Callable[[State], str] = str


def tables_of(
    family: Family, menus: tuple[tuple[str, ...], ...], observations: tuple[str, ...] | None = None, **words: Any
) -> Tables:
    """The tables of a family; `words` are the other fields of `Tables` (name, horizon, latents, instructions, prior).

    Unless `observations` are given, sentences stand in the order in which they are met, latent by latent.
    """
    subgoals = menus[0] if len(menus) == 1 else tuple(product(*menus))
    row = {state: s for s, state in enumerate(family.states)}
    num_z, num_s = len(family.secrets), len(family.states)
    transition = np.zeros((num_z, num_s, len(subgoals), num_s))
    said: dict[tuple[int, int], Mapping[str, float]] = {}
    for (z, secret), (s, state) in product(enumerate(family.secrets), enumerate(family.states)):
        for g, subgoal in enumerate(subgoals):
            for then, p in _law(family.after(secret, state, subgoal)).items():
                transition[z, s, g, row[then]] += p
        said[z, s] = _law(family.says(secret, state))
    known = observations or tuple(dict.fromkeys(o for law in said.values() for o, p in law.items() if p))
    initial = np.zeros((num_z, num_s))
    initial[:, row[family.begins]] = 1
    emission = _emission(said, known, (num_z, num_s))
    words |= {"states": tuple(map(family.name, family.states)), "observations": known, "menus": menus}
    return Tables(initial=initial, transition=transition, emission=emission, reward=family.pays(known), **words)


def first_likely(share: float, others: int) -> Float[np.ndarray, " n"]:
    """A prior that gives the first latent `share` and the others the rest, all alike."""
    return np.array([share, *[(1 - share) / others] * others])


def _law(outcome: Any) -> Mapping[Any, float]:
    return outcome if isinstance(outcome, Mapping) else {outcome: 1.0}


def _emission(
    said: Mapping[tuple[int, int], Mapping[str, float]], known: tuple[str, ...], shape: tuple[int, int]
) -> np.ndarray:
    column = {o: i for i, o in enumerate(known)}
    emission = np.zeros((*shape, len(known)))
    for (z, s), law in said.items():
        for o, p in law.items():
            if p:
                emission[z, s, column[o]] += p
    return emission
