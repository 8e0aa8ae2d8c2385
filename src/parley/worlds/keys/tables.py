"""`keys`: a robot on a MiniGrid looks for a red ball; which key opens the grey door, and where the ball is, is hidden.

Latents (9): which of three keys opens the grey door of the vault, and in which room the ball is. The keys are red .5,
green .3, blue .2; the rooms are west room .5, north room .3, vault .2; independent.

Subgoals (8): "pick up the {colour} key", "open the grey door", "go to the west room", "go to the north room". Also "go
to the vault", "go to the red ball". Instructions: "find the red ball", "open the grey door". Horizon 6. Every step
after which the robot stands before the ball, or the door is open, pays 1/horizon. Which of the two pays depends on the
instruction.

Low level: four rooms of 5 x 5 cells and actions turn, walk, pick up, drop, toggle. Each action does nothing with
probability `slip`. Keys lie in corners of the hall, the ball anywhere in its room; all drawn anew for each episode. The
Actor (`worlds/keys/actor.py`) searches shortest ways. Before it takes another key, it puts the one that it holds into a
free corner. If a key does not turn, it tries it three times. It goes to the ball only in the same room.

The planner sees where the robot is, what it holds, and whether the door is open. It sees the ball if it is there,
unless the Reporter misses it (probability `miss`; never where the robot stands before it). With `view=partial` the
Reporter is given MiniGrid's standard observation, the 7 x 7 cells ahead. It says the same of its observations in the
episode.

Tables: 36 states, deterministic for each latent, except for the right key and the Reporter. The right key fails with
probability slip^3. `parley world verify keys` holds them against the grid.

Why: discrete and quick, and two secrets. Each instruction needs another part of them.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.worlds.kit.tabular.rules import Family, tables_of

COLOURS = ("red", "green", "blue")
PLACES = ("hall", "west room", "north room", "vault")
ROOMS = PLACES[1:]  # where the ball may be
BALL = "before the ball"  # a place too
MENU = (
    *(f"pick up the {colour} key" for colour in COLOURS),
    "open the grey door",
    *(f"go to the {room}" for room in ROOMS),
    "go to the red ball",
)
INSTRUCTIONS = ("find the red ball", "open the grey door")
SECRETS = tuple(product(COLOURS, ROOMS))  # latent -> the key that fits, the room of the ball
VIEWS = ("full", "partial")  # what the Reporter is given of the grid
TRIES = 3  # of the Actor, at a door that does not open
PRIOR = np.outer([0.5, 0.3, 0.2], [0.5, 0.3, 0.2]).ravel()


@dataclass(frozen=True)
class Rules:
    """The settings."""

    miss: float = 0.1
    slip: float = 0.1
    horizon: int = 6
    view: str = "full"

    def __post_init__(self) -> None:
        if self.view not in VIEWS:
            raise BadInput(f"keys: view={self.view!r}: expected {' or '.join(VIEWS)}")
        for name in ("miss", "slip"):
            if not 0 <= getattr(self, name) < 1:
                raise BadInput(f"keys: {name}={getattr(self, name)}: expected a probability below 1; try 0.1")
        if self.horizon < 1:
            raise BadInput(f"keys: horizon={self.horizon}: expected at least 1")


@dataclass(frozen=True)
class Spot:
    """A state at a subgoal boundary: a place of `PLACES`, or `BALL`; the colour of the key in hand; the door."""

    place: str
    held: str | None
    open: bool

    def __str__(self) -> str:
        return f"{self.place}, holds {self.held or 'nothing'}, door {'open' if self.open else 'shut'}"


def spots() -> tuple[Spot, ...]:
    """All states, in the order of the tables: nobody is in the vault while its door is shut."""
    every = product((*PLACES, BALL), (None, *COLOURS), (False, True))
    return tuple(Spot(*s) for s in every if s[0] != "vault" or s[2])


def mechanism(secret: tuple[str, str], now: Spot, subgoal: str) -> str:
    """Why a subgoal ends as it does."""
    fits, room = secret
    if subgoal.startswith("pick up"):
        mine = now.held is not None and subgoal == f"pick up the {now.held} key"
        return "it holds that key already" if mine else "it exchanges keys" if now.held else "it picks up a key"
    if subgoal == MENU[3]:
        if now.open:
            return "the door is open already"
        return "the right key opens" if now.held == fits else "without the right key the door stays shut"
    if subgoal == MENU[-1]:
        there = now.place in (room, BALL)
        return "it goes to the ball it is with" if there else "it knows of no ball here"
    return "the shut door keeps it out" if subgoal == "go to the vault" and not now.open else "it walks to a room"


def after(secret: tuple[str, str], now: Spot, subgoal: str) -> Spot:
    """The next state."""
    why = mechanism(secret, now, subgoal)
    if why in ("it picks up a key", "it exchanges keys"):
        return Spot("hall", subgoal.split()[3], now.open)
    if why in ("the right key opens", "without the right key the door stays shut", "the shut door keeps it out"):
        return Spot("hall", now.held, now.open or why == "the right key opens")
    if why == "it goes to the ball it is with":
        return Spot(BALL, now.held, now.open)
    if why == "it walks to a room":
        return Spot(subgoal.removeprefix("go to the "), now.held, now.open)
    return now


def sentence(now: Spot, room: str, sees: bool) -> str:
    """What the Reporter says; `room` is where the ball is, which only shows where the robot stands before it.

    >>> sentence(Spot("hall", "red", False), "vault", False)
    'you are in the hall, the red key in hand, the grey door is shut'
    """
    here = f"you are in the {room if now.place == BALL else now.place}"
    ball = " before the red ball" if now.place == BALL else " and see the red ball" if sees else ""
    hand = f"the {now.held} key in hand" if now.held else "empty-handed"
    return f"{here}{ball}, {hand}, the grey door is {'open' if now.open else 'shut'}"


def rules_tables(rules: Rules) -> Tables:
    """The tables of the subgoal process."""
    states = spots()

    def then(secret: tuple[str, str], now: Spot, subgoal: str) -> dict[Spot, float]:
        fails = rules.slip**TRIES if mechanism(secret, now, subgoal) == "the right key opens" else 0.0
        goal, stays = after(secret, now, subgoal), Spot("hall", now.held, now.open)
        law = {goal if goal in states else now: 1 - fails}
        law[stays] = law.get(stays, 0.0) + fails
        return law

    def says(secret: tuple[str, str], now: Spot) -> dict[str, float]:
        share = 1 - rules.miss if now.place == secret[1] else 0.0
        return {sentence(now, secret[1], True): share, sentence(now, secret[1], False): 1 - share}

    def pays(said: tuple[str, ...]) -> np.ndarray:
        return np.array([["before the red ball" in words, words.endswith("open")] for words in said]) / rules.horizon

    return tables_of(
        Family(states, SECRETS, Spot("hall", None, False), then, says, pays),
        (MENU,),
        name="keys",
        horizon=rules.horizon,
        latents=tuple(f"the {key} key fits, ball in the {room}" for key, room in SECRETS),
        instructions=INSTRUCTIONS,
        prior=PRIOR,
        doc=__doc__ or "",
    )
