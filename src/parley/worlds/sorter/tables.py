"""`sorter`: a robot arm puts three blocks onto four mats in MuJoCo physics; which mat keeps which colour is hidden.

Latents (24): every colour has a mat of its own, the fourth mat keeps none. Prior: the first way has probability
`usual`, the others share the rest. Subgoals (12): "put the {colour} block on the {mat}". Instructions (4): "store the
{colour} block", which pays 1/horizon after every step that leaves it on a mat. "store all blocks" pays a third of that
for each. Horizon 3 to 6.

Low level: the Fetch arm of gymnasium-robotics on a table of its own. A mat drives off a block that it does not keep and
that comes to rest on it. The force is at most 40 N, to a place beside the mat. Where the blocks begin is drawn for each
episode, and normal noise of standard deviation `noise` is added to every action (5 cm). The Actor (`actor.py`) reaches,
grasps, lifts, moves and releases, and looks on until the block is at rest. Nothing is put on a mat on which another
block lies.

The planner sees on which mat each block lies, if on any. Tables: 73 states, deterministic for each latent.
`parley world verify sorter` holds them against the physics.

Why: what one trial teaches about one block narrows down the places of the others.
"""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.worlds.kit.tabular.rules import Family, first_likely, tables_of

COLOURS = ("red", "green", "blue")
MATS = ("straw mat", "wool mat", "cork mat", "felt mat")
MENU = tuple(f"put the {colour} block on the {mat}" for colour, mat in product(COLOURS, MATS))
INSTRUCTIONS = (*(f"store the {colour} block" for colour in COLOURS), "store all blocks")
PLANS = tuple(permutations(range(len(MATS)), len(COLOURS)))  # latent -> the mat that keeps each colour
TABLE = -1  # the place of a block that lies on no mat
Places = tuple[int, ...]  # of each colour's block: the number of a mat, or TABLE


@dataclass(frozen=True)
class Rules:
    """The settings; `friction` is that of blocks on the table and the mats (the fingers have 1)."""

    usual: float = 0.3
    horizon: int = 4
    noise: float = 0.05
    friction: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.usual < 1:
            raise BadInput(f"sorter: usual={self.usual}: expected a probability strictly between 0 and 1")
        if not 3 <= self.horizon <= 6:
            raise BadInput(f"sorter: horizon={self.horizon}: expected a number from 3 to 6")
        if not 0 <= self.noise <= 0.3:
            raise BadInput(f"sorter: noise={self.noise}: expected a standard deviation from 0 to 0.3")
        if not 0.03 <= self.friction <= 1:
            raise BadInput(f"sorter: friction={self.friction}: expected a number from 0.03 (ice) to 1")


def states() -> tuple[Places, ...]:
    """Where the blocks may be, in the order of the tables: no two on one mat."""
    every = product((TABLE, *range(len(MATS))), repeat=len(COLOURS))
    return tuple(s for s in every if all(s.count(mat) <= 1 for mat in range(len(MATS))))


def meaning(subgoal: str) -> tuple[int, int]:
    """The colour and the mat of a subgoal; raises `BadInput` for words that are not on the menu."""
    if subgoal not in MENU:
        raise BadInput(f"subgoal {subgoal!r} means nothing to the Actor of sorter; it knows: {', '.join(MENU)}")
    return divmod(MENU.index(subgoal), len(MATS))


def mechanism(plan: Places, now: Places, subgoal: str) -> str:
    """Why a subgoal ends as it does; `plan` holds the mat that keeps each colour."""
    colour, mat = meaning(subgoal)
    if now[colour] == mat:
        return "the block lies there already"
    if mat in now:
        return "the mat is taken"
    origin = "from the table" if now[colour] == TABLE else "from another mat"
    return f"the right mat keeps it, {origin}" if plan[colour] == mat else f"the wrong mat repels it, {origin}"


def after(plan: Places, now: Places, subgoal: str) -> Places:
    """The next state."""
    why, (colour, mat) = mechanism(plan, now, subgoal), meaning(subgoal)
    if why in ("the block lies there already", "the mat is taken"):
        return now
    return (*now[:colour], mat if why.startswith("the right mat") else TABLE, *now[colour + 1 :])


def sentence(now: Places) -> str:
    """What the Reporter says.

    >>> sentence((0, TABLE, 3))
    'the red block is on the straw mat, the green block on the table, the blue block on the felt mat'
    """
    where = [f"on the {'table' if place == TABLE else MATS[place]}" for place in now]
    first, *others = (f"the {colour} block{{}} {at}" for colour, at in zip(COLOURS, where, strict=True))
    return ", ".join([first.format(" is"), *(text.format("") for text in others)])


def rules_tables(rules: Rules) -> Tables:
    """The tables of the subgoal process."""

    def pays(said: tuple[str, ...]) -> np.ndarray:
        stored = np.array(states()) != TABLE  # every state has a report of its own
        return np.column_stack([stored, stored.mean(axis=1)]) / rules.horizon

    return tables_of(
        Family(states(), PLANS, (TABLE,) * len(COLOURS), after, lambda plan, now: sentence(now), pays, sentence),
        (MENU,),
        name="sorter",
        horizon=rules.horizon,
        latents=tuple(
            ", ".join(f"{COLOURS[c]} belongs on the {MATS[mat]}" for c, mat in enumerate(plan)) for plan in PLANS
        ),
        instructions=INSTRUCTIONS,
        prior=first_likely(rules.usual, len(PLANS) - 1),
        doc=__doc__ or "",
    )
