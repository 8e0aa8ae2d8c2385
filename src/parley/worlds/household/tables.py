"""`household`: a robot in a small house fetches things that are kept in places it has to find out.

Latents (9): where the mug and where the book is kept, each in the cupboard, the drawer or on the shelf. They are
independent, the mug .5 / .3 / .2 and the book .2 / .3 / .5. Subgoals (6): "look in the cupboard", "look in the drawer",
"look on the shelf", "take the mug", "take the book", "bring it to the sofa". Instructions: "bring me the mug", "bring
me the book". Horizon 4: look, look, take, bring leaves time for one wrong guess, if nothing else goes wrong. Handing
over the thing that was asked for pays 1, once; the episode goes on to its horizon. The next one finds everything in its
place again.

Low level: a grid of 30 cells in three rooms, walls, and floors that slip (`slip` to either side). A subgoal is given at
most `max_actions` low-level actions. They walk the shortest way (value iteration), or grip, with probability `grip` of
success an attempt. An Actor that would run out of actions spends its last one on being carried back to the dock, with
its load. So at subgoal boundaries it is at one of five places. A thing that is not within reach (or a full hand) is
noticed at the first attempt to grip it. "bring it to the sofa" with empty hands is a walk to the sofa.

The planner sees a sentence of the Reporter: where the robot is, what it holds, and what it sees there. Each thing that
lies there is missed with probability `miss`. A handing over has a sentence of its own.

Tables: exact. The 40 states are place x status of the two things (in its place, in the hand, handed over), and "just
handed over". Their probabilities are matrix powers of the low-level chain under the Actor's policy. Nothing is floored:
impossible events have probability 0.

Why: looking pays nothing and is the only way to know. Knowledge from one episode is worth a step in all later ones,
whichever thing is asked for. The world reveals itself to a planner that does its tasks, so exploration is mostly waste.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.worlds.household.grid import Grid
from parley.worlds.kit.tabular.rules import Family, tables_of

ROWS = (
    "###########",
    "#C..#D..#S#",
    "#...#...#.#",
    "#.........#",
    "#..H#...#F#",
    "###########",
)
PLACES = ("cupboard", "drawer", "shelf")  # where things are kept; then come the sofa and the dock
SOFA, DOCK = 3, 4
LETTERS = "CDSFH"
THINGS = ("mug", "book")
KEPT, HELD, GONE = range(3)  # the status of a thing
PRIOR = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])  # thing x place
WHERE = ("at the cupboard", "at the drawer", "at the shelf", "at the sofa", "at the dock")
MENU = (
    "look in the cupboard",
    "look in the drawer",
    "look on the shelf",
    *(f"take the {thing}" for thing in THINGS),
    "bring it to the sofa",
)
INSTRUCTIONS = tuple(f"bring me the {thing}" for thing in THINGS)
HOMES = tuple((mug, book) for mug in range(len(PLACES)) for book in range(len(PLACES)))  # latent -> place of each
LATENTS = tuple(",".join(f"{t}@{PLACES[p]}" for t, p in zip(THINGS, homes, strict=True)) for homes in HOMES)


class Standing(NamedTuple):
    """A state at a subgoal boundary; `handed` is the thing handed over in the step just taken."""

    place: int
    things: tuple[int, int]
    handed: int | None = None

    @property
    def held(self) -> int | None:
        """The thing in the hand."""
        return self.things.index(HELD) if HELD in self.things else None

    def __str__(self) -> str:
        if self.handed is not None:
            return f"just handed over the {THINGS[self.handed]}, {self._status()}"
        return f"{WHERE[self.place]}, {self._status()}"

    def _status(self) -> str:
        words = ("kept", "held", "gone")
        return ", ".join(f"{thing} {words[status]}" for thing, status in zip(THINGS, self.things, strict=True))


@dataclass(frozen=True)
class House:
    """The settings of a household, and its grid."""

    miss: float = 0.2
    slip: float = 0.1
    grip: float = 0.2
    horizon: int = 4
    max_actions: int = 15

    def __post_init__(self) -> None:
        for name, value, top in (("miss", self.miss, 1.0), ("slip", self.slip, 0.5), ("grip", 1 - self.grip, 1.0)):
            if not 0 <= value < top:
                raise BadInput(
                    f"household: {name}={getattr(self, name)} is no usable probability; try {getattr(House, name)}"
                )
        for name, least in (("horizon", 1), ("max_actions", 2)):
            if getattr(self, name) < least:
                raise BadInput(f"household: {name}={getattr(self, name)} is too small: use at least {least}")

    @cached_property
    def grid(self) -> Grid:
        return Grid(ROWS, self.slip)

    @cached_property
    def cells(self) -> tuple[int, ...]:
        """The cells of the places, then of the sofa and of the dock."""
        return tuple(self.grid.places[letter] for letter in LETTERS)

    @cached_property
    def ways(self) -> tuple[np.ndarray, ...]:
        """For each goal (the places, then the sofa) the Actor's heading in every cell."""
        return tuple(self.grid.way(cell) for cell in self.cells[: SOFA + 1])

    @cached_property
    def arrival(self) -> np.ndarray:
        """P(reach goal j in time) from place i, shape (5, 4); the last action is kept for being carried back."""
        rows = list(self.cells)
        return np.stack(
            [self.grid.arrival(goal, self.max_actions - 1)[rows] for goal in self.cells[: SOFA + 1]], axis=1
        )

    def after(self, homes: tuple[int, int], now: Standing, subgoal: int) -> dict[Standing, float]:
        """P_z(s' given s, g), as {s': probability}, for things kept at `homes`."""
        if subgoal < len(PLACES) or subgoal == len(MENU) - 1:
            goal = min(subgoal, SOFA)
            there, things, handed = float(self.arrival[now.place, goal]), now.things, None
            if goal == SOFA and now.held is not None:
                handed = now.held
                things = _put(things, handed, GONE)
            return _mixture(there, Standing(goal, things, handed), Standing(DOCK, now.things))
        thing = subgoal - len(PLACES)
        if now.held is None and now.things[thing] == KEPT and homes[thing] == now.place:
            gripped = 1 - (1 - self.grip) ** (self.max_actions - 1)
            return _mixture(gripped, Standing(now.place, _put(now.things, thing, HELD)), Standing(DOCK, now.things))
        return {Standing(now.place, now.things): 1.0}

    def sentences(self, homes: tuple[int, int], now: Standing) -> dict[str, float]:
        """E(o given s), as {sentence: probability}, for things kept at `homes`."""
        if now.handed is not None:
            return {handing_over(now.handed): 1.0}
        present = [i for i, status in enumerate(now.things) if status == KEPT and homes[i] == now.place]
        law: dict[str, float] = {}
        for seen in product((True, False), repeat=len(present)):
            p = float(np.prod([1 - self.miss if s else self.miss for s in seen]))
            said = sentence(now.place, now.held, [i for i, s in zip(present, seen, strict=True) if s])
            law[said] = law.get(said, 0.0) + p
        return law


