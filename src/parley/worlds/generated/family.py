"""From a family as a rule of the game, `Sketch`, to its `Tables`: states are those that can be reached."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.tables import Tables

State = tuple[Any, ...]  # of each kind another
START: State = ("start",)


@dataclass(frozen=True)
class Sketch:
    """A family of worlds as functions of the latent's index, the state and the subgoal's index.

    `step` gives the states that may follow, with their probabilities. `say` gives the sentence heard in a state, and
    `pay` its worth under an instruction. `rules` tell a newcomer what kind of world this is, not its latent.
    """

    kind: str
    rules: str
    menu: tuple[str, ...]
    instructions: tuple[str, ...]
    latents: tuple[str, ...]
    prior: Float[np.ndarray, " Z"]
    horizon: int
    step: Callable[[int, State, int], list[tuple[float, State]]]
    say: Callable[[State], str]
    pay: Callable[[str, int], float]
    begin: tuple[tuple[float, State], ...] = ((1.0, START),)  # states in which an episode may begin
    others: tuple[tuple[str, ...], ...] = ()  # menus of further Actors; the subgoal's index runs over the product


def tables_of(sketch: Sketch) -> Tables:
    """The tables of a sketch."""
    menus = (sketch.menu, *sketch.others)
    latents, subgoals = range(len(sketch.latents)), range(math.prod(map(len, menus)))
    frontier = [state for _, state in sketch.begin]
    states = {state: i for i, state in enumerate(frontier)}
    for _ in range(sketch.horizon):
        reached = [s for now in frontier for z in latents for g in subgoals for _, s in sketch.step(z, now, g)]
        frontier = [s for s in dict.fromkeys(reached) if s not in states]
        states |= {s: len(states) + i for i, s in enumerate(frontier)}
    transition = np.zeros((len(latents), len(states), len(subgoals), len(states)))
    for state, i in states.items():
        for z in latents:
            for g in subgoals:
                for prob, after in sketch.step(z, state, g):
                    # A state that is first reached after the last step leads nowhere: it stays.
                    transition[z, i, g, states.get(after, i)] += prob
    said = {state: sketch.say(state) for state in states}
    observations = tuple(dict.fromkeys(said.values()))
    emission = np.zeros((len(states), len(observations)))
    for state, i in states.items():
        emission[i, observations.index(said[state])] = 1
    initial = np.zeros((len(latents), len(states)))
    for prob, state in sketch.begin:
        initial[:, states[state]] = prob
    return Tables(
        name="generated",
        horizon=sketch.horizon,
        states=tuple(f"{said[state]} ({i})" for state, i in states.items()),
        observations=observations,
        menus=menus,
        latents=sketch.latents,
        instructions=sketch.instructions,
        prior=np.asarray(sketch.prior, dtype=float),
        initial=initial,
        transition=transition,
        emission=np.tile(emission, (len(latents), 1, 1)),
        reward=np.array([[sketch.pay(o, w) for w in range(len(sketch.instructions))] for o in observations]),
        rules=sketch.rules,
    )


def distinct(rng: np.random.Generator, draw: Callable[[], tuple[int, ...]], count: int) -> list[tuple[int, ...]]:
    """Up to `count` different draws, two at least."""
    found: dict[tuple[int, ...], None] = {}
    for _ in range(200):
        found.setdefault(tuple(int(i) for i in draw()))
        if len(found) == count:
            break
    return list(found)


def flat_or_skewed(rng: np.random.Generator, count: int) -> np.ndarray:
    """A prior, flat in half of the families, else skewed."""
    return np.full(count, 1 / count) if rng.random() < 0.5 else rng.dirichlet(np.full(count, 1.0)) * 0.95 + 0.05 / count
