"""`quest`: a text adventure (TextWorld); which of three keys fits the iron door is hidden.

Latents (3): the brass, copper or silver key fits. Prior: brass with probability `usual`, the others share the rest.
Subgoals (5): "try the {colour} key in the iron door", "go to the vault", "take the gold coin". Instruction: "fetch the
gold coin". Every step that ends with words that tell of the coin in hand pays 1/horizon. A planner that picks it up
with the k-th step, and goes on asking for it, has (horizon + 1 - k)/horizon in the end. Horizon 5.

Low level: a game made by TextWorld's GameMaker for each latent; an action is one command as a player types it. The
Actor (`actor.py`) types "take brass key from table", "unlock iron door with brass key", "open iron door". It
never opens a door that is locked: the game would answer which key fits.

The planner sees the game's answer to the last command, on one line. It sees nothing of the game's other channels
(`admissible_commands`, the walkthrough, facts), which tell the key.

Tables: place, door, coin and the last answer are the state; deterministic. `parley world verify quest` holds them
against the game.

Why: the observations are somebody else's text.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.worlds.kit.tabular.rules import Family, first_likely, tables_of

COLOURS = ("brass", "copper", "silver")
VAULT, COIN = "go to the vault", "take the gold coin"
MENU = (*(f"try the {colour} key in the iron door" for colour in COLOURS), VAULT, COIN)
START = (
    "Hall. I am required to announce that you are now in the hall. You can see a table. On the table you can make out "
    "a brass key, a copper key and a silver key. There is a closed iron door leading east."
)
IN_THE_VAULT = (
    "Vault. You've just walked into a vault. You decide to start listing off everything you see in the room, as if you "
    "were in a text adventure. There is an open iron door leading west."
)
WRONG, OPENED = "That doesn't seem to fit the lock.", "You open iron door."
UNLOCKED, SHUT = "That's unlocked at the moment.", "You have to open the iron door first."
TAKEN, HAD = "You pick up the gold coin from the ground.", "You already have that."
NOT_HERE = "You can't see any such thing."


@dataclass(frozen=True)
class Turn:
    """A state at a subgoal boundary: the room, whether the door is open and the coin in hand, the last answer."""

    place: str
    open: bool
    coin: bool
    said: str

    def __str__(self) -> str:
        carried = "in hand" if self.coin else "not in hand"
        return f"{self.place}, door {'open' if self.open else 'shut'}, coin {carried}: {self.said}"


BEGINNING = Turn("hall", False, False, START)


def mechanism(fits: str, now: Turn, subgoal: str) -> str:
    """Why a subgoal ends as it does."""
    if subgoal == VAULT:
        return "the open door lets it into the vault" if now.open else "the shut door keeps it out"
    if subgoal == COIN:
        return "it has the coin" if now.coin else "it takes the coin" if now.place == "vault" else "no coin is in sight"
    if now.open:
        return "the door is unlocked already"
    return "the right key opens" if fits in subgoal.split() else "a wrong key does not fit"


def after(fits: str, now: Turn, subgoal: str) -> Turn:
    """The next state."""
    why = mechanism(fits, now, subgoal)
    if why == "the open door lets it into the vault":
        return Turn("vault", True, now.coin, IN_THE_VAULT + ("" if now.coin else " There is a gold coin on the floor."))
    if why == "it takes the coin":
        return Turn("vault", True, True, TAKEN)
    place = now.place if subgoal == COIN else "hall"  # to try a key, the player goes back to the door
    said = {
        "the shut door keeps it out": SHUT,
        "it has the coin": HAD,
        "no coin is in sight": NOT_HERE,
        "the door is unlocked already": UNLOCKED,
        "the right key opens": OPENED,
        "a wrong key does not fit": WRONG,
    }[why]
    return Turn(place, now.open or why == "the right key opens", now.coin, said)


def turns() -> tuple[Turn, ...]:
    """All states that any latent can come to, in the order in which they are reached."""
    found = {BEGINNING: 0}
    waiting = [BEGINNING]
    while waiting:
        now = waiting.pop(0)
        for fits, subgoal in product(COLOURS, MENU):
            then = after(fits, now, subgoal)
            if then not in found:
                found[then] = len(found)
                waiting.append(then)
    return tuple(found)


def quest_tables(usual: float = 0.6, horizon: int = 5) -> Tables:
    """The abstract model; see the module's docstring for what the settings mean."""
    if not 0 < usual < 1:
        raise BadInput(f"quest: usual={usual}: expected a probability strictly between 0 and 1; try 0.6")
    if horizon < 1:
        raise BadInput(f"quest: horizon={horizon}: expected at least 1")

    def pays(said: tuple[str, ...]) -> np.ndarray:
        return np.array([[words in (TAKEN, HAD)] for words in said]) / horizon

    return tables_of(
        Family(turns(), COLOURS, BEGINNING, after, lambda fits, now: now.said, pays),
        (MENU,),
        name="quest",
        horizon=horizon,
        latents=tuple(f"the {colour} key fits" for colour in COLOURS),
        instructions=("fetch the gold coin",),
        prior=first_likely(usual, len(COLOURS) - 1),
        doc=__doc__ or "",
    )
