"""Kinds of generated worlds that are trained on; `held_out` has those that are not.

`find`: things lie in places. `route`: one way is safe, others are better where they are open, which is rare: a trap.
`levers`: each lever does something. `machines`: each pays at its own rate, one may pay a known wage. `order`: two acts
in the right order. `rooms`: a map of rooms some of whose doors are barred.
"""

from collections.abc import Callable

import numpy as np

from parley.worlds.generated.family import START, Sketch, State, distinct, flat_or_skewed
from parley.worlds.generated.words import Words

BEGIN = "ready"  # heard before anything has happened
Kind = Callable[[np.random.Generator, Words], Sketch]


def find(rng: np.random.Generator, words: Words) -> Sketch:
    """Things lie in places, and are found by going there; in some families a place may be too dark to see."""
    places, things = words.named("place", int(rng.integers(3, 7))), words.some("thing", int(rng.integers(1, 4)))
    lies = distinct(rng, lambda: tuple(rng.integers(len(places), size=len(things))), int(rng.integers(2, 7)))
    dark, horizon = float(rng.choice([0, 0, 0.1, 0.2])), int(rng.integers(1, 3))
    go, nothing = (
        words.form("{}", "{}", "{}", "to the {}"),
        words.form("nothing", "empty", "nothing here"),
    )
    tell = words.form("{what}", "{place}: {what}")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        seen: tuple[int, ...] = state[2] if state != START else ()
        if g in seen:
            return [(1.0, (g, "again", seen))]
        found = tuple(things[i] for i, place in enumerate(lies[z]) if place == g)
        after = tuple(sorted((*seen, g)))
        return [(1 - dark, (g, found, after))] + ([(dark, (g, "dark", seen))] if dark else [])

    def say(state: State) -> str:
        if state == START:
            return BEGIN
        place, what, _ = state
        told = what if isinstance(what, str) else " and ".join(what) or nothing
        return tell.format(place=places[place], what=told)

    def pay(sentence: str, w: int) -> float:
        return float(things[w] in sentence.split(": ")[-1].split(" and "))

    latents = tuple(", ".join(f"{t} in {places[p]}" for t, p in zip(things, lie, strict=True)) for lie in lies)
    ask = words.form("find the {}", "fetch the {}", "{}")
    return Sketch(
        "find",
        "each thing lies in one place, always the same",
        tuple(go.format(place) for place in places),
        tuple(ask.format(thing) for thing in things),
        latents,
        flat_or_skewed(rng, len(lies)),
        horizon,
        step,
        say,
        pay,
    )


def route(rng: np.random.Generator, words: Words) -> Sketch:
    """One way always leads there; each of the others may be open, mostly none is: who never tries one never knows."""
    ways = words.named("place", int(rng.integers(2, 6)))
    safe, horizon = int(rng.integers(len(ways))), int(rng.integers(1, 3))
    better = [way for way in range(len(ways)) if way != safe]
    wage, jam = round(float(rng.uniform(0.4, 0.8)), 2), float(rng.choice([0, 0.2]))
    none = float(rng.uniform(0.4, 0.95))
    prior = np.array([none, *(1 - none) * rng.dirichlet(np.full(len(better), 3.0))])
    shut, there = words.form("shut", "closed", "no way"), words.one("place")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        if state[0] == "there":
            return [(1.0, ("there", -1))]
        late = state != START
        if g == safe:
            return [(1.0, ("there", 1 if late else 0))]
        opens = z > 0 and better[z - 1] == g
        if not opens:
            return [(1.0, ("shut", g))]
        return [(1 - jam, ("there", 0.5 if late else 2))] + ([(jam, ("shut", g))] if jam else [])

    said = {-1: "done", 0: there, 1: f"{there} late", 2: f"{there} early", 0.5: f"{there} at last"}
    worth = {said[0]: wage, said[1]: wage / 2, said[2]: 1.0, said[0.5]: 0.8}

    def say(state: State) -> str:
        if state == START:
            return BEGIN
        how, which = state
        return said[which] if how == "there" else shut

    go = words.form("{}", "{}", "{}", "take the {}")
    return Sketch(
        "route",
        f"the {ways[safe]} always leads there; others are faster if open",
        tuple(go.format(way) for way in ways),
        (words.form("go to the {}", "{}").format(there),),
        ("none is open", *(f"{ways[way]} is open" for way in better)),
        prior,
        horizon,
        step,
        say,
        lambda sentence, w: worth.get(sentence, 0.0),
    )


def levers(rng: np.random.Generator, words: Words) -> Sketch:
    """Each lever does one of a few things, in some families not always; the task is the thing to be done."""
    pulls, results = words.named("thing", int(rng.integers(3, 7))), words.some("quality", int(rng.integers(2, 5)))
    does = distinct(rng, lambda: tuple(rng.integers(len(results), size=len(pulls))), int(rng.integers(2, 7)))
    fails, horizon = float(rng.choice([0, 0, 0.1, 0.25])), int(rng.integers(1, 3))
    tell = words.form("{}", "{} light", "it turns {}")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        return [(1 - fails, ("now", does[z][g]))] + ([(fails, ("now", -1))] if fails else [])

    def say(state: State) -> str:
        return BEGIN if state == START else tell.format(results[state[1]]) if state[1] >= 0 else "nothing"

    press = words.form("{}", "{}", "{}", "press {}")
    return Sketch(
        "levers",
        "each does one thing, always the same",
        tuple(press.format(pull) for pull in pulls),
        tuple(words.form("make it {}", "{}").format(result) for result in results),
        tuple("/".join(results[i] for i in done) for done in does),
        flat_or_skewed(rng, len(does)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == tell.format(results[w])) / horizon,
    )


