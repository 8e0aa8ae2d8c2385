"""Kinds of generated worlds in which the observations tell what to do.

`signals`: what comes first calls for an answer. `ripe`: things are ready after a time of their own. `weigh`: one thing
is heaviest, and two can be compared. `rumour`: somebody who may lie is asked.
"""

import numpy as np

from parley.worlds.generated.family import START, Sketch, State, distinct, flat_or_skewed
from parley.worlds.generated.kinds import BEGIN, Kind
from parley.worlds.generated.words import Words


def signals(rng: np.random.Generator, words: Words) -> Sketch:
    """An episode begins with one of a few signals; each signal calls for an answer of its own."""
    shown, answers = words.some("quality", int(rng.integers(2, 4))), words.named("thing", int(rng.integers(2, 5)))
    calls = distinct(rng, lambda: tuple(rng.integers(len(answers), size=len(shown))), int(rng.integers(2, 7)))
    horizon, light = int(rng.integers(1, 3)), words.form("light", "flag", "lamp")
    good, bad = words.form("right", "well done", "that was it"), words.form("wrong", "no", "that was not it")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        signal = state[1]
        return [(1.0, ("good" if calls[z][signal] == g else "bad", signal))]

    def say(state: State) -> str:
        told = f"the {light} is {shown[state[1]]}"
        return {"good": f"{good}, {told}", "bad": f"{bad}, {told}"}.get(state[0], told)

    def named(call: tuple[int, ...]) -> str:
        return ", ".join(f"{s}: {answers[i]}" for s, i in zip(shown, call, strict=True))

    return Sketch(
        "signals",
        f"each look of the {light} calls for one choice, always the same",
        tuple(f"use the {answer}" for answer in answers),
        (f"answer the {light}",),
        tuple(map(named, calls)),
        flat_or_skewed(rng, len(calls)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence.startswith(f"{good}, ")) / horizon,
        begin=tuple((1 / len(shown), ("shown", i)) for i in range(len(shown))),
    )


def ripe(rng: np.random.Generator, words: Words) -> Sketch:
    """Things get ready after so many steps; who takes one too early, or waits too long, has spoilt it."""
    things, horizon = words.some("thing", int(rng.integers(1, 3))), int(rng.integers(3, 5))
    times = distinct(rng, lambda: tuple(rng.integers(horizon, size=len(things))), int(rng.integers(2, 7)))
    wait, raw = words.form("wait", "let time pass"), words.form("not ready yet", "too early")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        time = 0 if state == START else state[0]
        if state != START and state[1] in ("good", "early", "late", "over"):
            return [(1.0, (time, "over", -1))]
        if g == len(things):
            return [(1.0, (time + 1, "wait", -1))]
        how = "good" if times[z][g] == time else "early" if time < times[z][g] else "late"
        return [(1.0, (time + 1, how, g))]

    def say(state: State) -> str:
        if state == START:
            return BEGIN
        time, how, g = state
        told = {"wait": f"{time} gone by", "over": "done", "early": raw, "late": "too late"}
        return told.get(how) or f"you have the {things[g]}, just right"

    return Sketch(
        "ripe",
        "each thing has its time, always the same",
        (*(f"take the {thing}" for thing in things), wait),
        tuple(f"get the {thing}" for thing in things),
        tuple(", ".join(f"{t} after {i}" for t, i in zip(things, of, strict=True)) for of in times),
        flat_or_skewed(rng, len(times)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"you have the {things[w]}, just right"),
    )


def weigh(rng: np.random.Generator, words: Words) -> Sketch:
    """One thing is the heaviest; two may be compared first, which tells of one that it is not."""
    things, horizon = words.some("thing", int(rng.integers(3, 5))), int(rng.integers(2, 4))
    n, ranks = len(things), distinct(rng, lambda: tuple(rng.permutation(len(things))), int(rng.integers(2, 7)))
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    pairs = [pairs[i] for i in rng.choice(len(pairs), min(len(pairs), 2), replace=False)]
    best = words.form("heaviest", "oldest", "finest")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        if state[0] in ("won", "lost", "over"):
            return [(1.0, ("over",))]
        if g < n:
            return [(1.0, ("won",) if ranks[z][g] == n - 1 else ("lost", g))]
        a, b = pairs[g - n]
        more, less = (a, b) if ranks[z][a] > ranks[z][b] else (b, a)
        return [(1.0, ("weighed", more, less))]

    def say(state: State) -> str:
        if state[0] == "weighed":
            return f"the {things[state[1]]} before the {things[state[2]]}"
        if state[0] == "lost":
            return f"the {things[state[1]]} is not the {best}"
        return {"won": f"it is the {best}", "over": "done"}.get(state[0], BEGIN)

    return Sketch(
        "weigh",
        f"one thing is the {best}, always the same; two can be compared",
        (*(f"take the {t}" for t in things), *(f"compare {things[a]} and {things[b]}" for a, b in pairs)),
        (f"take the {best}",),
        tuple(", ".join(things[int(i)] for i in np.argsort(rank)[::-1]) for rank in ranks),
        flat_or_skewed(rng, len(ranks)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"it is the {best}"),
    )


def rumour(rng: np.random.Generator, words: Words) -> Sketch:
    """A thing lies in one of a few places. Two people can be asked; one of them names a wrong place, always."""
    places, thing = words.named("place", int(rng.integers(2, 5))), words.one("thing")
    people, n, horizon = words.some("person", 2), len(places), int(rng.integers(2, 4))

    def draw() -> tuple[int, ...]:
        where, off, liar = int(rng.integers(n)), int(rng.integers(1, n)), int(rng.integers(2))
        return where, (where + off) % n, liar

    known = distinct(rng, draw, int(rng.integers(2, 7)))

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        where, false, liar = known[z]
        if state[0] in ("found", "over"):
            return [(1.0, ("over",))]
        if g >= n:
            return [(1.0, ("told", g - n, false if g - n == liar else where))]
        return [(1.0, ("found",) if g == where else ("empty", g))]

    def say(state: State) -> str:
        if state[0] == "told":
            return f"{people[state[1]]} says: in the {places[state[2]]}"
        if state[0] == "empty":
            return f"{places[state[1]]}: nothing"
        return {"found": f"you find the {thing}", "over": "done"}.get(state[0], BEGIN)

    return Sketch(
        "rumour",
        f"the {thing} lies in one place; {people[0]} or {people[1]} lies, always the same one",
        (*(f"search the {place}" for place in places), *(f"ask {person}" for person in people)),
        (f"find the {thing}",),
        tuple(f"in the {places[w]}, {people[liar]} says {places[false]}" for w, false, liar in known),
        flat_or_skewed(rng, len(known)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"you find the {thing}"),
    )


SIGNS: dict[str, Kind] = {"signals": signals, "ripe": ripe, "weigh": weigh, "rumour": rumour}
