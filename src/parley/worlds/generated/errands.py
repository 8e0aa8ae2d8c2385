"""Kinds of generated worlds in which things change hands.

`fetch`: a thing is found, taken and brought. `serve`: each person likes one thing. `trade`: who takes what, and gives
what for it. `brew`: two things together make something else.
"""

import numpy as np

from parley.worlds.generated.family import START, Sketch, State, distinct, flat_or_skewed
from parley.worlds.generated.kinds import BEGIN, Kind
from parley.worlds.generated.words import Words


def fetch(rng: np.random.Generator, words: Words) -> Sketch:
    """Things lie in places; the thing asked for has to be found, taken and brought to somebody."""
    places, things = words.named("place", int(rng.integers(2, 5))), words.some("thing", int(rng.integers(1, 3)))
    person, n, horizon = words.one("person"), len(places), int(rng.integers(3, 5))
    lies = distinct(rng, lambda: tuple(rng.integers(n, size=len(things))), int(rng.integers(2, 7)))
    empty, sees = words.form("empty", "nothing there"), words.form("there is the {}", "you see the {}")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        at, held, what = state if state != START else (-1, -1, "")
        if what in ("brought", "over"):
            return [(1.0, (at, held, "over"))]
        if g < n:
            return [(1.0, (g, held, "went" if held >= 0 else tuple(i for i, p in enumerate(lies[z]) if p == g)))]
        if g < n + len(things):
            thing = g - n
            took = held < 0 and at >= 0 and lies[z][thing] == at
            return [(1.0, (at, thing, "took") if took else (at, held, "no"))]
        return [(1.0, (at, held, "brought" if held >= 0 else "no"))]

    def say(state: State) -> str:
        if state == START:
            return BEGIN
        at, held, what = state
        if isinstance(what, tuple):
            return f"{places[at]}: " + (" and ".join(sees.format(things[i]) for i in what) or empty)
        hand = f"the {things[held]}" if held >= 0 else "nothing"
        told = {"took": f"you take {hand}", "brought": f"{person} has {hand}", "over": "done", "no": "you cannot"}
        return told.get(what) or f"{places[at]}, {hand} in hand"

    return Sketch(
        "fetch",
        f"each thing lies in one place, always the same; {person} waits",
        (*(f"to the {p}" for p in places), *(f"take the {t}" for t in things), f"bring it to {person}"),
        tuple(f"bring {person} the {thing}" for thing in things),
        tuple(", ".join(f"{t} in {places[p]}" for t, p in zip(things, lie, strict=True)) for lie in lies),
        flat_or_skewed(rng, len(lies)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"{person} has the {things[w]}"),
    )


def serve(rng: np.random.Generator, words: Words) -> Sketch:
    """Each person likes one of the things, always the same one."""
    people, gifts = words.some("person", int(rng.integers(1, 4))), words.some("thing", int(rng.integers(2, 4)))
    likes = distinct(rng, lambda: tuple(rng.integers(len(gifts), size=len(people))), int(rng.integers(2, 7)))
    horizon, glad = int(rng.integers(1, 3)), words.form("smiles", "is pleased", "says thank you")
    cold = words.form("frowns", "shakes their head", "does not want it")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        who, gift = divmod(g, len(gifts))
        return [(1.0, (who, likes[z][who] == gift))]

    return Sketch(
        "serve",
        "each person likes one thing, always the same",
        tuple(f"give {person} the {gift}" for person in people for gift in gifts),
        tuple(f"please {person}" for person in people),
        tuple(", ".join(f"{p} likes the {gifts[i]}" for p, i in zip(people, like, strict=True)) for like in likes),
        flat_or_skewed(rng, len(likes)),
        horizon,
        step,
        lambda state: BEGIN if state == START else f"{people[state[0]]} {glad if state[1] else cold}",
        lambda sentence, w: float(sentence == f"{people[w]} {glad}") / horizon,
    )


def trade(rng: np.random.Generator, words: Words) -> Sketch:
    """Somebody takes one thing and gives another one for it; the task is a way from one's own thing to the one asked
    for.
    """
    people, goods = words.some("person", int(rng.integers(2, 4))), words.some("thing", int(rng.integers(3, 5)))
    chain = len(goods) - 1

    def deals() -> tuple[int, ...]:
        """Of each person the thing that is taken; the next one is given for it."""
        return tuple(rng.integers(chain, size=len(people)))

    offers, horizon = distinct(rng, deals, int(rng.integers(2, 7))), int(rng.integers(2, 5))

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        held = 0 if state == START else state[0]
        return [(1.0, (held + 1, "got") if offers[z][g] == held else (held, "no"))]

    def say(state: State) -> str:
        if state == START:
            return f"you have the {goods[0]}"
        return f"you get the {goods[state[0]]}" if state[1] == "got" else f"no deal, you keep the {goods[state[0]]}"

    wanted = [i for i in range(1, len(goods)) if i <= horizon]
    latents = tuple(", ".join(f"{p} takes the {goods[i]}" for p, i in zip(people, of, strict=True)) for of in offers)
    return Sketch(
        "trade",
        "each person takes one thing and gives another for it: " + ", then ".join(goods),
        tuple(f"trade with {person}" for person in people),
        tuple(f"get the {goods[i]}" for i in wanted),
        latents,
        flat_or_skewed(rng, len(offers)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"you get the {goods[wanted[w]]}"),
    )


def brew(rng: np.random.Generator, words: Words) -> Sketch:
    """Two things that are put in one after the other make something; which two make what is hidden."""
    things, results = words.some("thing", int(rng.integers(3, 6))), words.some("quality", int(rng.integers(1, 4)))
    pairs = [(a, b) for a in range(len(things)) for b in range(a + 1, len(things))]
    count = min(len(results), len(pairs))
    makes = distinct(rng, lambda: tuple(rng.choice(len(pairs), count, replace=False)), int(rng.integers(2, 7)))
    horizon, kettle = int(rng.choice([2, 4])), words.form("pot", "kettle", "bowl")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        if state == START or state[0] != "in":
            return [(1.0, ("in", g))]
        pair = (min(g, state[1]), max(g, state[1]))
        made = [r for r, i in enumerate(makes[z]) if pairs[i] == pair]
        return [(1.0, ("made", made[0]) if made else ("spoilt", 0))]

    def say(state: State) -> str:
        if state == START:
            return f"the {kettle} is empty"
        told = {"in": f"the {things[state[1]]} is in the {kettle}", "spoilt": f"it is no good, the {kettle} is empty"}
        return told.get(state[0]) or f"it turns {results[state[1]]}"

    def named(made: tuple[int, ...]) -> str:
        found = zip(results[:count], (pairs[i] for i in made), strict=True)
        return ", ".join(f"{things[a]} and {things[b]}: {result}" for result, (a, b) in found)

    return Sketch(
        "brew",
        f"two things in the {kettle} make one, always the same",
        tuple(f"put the {thing} in" for thing in things),
        tuple(f"make it {result}" for result in results[:count]),
        tuple(map(named, makes)),
        flat_or_skewed(rng, len(makes)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"it turns {results[w]}") * 2 / horizon,
    )


ERRANDS: dict[str, Kind] = {"fetch": fetch, "serve": serve, "trade": trade, "brew": brew}
