"""`forage`: three foragers on a grid (lbforaging); how many it takes for each kind of fruit is hidden (theory.md 7).

Latents (27): how many foragers an apple, a plum and a cherry take, 1, 2 or 3 each (prior .2, .3, .5; independent).
Subgoals of each of K = 3 Actors: "gather the apple", "gather the plum", "gather the cherry".

Instructions: "bring apple and plum", "bring plum and cherry", "bring apple and cherry". Horizon 2. After each step
every fruit in the basket that was asked for pays 1/4, so an early fruit pays twice.

Low level: 8 x 8 cells, a fruit of each kind and three foragers of level 1. All are placed anew for each episode in a
fresh environment. The actions of each forager are stand, walk and load. The Actor (`actor.py`) moves one forager at a
time, by breadth-first search, to cells beside its fruit. When all stand there, they load at once. Too few load in vain.

The planner sees which fruits are in the basket and which are still growing; no report tells how many foragers a fruit
takes.

Tables: 8 states, deterministic for each latent. `parley world verify forage` holds them against the grid.

Why: to send all three to one fruit always works, and says nothing about whether fewer would do.
"""

from itertools import product

import numpy as np

from parley.core.tables import Tables
from parley.worlds.kit.tabular.rules import Family, tables_of

FRUITS = ("apple", "plum", "cherry")
ACTORS = 3
MENU = tuple(f"gather the {fruit}" for fruit in FRUITS)
INSTRUCTIONS = tuple(f"bring {one} and {other}" for one, other in (FRUITS[:2], FRUITS[1:], FRUITS[::2]))
TAKES = tuple(product((1, 2, 3), repeat=len(FRUITS)))  # latent -> foragers that each fruit takes
SHARES = {1: 0.2, 2: 0.3, 3: 0.5}
HORIZON = 2
BASKETS = tuple(product((False, True), repeat=len(FRUITS)))  # which fruits have been gathered

Basket = tuple[bool, ...]


def mechanism(takes: tuple[int, ...], basket: Basket, parts: tuple[str, ...]) -> str:
    """Why a joint subgoal ends as it does: in which ways foragers come to the fruits."""
    sent = [parts.count(subgoal) for subgoal in MENU]
    ways = set()
    for number, need, gone in zip(sent, takes, basket, strict=True):
        if number:
            ways.add("a fruit is gone" if gone else "enough come" if number >= need else "too few come")
    return ", ".join(sorted(ways))


def after(takes: tuple[int, ...], basket: Basket, parts: tuple[str, ...]) -> Basket:
    """The basket after a joint subgoal."""
    sent = [parts.count(subgoal) for subgoal in MENU]
    return tuple(gone or number >= need for gone, number, need in zip(basket, sent, takes, strict=True))


def sentence(basket: Basket) -> str:
    """What the Reporter says.

    >>> sentence((False, True, False))
    'the plum is in the basket; the apple and the cherry are still growing'
    """
    gathered = [f"the {fruit}" for fruit, gone in zip(FRUITS, basket, strict=True) if gone]
    growing = [f"the {fruit}" for fruit, gone in zip(FRUITS, basket, strict=True) if not gone]
    full = f"{' and '.join(gathered)} {'is' if len(gathered) == 1 else 'are'} in the basket" if gathered else ""
    rest = f"{' and '.join(growing)} {'is' if len(growing) == 1 else 'are'} still growing" if growing else ""
    return "; ".join(filter(None, (full, rest)))


def forage_tables() -> Tables:
    """The abstract model."""

    def pays(said: tuple[str, ...]) -> np.ndarray:
        asked = np.array([[fruit in instruction for instruction in INSTRUCTIONS] for fruit in FRUITS])
        return np.array(BASKETS, dtype=float) @ asked / (2 * HORIZON)

    return tables_of(
        Family(BASKETS, TAKES, (False,) * len(FRUITS), after, lambda takes, basket: sentence(basket), pays, sentence),
        (MENU,) * ACTORS,
        name="forage",
        horizon=HORIZON,
        latents=tuple(
            ", ".join(f"{fruit} takes {n}" for fruit, n in zip(FRUITS, takes, strict=True)) for takes in TAKES
        ),
        instructions=INSTRUCTIONS,
        prior=np.array([np.prod([SHARES[n] for n in takes]) for takes in TAKES]),
        doc=__doc__ or "",
    )