def machines(rng: np.random.Generator, words: Words) -> Sketch:
    """Each machine pays at a rate of its own, one best; in some families one more pays a known wage: a trap."""
    names = words.named("thing", int(rng.integers(2, 6)))
    safe = int(rng.integers(len(names))) if rng.random() < 0.5 and len(names) > 2 else -1
    risky = [i for i in range(len(names)) if i != safe]
    high, low = round(float(rng.uniform(0.7, 0.95)), 2), round(float(rng.uniform(0.05, 0.35)), 2)
    wage, horizon = round(float(rng.uniform(0.4, 0.65)), 2), int(rng.integers(1, 3))
    prize = words.form("win", "earn", words.one("thing"))
    won, lost, paid = words.form("{}", "you {}").format(prize), words.form("nothing", "you lose"), "a wage"

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        if g == safe:
            return [(1.0, (paid,))]
        rate = high if risky[z] == g else low
        return [(rate, (won,)), (1 - rate, (lost,))]

    worth = {won: 1 / horizon, paid: wage / horizon}
    use = words.form("{}", "{}", "{}", "try {}")
    rules = f"one wins most often; the {names[safe]} pays a wage" if safe >= 0 else "one wins most often"
    return Sketch(
        "machines",
        rules,
        tuple(use.format(name) for name in names),
        (prize,),
        tuple(f"{names[i]} wins most often" for i in risky),
        flat_or_skewed(rng, len(risky)),
        horizon,
        step,
        lambda state: BEGIN if state == START else str(state[0]),
        lambda sentence, w: worth.get(sentence, 0.0),
    )


def order(rng: np.random.Generator, words: Words) -> Sketch:
    """Two acts in the right order open it; after the first one there is a sign."""
    acts = words.named("thing", int(rng.integers(3, 6)))
    pairs = distinct(rng, lambda: tuple(rng.choice(len(acts), 2, replace=False)), int(rng.integers(2, 7)))
    horizon = int(rng.integers(2, 4))
    sign, nothing, box = words.form("a click", "it hums"), "nothing", words.one("thing")
    opens = words.form("{} open", "the {} opens").format(box)

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        if state in ((opens,), ("done",)):
            return [(1.0, ("done",))]
        first, second = pairs[z]
        after = opens if state == (sign,) and g == second else sign if g == first else nothing
        return [(1.0, (after,))]

    touch = words.form("{}", "{}", "{}", "turn {}")
    return Sketch(
        "order",
        f"first one, then another; {sign} after the first",
        tuple(touch.format(act) for act in acts),
        (f"open the {box}",),
        tuple(f"{acts[a]}, then {acts[b]}" for a, b in pairs),
        flat_or_skewed(rng, len(pairs)),
        horizon,
        step,
        lambda state: BEGIN if state == START else str(state[0]),
        lambda sentence, w: float(sentence == opens),
    )


def rooms(rng: np.random.Generator, words: Words) -> Sketch:
    """A map of rooms; one or two of its doors are barred. Being in the room that was asked for pays at each step."""
    names = words.some("place", int(rng.integers(4, 7)))
    n, horizon = len(names), int(rng.integers(2, 4))
    doors = {(int(rng.integers(i)), i) for i in range(1, n)}
    more = [sorted(map(int, rng.choice(n, 2, replace=False))) for _ in range(n - 2)]
    doors |= {(a, b) for a, b in more}
    ways = sorted(doors)
    barred = distinct(
        rng,
        lambda: tuple(sorted(map(int, rng.choice(len(ways), int(rng.integers(1, 3)), replace=False)))),
        int(rng.integers(2, 6)),
    )
    goals = [int(i) for i in rng.choice(np.arange(1, n), int(rng.integers(1, 4)), replace=False)]

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        at = state[1] if state != START else 0
        door = (min(at, g), max(at, g))
        if at == g:
            return [(1.0, ("in", at))]
        if door not in doors:
            return [(1.0, ("wall", at))]
        return [(1.0, ("barred", at, g) if ways.index(door) in barred[z] else ("in", g))]

    def say(state: State) -> str:
        how, *where = state if state != START else ("in", 0)
        told = {"in": "", "wall": ", no way", "barred": ", barred"}[how]
        return f"in {names[where[0]]}{told}"

    go = words.form("{}", "{}", "{}", "to the {}")
    return Sketch(
        "rooms",
        "doors: " + ", ".join(f"{names[a]} - {names[b]}" for a, b in ways) + "; some are barred",
        tuple(go.format(name) for name in names),
        tuple(words.form("be in the {}", "{}").format(names[goal]) for goal in goals),
        tuple("barred: " + ", ".join("{} - {}".format(*(names[r] for r in ways[i])) for i in bars) for bars in barred),
        flat_or_skewed(rng, len(barred)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"in {names[goals[w]]}") / horizon,
    )


TRAINED: dict[str, Kind] = {
    "find": find,
    "route": route,
    "levers": levers,
    "machines": machines,
    "order": order,
    "rooms": rooms,
}
