"""`team`: K Actors before two doors; who can do what is hidden, and mostly nobody can do it (theory.md 7).

Latents (2 (K + 1)): which door takes two Actors at once, and who can lift. The other door takes one Actor only, whom a
second would block (.5 each). Nobody can lift (prior 1 - `able`), or two can (`able` / K each). Then Actor a can lift
the chest behind the left door and the next Actor the lamp behind the right one.

Subgoals of each Actor: "work in the field", "push the left door", "push the right door", "go in and lift". Two Actors
may not go in at once. Instructions: "bring out the chest", "bring out the lamp". Horizon 2. All Actors at work bring in
the harvest (pays .25). As many Actors at a door as it takes open it. An able Actor behind an open one brings out the
thing there (pays 1, if the instruction asks for it). Both fail with probability `slip`.

The planner sees what happened, and Actors 1 and 2 report their doors, the left one and the right one. Communication may
be limited: `late=A` has Actor A's report come a step late, `mute=A` never (`late=1+2`: both).

Why: under the prior working is the better guess, and says nothing about who could do more. To find out, several Actors
have to do the right thing at once: exploring each for itself hardly ever does.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Int

from parley.core.errors import BadInput
from parley.core.factored import FORBIDDEN, Factored, possible
from parley.core.tables import Tables

WORK, LEFT, RIGHT, LIFT = range(4)
MENU = ("work in the field", "push the left door", "push the right door", "go in and lift")
INSTRUCTIONS = ("bring out the chest", "bring out the lamp")
NOTHING, HARVEST, CHEST, LAMP, UNMOVED = range(5)  # what a step may lead to
EVENTS = (
    *("nothing has happened", "the harvest is in", "the chest has been brought out", "the lamp has been brought out"),
    "what was to be lifted does not move",
)
PAY = np.array([[0.0, 0.0], [0.25, 0.25], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
DOORS = tuple(product((False, True), repeat=2))  # whether the left one is open, and the right one
NOBODY, FOR_NOTHING, FOR_CHEST, FOR_LAMP = range(4)  # who has gone in to lift
STATUSES = tuple(product(range(3), range(3), range(4)))  # Actors at the left door (2 and more are alike), right, inside


@dataclass(frozen=True)
class Crew:
    """The settings; `late` and `mute` are Actors, counted from 1."""

    actors: int = 2
    able: float = 0.2
    slip: float = 0.1
    late: tuple[int, ...] = ()
    mute: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 2 <= self.actors:
            raise BadInput(f"actors={self.actors}: world 'team' is for 2 to 4 Actors")
        if not 0 < self.able < 1 or not 0 <= self.slip < 1:
            raise BadInput(f"able={self.able}, slip={self.slip}: expected probabilities, able above 0, both below 1")
        if both := set(self.late) & set(self.mute):
            raise BadInput(f"Actor {min(both)} is both late and mute: expected one of them")

    @property
    def latents(self) -> tuple[tuple[int, int | None], ...]:
        """The door that takes two Actors, and the Actor who can lift the chest."""
        return tuple(product((LEFT, RIGHT), (None, *range(self.actors))))


def team(actors: int = 2, able: float = 0.2, slip: float = 0.1, late: str = "", mute: str = "") -> Tables:
    """K Actors (actors=2) before two doors: who can do what, and what takes two at once, is hidden.

    The family with `actors` Actors; see the module's docstring for what the settings mean.
    """
    if actors > 4:
        raise BadInput(f"actors={actors}: world 'team' is for 2 to 4 Actors")
    return factored_team(Crew(actors, able, slip, _reporting("late", late), _reporting("mute", mute))).tables()


def _reporting(name: str, said: str) -> tuple[int, ...]:
    """The Actors of "1", "2" or "1+2"."""
    if said not in ("", "1", "2", "1+2"):
        raise BadInput(f"{name}={said!r}: expected 1, 2 or 1+2, the Actors that report, or nothing for none")
    return tuple(map(int, filter(None, said.split("+"))))


def factored_team(crew: Crew) -> Factored:
    """The same without the product of the menus, for any number of Actors."""
    fold = _fold(crew)
    return Factored(_summary(crew, possible(fold)), (MENU,) * crew.actors, fold)


def _fold(crew: Crew) -> Int[np.ndarray, "Z K C M"]:
    number = {status: c for c, status in enumerate(STATUSES)}
    fold = np.empty((len(crew.latents), crew.actors, len(STATUSES), len(MENU)), dtype=np.intp)
    for (z, (_, strong)), k, (c, (left, right, inside)) in product(
        enumerate(crew.latents), range(crew.actors), enumerate(STATUSES)
    ):
        if strong is None or k not in (strong, (strong + 1) % crew.actors):
            lifter = FOR_NOTHING
        else:
            lifter = FOR_CHEST if k == strong else FOR_LAMP
        fold[z, k, c, WORK] = c
        fold[z, k, c, LEFT] = number[min(left + 1, 2), right, inside]
        fold[z, k, c, RIGHT] = number[left, min(right + 1, 2), inside]
        fold[z, k, c, LIFT] = FORBIDDEN if inside else number[left, right, lifter]
    return fold


State = tuple[int, int, int]  # an event, the doors now and before


def _moves(crew: Crew, heavy: int, state: State, status: tuple[int, int, int]) -> dict[tuple[int, int], float]:
    """What a step leads to, (event, doors) and its probability, when the Actors have come to `status`."""
    _, now, _ = state
    left, right, inside = status
    if status == (0, 0, NOBODY):
        return {(HARVEST, now): 1.0}
    open_left, open_right = DOORS[now]
    if inside and (open_left or open_right):
        if (inside == FOR_CHEST and open_left) or (inside == FOR_LAMP and open_right):
            out = CHEST if inside == FOR_CHEST else LAMP
            return {(out, now): 1 - crew.slip, (UNMOVED, now): crew.slip}
        return {(UNMOVED, now): 1.0}
    moved_left, moved_right = (n > 1 if heavy == door else n == 1 for door, n in ((LEFT, left), (RIGHT, right)))
    pushed = DOORS.index((open_left or moved_left, open_right or moved_right))
    if pushed == now:
        return {(NOTHING, now): 1.0}
    return {(NOTHING, pushed): 1 - crew.slip, (NOTHING, now): crew.slip}


def _summary(crew: Crew, reached: np.ndarray) -> Tables:
    """The tables of one Actor that is told statuses; what a latent cannot come to is like its first one."""
    before = range(len(DOORS)) if crew.late else range(1)  # remembered only where a report needs it
    states = tuple(product(range(len(EVENTS)), range(len(DOORS)), before))
    row = {state: s for s, state in enumerate(states)}
    said: dict[str, int] = {}
    heard = np.array([said.setdefault(_sentence(crew, state), len(said)) for state in states])
    transition = np.zeros((len(crew.latents), len(states), len(STATUSES), len(states)))
    for (z, (heavy, _)), state, (c, status) in product(enumerate(crew.latents), states, enumerate(STATUSES)):
        moves = _moves(crew, heavy, state, status if reached[z, c] else STATUSES[0])
        for (event, doors), p in moves.items():
            transition[z, row[state], c, row[event, doors, state[1] if crew.late else 0]] += p
    num = len(crew.latents)
    initial = np.zeros((num, len(states)))
    initial[:, row[NOTHING, 0, 0]] = 1
    events = {_sentence(crew, state): state[0] for state in states}
    return Tables(
        name="team",
        horizon=2,
        states=tuple(f"{EVENTS[e]}, doors {DOORS[now]}, before {DOORS[then]}" for e, now, then in states),
        observations=tuple(said),
        menus=(tuple(map(str, STATUSES)),),
        latents=tuple(_latent(crew, *latent) for latent in crew.latents),
        instructions=INSTRUCTIONS,
        prior=np.array(
            [(1 - crew.able if strong is None else crew.able / crew.actors) / 2 for _, strong in crew.latents]
        ),
        initial=initial,
        transition=transition,
        emission=np.tile(np.eye(len(said))[heard], (num, 1, 1)),
        reward=PAY[[events[sentence] for sentence in said]],
        forbidden=((MENU[LIFT], MENU[LIFT]),),
        doc=__doc__ or "",
    )


def _sentence(crew: Crew, state: State) -> str:
    """The joint report: what all can see, and what Actors 1 and 2 say of their doors."""
    event, now, before = state
    parts = [EVENTS[event]]
    for actor, name in ((1, "left"), (2, "right")):
        if actor not in crew.mute:
            late = actor in crew.late
            word = "open" if DOORS[before if late else now][actor - 1] else "shut"
            parts.append(f"actor {actor}: the {name} door {'was' if late else 'is'} {word}")
    return "; ".join(parts)


def _latent(crew: Crew, heavy: int, strong: int | None) -> str:
    door = "left" if heavy == LEFT else "right"
    if strong is None:
        return f"the {door} door takes two, nobody can lift"
    lamp = (strong + 1) % crew.actors + 1
    return f"the {door} door takes two, actor {strong + 1} lifts the chest, actor {lamp} the lamp"
