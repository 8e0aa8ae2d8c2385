"""`sorter-floor`: a robot arm brings three blocks onto their mats; whether the table is icy is hidden.

Latents (2): a rough table (friction 0.5; probability `rough`) and an icy one (0.03). Subgoals (6): "push the {colour}
block onto its mat", "put the {colour} block on its mat". Instructions (4): "store the {colour} block", "store all
blocks"; horizon 3 to 6. A step that leaves a block on its mat pays 1/horizon if it was pushed there. If it was lifted,
it pays `grip` of that, since a grip leaves marks. "store all blocks" pays the mean over the blocks.

Low level: the arm and the table of `sorter`, every block and its mat in a line away from the robot. Felt along the
table's border brakes sliding blocks. A push on the rough table ends on the mat; on the icy one the block slides past
it. A grasp works on both. The Actor leaves stored blocks alone.

The planner sees of each block whether it is on its mat, and whether it was pushed or put there. Tables: 27 states,
deterministic for each latent. `parley world verify sorter-floor` holds them against the physics.

Why: the same words, another physics: what a skill can do depends on what nobody sees.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.worlds.kit.tabular.rules import Family, tables_of
from parley.worlds.sorter.tables import COLOURS

LATENTS = ("the table is rough", "the table is icy")
FRICTION = (0.5, 0.03)
VERBS = ("push", "put")
MENU = (
    *(f"push the {colour} block onto its mat" for colour in COLOURS),
    *(f"put the {colour} block on its mat" for colour in COLOURS),
)
INSTRUCTIONS = (*(f"store the {colour} block" for colour in COLOURS), "store all blocks")
TABLE, PUSHED, PUT = "on the table", "pushed onto its mat", "put on its mat"
Stored = tuple[str, ...]  # of each colour's block
STATES: tuple[Stored, ...] = tuple(product((TABLE, PUSHED, PUT), repeat=len(COLOURS)))


@dataclass(frozen=True)
class Rules:
    """The settings."""

    rough: float = 0.7
    grip: float = 0.6
    horizon: int = 4
    noise: float = 0.05

    def __post_init__(self) -> None:
        for name in ("rough", "grip"):
            if not 0 < getattr(self, name) < 1:
                raise BadInput(f"sorter-floor: {name}={getattr(self, name)}: expected a number between 0 and 1")
        if not 3 <= self.horizon <= 6:
            raise BadInput(f"sorter-floor: horizon={self.horizon}: expected a number from 3 to 6")
        if not 0 <= self.noise <= 0.3:
            raise BadInput(f"sorter-floor: noise={self.noise}: expected a standard deviation from 0 to 0.3")


def meaning(subgoal: str) -> tuple[str, int]:
    """The verb and the colour of a subgoal; raises `BadInput` for words that are not on the menu."""
    if subgoal not in MENU:
        raise BadInput(f"subgoal {subgoal!r} means nothing to the Actor of sorter-floor; it knows: {', '.join(MENU)}")
    verb, colour = divmod(MENU.index(subgoal), len(COLOURS))
    return VERBS[verb], colour


def mechanism(latent: int, now: Stored, subgoal: str) -> str:
    """Why a subgoal ends as it does."""
    verb, colour = meaning(subgoal)
    if now[colour] != TABLE:
        return "the block is stored already"
    if verb == "put":
        return f"a grasp works where {LATENTS[latent]}"
    return "a push ends on the mat" if latent == 0 else "a push on ice goes past the mat"


def after(latent: int, now: Stored, subgoal: str) -> Stored:
    """The next state."""
    why, (verb, colour) = mechanism(latent, now, subgoal), meaning(subgoal)
    if why in ("the block is stored already", "a push on ice goes past the mat"):
        return now
    return (*now[:colour], PUSHED if verb == "push" else PUT, *now[colour + 1 :])


def sentence(now: Stored) -> str:
    """What the Reporter says.

    >>> sentence((PUSHED, TABLE, PUT))
    'the red block is pushed onto its mat, the green block is on the table, the blue block is put on its mat'
    """
    return ", ".join(f"the {colour} block is {how}" for colour, how in zip(COLOURS, now, strict=True))


def floor_tables(rules: Rules) -> Tables:
    """The tables of the subgoal process."""

    def pays(said: tuple[str, ...]) -> np.ndarray:
        worth = np.array([[{TABLE: 0.0, PUSHED: 1.0, PUT: rules.grip}[how] for how in state] for state in STATES])
        return np.column_stack([worth, worth.mean(axis=1)]) / rules.horizon

    secrets = range(len(LATENTS))
    return tables_of(
        Family(STATES, secrets, (TABLE,) * len(COLOURS), after, lambda latent, now: sentence(now), pays, sentence),
        (MENU,),
        name="sorter-floor",
        horizon=rules.horizon,
        latents=LATENTS,
        instructions=INSTRUCTIONS,
        prior=np.array([rules.rough, 1 - rules.rough]),
        doc=__doc__ or "",
    )
