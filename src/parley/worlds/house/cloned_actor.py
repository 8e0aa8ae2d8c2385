"""An Actor of `house` cloned from demonstrations in the physics, some optimal, the rest at random (He et al. 2024, 2).

A demonstration is one walk to a neighbouring room through open doors, beginning where the one before ended. An optimal
one is driven as by `WaypointActor`. Any other draws both forces anew at every action, uniformly. The clone repeats the
action of the nearest demonstrated context. A context is the distance to the next middle, and the speed, along both
axes. Which middle is next, and how a subgoal ends, are rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.worlds.house.actor import WaypointActor
from parley.worlds.house.environment import HouseMaze, place
from parley.worlds.house.tables import AGAINST, ROOMS, Mansion, Plan, neighbours
from parley.worlds.kit import learned

FORMAT = "parley-walker/1"
CONTEXT = 4  # metres to the next middle along x and y; metres a second along x and y
SCALE = np.array([1.0, 1.0, 0.5, 0.5])  # a metre counts as two metres a second
EVERY = 3  # actions from one that is kept to the next: they hardly differ
AT_RANDOM = 120  # actions of a demonstration that is not optimal; an optimal walk takes about as many
MEASURE = "distance to the optimal forces (100 N)"
UNSEEN = 20  # optimal demonstrations on which the error is measured


@dataclass(frozen=True)
class ClonedWalk:
    """What was done in which context, and what it was cloned from."""

    about: dict[str, Any]
    contexts: Float[np.ndarray, "N 4"]
    forces: Float[np.ndarray, "N 2"]

    def __call__(self, context: Float[np.ndarray, " 4"]) -> Float[np.ndarray, " 2"]:
        """The forces of the nearest demonstrated context."""
        apart = (self.contexts - context) * SCALE
        return self.forces[int((apart * apart).sum(axis=1).argmin())]

    def save(self, path: Path) -> None:
        """`actor.safetensors` and `actor.json` in the directory `path`."""
        learned.save(path, "actor", self.about, {"contexts": self.contexts, "forces": self.forces})

    @classmethod
    def load(cls, path: Path) -> "ClonedWalk":
        """Read a directory of `save`; raises `BadInput` that names the fault."""

        def wrong(about: dict[str, Any], kept: Mapping[str, Any]) -> str:
            contexts, forces = kept["contexts"], kept["forces"]
            due = contexts.shape == (len(forces), CONTEXT) and forces.shape == (len(contexts), 2) and len(forces) > 0
            fits = about["format"] == FORMAT and due and np.isfinite(contexts).all() and (abs(forces) <= 1).all()
            return "" if fits else f"expected the format {FORMAT!r}, contexts of {CONTEXT} numbers, forces from -1 to 1"

        about, kept = learned.load(path, "actor", "Actor cloned in the house", wrong)
        return cls(about, kept["contexts"], kept["forces"])


class ClonedWalker(WaypointActor):
    """Drives as it was shown; where it goes next, and when it has arrived or gives up, is as for `WaypointActor`."""

    def __init__(self, walk: ClonedWalk) -> None:
        self.walk = walk

    def act(self, state: Any) -> np.ndarray | None:
        """Forces of the two motors, or None at the subgoal's end."""
        return None if super().act(state) is None else self.walk(context(self, state))


def context(actor: WaypointActor, state: Any) -> Float[np.ndarray, " 4"]:
    """How far the middle is to which the Actor is on its way, and the speed."""
    (x, y), (here_x, here_y, speed_x, speed_y) = actor.way, state.tolist()
    return np.array((x - here_x, y - here_y, speed_x, speed_y))


@lru_cache(maxsize=16)
def clone_walk(share: float, demonstrations: int = 60, seed: int = 0) -> ClonedWalk:
    """Clone from so many demonstrations, a `share` of them optimal (extra mujoco); `about` holds the Actor's error.

    That is the distance of its forces from the optimal ones (100 N), mean over other, optimal demonstrations.
    """
    if not 0 <= share <= 1:
        raise BadInput(f"actor: share={share}: expected the share of optimal demonstrations, between 0 and 1")
    if demonstrations < 1:
        raise BadInput(f"actor: demonstrations={demonstrations}: expected at least 1")
    contexts, forces = demonstrate(share, demonstrations, (seed, 0))
    walk = ClonedWalk({}, contexts, forces)
    unseen, optimal = demonstrate(1.0, UNSEEN, (seed, 1))
    apart = np.linalg.norm(np.stack([walk(one) for one in unseen]) - optimal, axis=1)
    recipe = {"share": share, "demonstrations": demonstrations, "seed": seed}
    about = {"format": FORMAT, "recipe": recipe, "error": float(apart.mean()), "measure": MEASURE}
    return ClonedWalk(about, contexts, forces)


def demonstrate(
    share: float, demonstrations: int, seed: tuple[int, ...]
) -> tuple[Float[np.ndarray, "N 4"], Float[np.ndarray, "N 2"]]:
    """Contexts and forces of demonstrations in the house with all doors open, one after another."""
    low, actor, rng = HouseMaze(Mansion(), Plan((), AGAINST[0])), WaypointActor(), np.random.default_rng(seed)
    state, _ = low.reset(seed=int(rng.integers(2**31)))
    contexts, forces = [], []
    for _ in range(demonstrations):
        actor.begin(f"go to the {ROOMS[rng.choice(neighbours(place(state)[0]))]}")
        optimal, taken = rng.random() < share, 0
        while (force := actor.act(state)) is not None and (optimal or taken < AT_RANDOM):
            done = force if optimal else rng.uniform(-1, 1, 2)
            if taken % EVERY == 0:
                contexts.append(context(actor, state))
                forces.append(done)
            state, *_ = low.step(done)
            taken += 1
    low.close()
    return np.stack(contexts), np.stack(forces)
