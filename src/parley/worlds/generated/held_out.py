"""Kinds of generated worlds that are never trained on, so that a planner meets what it has never seen.

`lock`: keys have to be fetched before a box opens. `ask`: somebody who is asked tells where the thing is.
"""

import numpy as np

from parley.worlds.generated.family import START, Sketch, State, distinct, flat_or_skewed
from parley.worlds.generated.kinds import BEGIN, Kind
from parley.worlds.generated.words import Words


def lock(rng: np.random.Generator, words: Words) -> Sketch:
    """Held out. Keys have to be taken before a box is tried; which key fits which box is hidden."""
    keys = [f"{quality} key" for quality in words.some("quality", int(rng.integers(2, 5)))]
    boxes, horizon = words.some("thing", int(rng.integers(1, 3))), int(rng.choice([2, 4]))
    fits = distinct(rng, lambda: tuple(rng.integers(len(keys), size=len(boxes))), int(rng.integers(2, 7)))

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        held, opened = (state[0], state[1]) if state != START else (-1, ())
        if g < len(keys):
            return [(1.0, (g, opened, "took"))]
        box = g - len(keys)
        if box in opened or held < 0:
            return [(1.0, (held, opened, "nothing"))]
        if fits[z][box] == held:
            return [(1.0, (held, (*opened, box), f"the {boxes[box]} opens"))]
        return [(1.0, (held, opened, f"the {boxes[box]} stays shut"))]

    def say(state: State) -> str:
        if state == START:
            return BEGIN
        held, _, what = state
        return f"you hold the {keys[held]}" if what == "took" else str(what)

    return Sketch(
        "lock",
        "each box opens with one key, always the same",
        (*(f"take the {key}" for key in keys), *(f"open the {box}" for box in boxes)),
        tuple(f"open the {box}" for box in boxes),
        tuple(", ".join(f"{keys[k]} for {b}" for k, b in zip(fit, boxes, strict=True)) for fit in fits),
        flat_or_skewed(rng, len(fits)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"the {boxes[w]} opens"),
    )


def ask(rng: np.random.Generator, words: Words) -> Sketch:
    """Held out. Somebody who is asked tells where the thing is, at the cost of a step."""
    places, person, thing = words.named("place", int(rng.integers(3, 6))), words.one("person"), words.one("thing")
    horizon = int(rng.integers(1, 3))
    where = distinct(rng, lambda: (int(rng.integers(len(places))),), int(rng.integers(2, len(places) + 1)))
    asks = int(rng.integers(len(places) + 1))
    menu = [f"to the {place}" for place in places]
    menu.insert(asks, f"ask {person}")

    def step(z: int, state: State, g: int) -> list[tuple[float, State]]:
        if state[0] in ("found", "done"):
            return [(1.0, ("done",))]
        if g == asks:
            return [(1.0, ("told", where[z][0]))]
        return [(1.0, ("found",) if g - (g > asks) == where[z][0] else ("nothing",))]

    def say(state: State) -> str:
        if state == START:
            return BEGIN
        if state[0] == "told":
            return f"{person}: in the {places[state[1]]}"
        return {"found": f"you find the {thing}", "done": "done", "nothing": "nothing here"}[state[0]]

    return Sketch(
        "ask",
        f"the {thing} lies in one place; {person} knows",
        tuple(menu),
        (f"find the {thing}",),
        tuple(f"in the {places[place]}" for (place,) in where),
        flat_or_skewed(rng, len(where)),
        horizon,
        step,
        say,
        lambda sentence, w: float(sentence == f"you find the {thing}"),
    )


HELD_OUT: dict[str, Kind] = {"lock": lock, "ask": ask}