def sentence(place: int, held: int | None, seen: list[int]) -> str:
    """What the Reporter says of a robot at `place` that holds `held` and sees the things `seen`.

    >>> sentence(0, None, [0, 1])
    'at the cupboard, empty hand, you see the mug and the book'
    """
    hand = "empty hand" if held is None else f"the {THINGS[held]} in hand"
    if place >= len(PLACES):
        return f"{WHERE[place]}, {hand}"
    return f"{WHERE[place]}, {hand}, you see {' and '.join(f'the {THINGS[i]}' for i in seen) or 'nothing'}"


def handing_over(thing: int) -> str:
    """What the Reporter says, once, when `thing` is handed over."""
    return f"you hand over the {THINGS[thing]}"


@lru_cache(maxsize=8)
def house_tables(house: House) -> Tables:
    """The tables of the subgoal process of `house`."""

    def pays(said: tuple[str, ...]) -> np.ndarray:
        return np.array([[words == handing_over(thing) for thing in range(len(THINGS))] for words in said], dtype=float)

    def after(homes: tuple[int, int], now: Standing, subgoal: str) -> dict[Standing, float]:
        return house.after(homes, now, MENU.index(subgoal))

    return tables_of(
        Family(standings(), HOMES, Standing(DOCK, (KEPT, KEPT)), after, house.sentences, pays),
        (MENU,),
        observations=_all_sentences(),
        name="household",
        horizon=house.horizon,
        latents=LATENTS,
        instructions=INSTRUCTIONS,
        prior=np.outer(*PRIOR).ravel(),
        doc=__doc__ or "",
    )


def standings() -> tuple[Standing, ...]:
    """The states that occur at subgoal boundaries (nobody stands at the sofa with a full hand)."""
    combinations = [(mug, book) for mug in range(3) for book in range(3) if (mug, book) != (HELD, HELD)]
    standing = [
        Standing(place, things)
        for place in (DOCK, *range(len(PLACES)), SOFA)
        for things in combinations
        if place != SOFA or HELD not in things
    ]
    handing = [Standing(SOFA, t, i) for i in range(2) for t in combinations if t[i] == GONE and HELD not in t]
    return (*standing, *handing)


def _all_sentences() -> tuple[str, ...]:
    said = {
        sentence(place, held, []): None
        for place in (DOCK, SOFA)
        for held in (None, 0, 1)
        if place == DOCK or held is None
    }
    for place, held in product(range(len(PLACES)), (None, 0, 1)):
        visible = [i for i in range(2) if i != held]
        for seen in product((False, True), repeat=len(visible)):
            said[sentence(place, held, [i for i, s in zip(visible, seen, strict=True) if s])] = None
    return (*said, *map(handing_over, range(len(THINGS))))


def _put(things: tuple[int, int], thing: int, status: int) -> tuple[int, int]:
    return (status, things[1]) if thing == 0 else (things[0], status)


def _mixture(p: float, success: Standing, failure: Standing) -> dict[Standing, float]:
    return {success: 1.0} if success == failure else {success: p, failure: 1 - p}
