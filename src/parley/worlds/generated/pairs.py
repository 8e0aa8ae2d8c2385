"""Kinds of generated worlds with two Actors, each told its own part of the subgoal.

`lift`: some things take both, some one alone. `meet`: both have to be in the one place that is open. `relay`: one can
do one half and the other one the other half.
"""

from itertools import product

import numpy as np

from parley.worlds.generated.family import START, Sketch, State, distinct, flat_or_skewed
from parley.worlds.generated.kinds import BEGIN, Kind
from parley.worlds.generated.words import Words


def lift(rng: np.random.Generator, words: Words) -> Sketch:
    """Each thing takes one Actor or both; a second one is in the way of the first."""
    things = words.some("thing", int(rng.integers(1, 3)))
    rest, horizon = words.form("rest", "stand by", "wait"), int(rng.integers(1, 3))
    heavy = distinct(rng, lambda: tuple(rng.integers(2, size=len(things))), int(rng.integers(2, 5)))
    menu = (*(f"lift the {thing}" for thing in things), rest)

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        told = divmod(g, len(menu))
        moved = tuple(i for i in range(len(things)) if told.count(i) == 1 + heavy[z][i])
        tried = tuple(i for i in range(len(things)) if told.count(i) and i not in moved)
        return [(1.0, (moved, tried))]

    def say(state: State) -> str:
        if state == START:
            return BEGIN
        moved, tried = state
        said = [f"the {things[i]} moves" for i in moved] + [f"the {things[i]} stays" for i in tried]
        return " and ".join(said) or "nothing"

    return Sketch(
        "lift",
        "each thing takes one or two, always the same",
        menu,
        tuple(f"move the {thing}" for thing in things),
        tuple(", ".join(f"{t} takes {1 + h}" for t, h in zip(things, of, strict=True)) for of in heavy),
        flat_or_skewed(rng, len(heavy)),
        horizon,
        step,
        say,
        lambda sentence, w: float(f"the {things[w]} moves" in sentence.split(" and ")) / horizon,
        others=(menu,),
    )


def meet(rng: np.random.Generator, words: Words) -> Sketch:
    """Both have to go to the one place that is open; where one alone has been, it tells."""
    places, horizon = words.some("place", int(rng.integers(2, 5))), int(rng.integers(1, 3))
    opens = distinct(rng, lambda: (int(rng.integers(len(places))),), int(rng.integers(2, len(places) + 1)))
    menu = tuple(f"to the {place}" for place in places)

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        one, other = divmod(g, len(menu))
        where = opens[z][0]
        return [(1.0, (one, other, one == where, other == where))]

    def say(state: State) -> str:
        if state == START:
            return BEGIN
        one, other, first, second = state
        if first and second:
            return f"you meet at the {places[one]}"
        told = {one: first, other: second}
        return " and ".join(f"{places[i]} {'open' if at else 'shut'}" for i, at in sorted(told.items()))

    return Sketch(
        "meet",
        "one place is open, always the same; both have to be there",
        menu,
        ("meet",),
        tuple(f"{places[i]} is open" for (i,) in opens),
        flat_or_skewed(rng, len(opens)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence.startswith("you meet at ")) / horizon,
        others=(menu,),
    )


def relay(rng: np.random.Generator, words: Words) -> Sketch:
    """Of two tools each Actor can use one; the work is done where each uses its own."""
    tools, work = words.some("thing", int(rng.integers(2, 4))), words.one("place")
    horizon, fails = int(rng.integers(1, 3)), float(rng.choice([0, 0.1, 0.2]))
    every = list(product(range(len(tools)), repeat=2))
    able = [every[i] for (i,) in distinct(rng, lambda: (int(rng.integers(len(every))),), int(rng.integers(2, 5)))]
    menu = tuple(f"use the {tool}" for tool in tools)

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        right = tuple(a == b for a, b in zip(divmod(g, len(menu)), able[z], strict=True))
        done = all(right)
        slip = [(fails, (False, False))] if done and fails else []
        return [(1 - fails if slip else 1.0, right), *slip]

    def say(state: State) -> str:
        if state == START:
            return BEGIN
        if all(state):
            return f"the {work} is done"
        return {0: "no work is done", 1: "half the work is done"}[sum(state)]

    return Sketch(
        "relay",
        f"each can use one thing, always the same; the {work} takes both",
        menu,
        (f"build the {work}",),
        tuple(f"{tools[a]} and {tools[b]}" for a, b in able),
        flat_or_skewed(rng, len(able)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"the {work} is done") / horizon,
        others=(menu,),
    )


PAIRS: dict[str, Kind] = {"lift": lift, "meet": meet, "relay": relay}
