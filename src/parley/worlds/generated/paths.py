"""Kinds of generated worlds in which one gets somewhere, or catches what moves.

`ladder`: the right way at each level. `signpost`: a sign that costs a step narrows it down. `drift`: the thing sought
moves on at each step. `patrol`: a guard goes round, and can be watched.
"""

import numpy as np

from parley.worlds.generated.family import START, Sketch, State, distinct, flat_or_skewed
from parley.worlds.generated.kinds import BEGIN, Kind
from parley.worlds.generated.words import Words


def ladder(rng: np.random.Generator, words: Words) -> Sketch:
    """Levels one after the other; at each, one way leads up. In some families a wrong one leads down again."""
    ways, levels = words.some("quality", int(rng.integers(2, 4))), int(rng.integers(2, 5))
    codes = distinct(rng, lambda: tuple(rng.integers(len(ways), size=levels)), int(rng.integers(2, 7)))
    horizon, falls, top = min(6, levels + int(rng.integers(1, 3))), bool(rng.random() < 0.5), words.one("place")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        level = 0 if state == START else state[0]
        if level == levels:
            return [(1.0, (level, "over"))]
        if codes[z][level] == g:
            return [(1.0, (level + 1, "up"))]
        return [(1.0, (0 if falls else level, "wrong"))]

    def say(state: State) -> str:
        level, how = state if state != START else (0, "up")
        if level == levels:
            return f"you reach the {top}" if how == "up" else "done"
        return f"level {level + 1}" if how == "up" else f"wrong, level {level + 1}"

    down = "a wrong door leads back to level 1" if falls else "a wrong door leads nowhere"
    return Sketch(
        "ladder",
        f"{levels} levels, at each one door leads up, always the same; {down}",
        tuple(f"take the {way} door" for way in ways),
        (f"reach the {top}",),
        tuple(", ".join(ways[i] for i in code) for code in codes),
        flat_or_skewed(rng, len(codes)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"you reach the {top}"),
    )


def signpost(rng: np.random.Generator, words: Words) -> Sketch:
    """One way is open; a sign, which costs a step to read, names two ways, and the open one is among them."""
    ways, goal = words.named("place", int(rng.integers(3, 6))), words.one("place")
    n, horizon, sign = len(ways), int(rng.integers(2, 4)), words.form("sign", "map", "note")
    opens = distinct(rng, lambda: tuple(rng.choice(n, 2, replace=False)), int(rng.integers(2, 7)))
    reads = int(rng.integers(n + 1))
    menu = [f"by the {way}" for way in ways]
    menu.insert(reads, f"read the {sign}")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        if state[0] in ("there", "over"):
            return [(1.0, ("over",))]
        if g == reads:
            return [(1.0, ("read", *sorted(opens[z])))]
        return [(1.0, ("there",) if g - (g > reads) == opens[z][0] else ("shut", g - (g > reads)))]

    def say(state: State) -> str:
        if state[0] == "read":
            return f"the {sign} says: the {ways[state[1]]} or the {ways[state[2]]}"
        if state[0] == "shut":
            return f"the {ways[state[1]]} is shut"
        return {"there": f"you reach the {goal}", "over": "done"}.get(state[0], BEGIN)

    return Sketch(
        "signpost",
        f"one way to the {goal} is open, always the same; the {sign} names two",
        tuple(menu),
        (f"go to the {goal}",),
        tuple(f"by the {ways[a]}, the {sign} names the {ways[b]} too" for a, b in opens),
        flat_or_skewed(rng, len(opens)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"you reach the {goal}"),
    )


def drift(rng: np.random.Generator, words: Words) -> Sketch:
    """The thing sought begins in one place and moves on by so many places at each step, always in the same way."""
    places, prey, horizon = words.named("place", int(rng.integers(3, 6))), words.one("thing"), int(rng.integers(2, 5))
    n = len(places)
    moves = distinct(rng, lambda: (int(rng.integers(n)), int(rng.integers(n - 1))), int(rng.integers(2, 7)))
    track, none = words.form("tracks", "a trace", "fresh marks"), words.form("nothing", "no trace")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        time = 0 if state == START else state[0]
        if state != START and state[1] in ("caught", "over"):
            return [(1.0, (time, "over", -1))]
        begins, stride = moves[z]
        where = (begins + stride * time) % n
        if where == g:
            return [(1.0, (time + 1, "caught", -1))]
        left = time > 0 and stride and (where - stride) % n == g  # it has just been there
        return [(1.0, (time + 1, "left" if left else "nothing", g))]

    def say(state: State) -> str:
        if state == START:
            return BEGIN
        _, what, g = state
        told = {"caught": f"you have the {prey}", "over": "done"}
        return told.get(what) or f"{places[g]}: {track if what == 'left' else none}"

    return Sketch(
        "drift",
        f"the {prey} moves on at each step, always in the same way: " + ", ".join(places),
        tuple(f"to the {place}" for place in places),
        (f"get the {prey}",),
        tuple(f"begins at {places[begins]}, moves on by {stride}" for begins, stride in moves),
        flat_or_skewed(rng, len(moves)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"you have the {prey}"),
    )


def patrol(rng: np.random.Generator, words: Words) -> Sketch:
    """A guard stands at another gate at each step, in an order that is hidden; watching shows where, and costs one."""
    gates, guard = words.named("place", int(rng.integers(2, 4))), words.one("person")
    n, horizon = len(gates), int(rng.integers(2, 4))
    rounds = distinct(rng, lambda: tuple(rng.integers(n, size=horizon)), int(rng.integers(2, 7)))
    cost = round(float(rng.uniform(0.1, 0.3)), 2)
    watch = words.form("watch", "wait and watch", "look out")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        time = 0 if state == START else state[0]
        if state != START and state[1] in ("in", "late", "caught", "over"):
            return [(1.0, (time, "over", -1))]
        where = rounds[z][min(time, horizon - 1)]
        if g == n:
            return [(1.0, (time + 1, "seen", where))]
        if g == where:
            return [(1.0, (time + 1, "caught", -1))]
        return [(1.0, (time + 1, "late" if time else "in", -1))]

    def say(state: State) -> str:
        if state == START:
            return BEGIN
        told = {"caught": f"{guard} stops you", "over": "done", "in": "you are in", "late": "you are in, late"}
        return told.get(state[1]) or f"{guard} stands at the {gates[state[2]]}"

    worth = {"you are in": 1.0, "you are in, late": 1 - cost}
    return Sketch(
        "patrol",
        f"{guard} goes from gate to gate, always in the same order",
        (*(f"through the {gate}" for gate in gates), watch),
        ("get in",),
        tuple(", ".join(gates[i] for i in order) for order in rounds),
        flat_or_skewed(rng, len(rounds)),
        horizon,
        step,
        say,
        lambda sentence, w: worth.get(sentence, 0.0),
    )


PATHS: dict[str, Kind] = {"ladder": ladder, "signpost": signpost, "drift": drift, "patrol": patrol}
