"""What a planner that knows z loses where things do not go as its tables say: exact, without a run.

The planner filters by its own tables and plays pi*_z. States move by another kernel, or sentences come from another
Reporter. One forward pass over (belief, state) gives the return, and how often each (state, subgoal) occurs. A return
lies in [0, 1] where an episode pays 1 at most. Its change is then at most the total variation where the planner goes,
summed over steps (the simulation lemma, Kearns and Singh 2002).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs, Level


@dataclass(frozen=True)
class Elsewhere:
    """`value` is the expected return of an episode; `visits` the probability of (s, g) at step h."""

    value: Float[np.ndarray, "Z W"]
    visits: Float[np.ndarray, "Z W H S G"]


def elsewhere(
    beliefs: Beliefs,
    transition: Float[np.ndarray, "Z S G S"] | None = None,
    heard: Float[np.ndarray, "Z S O"] | None = None,
    paid: Float[np.ndarray, "Z S O"] | None = None,
) -> Elsewhere:
    """Follow pi*_z of `beliefs` where states move by `transition` and sentences come from `heard`; rewards from `paid`.

    The rest is as in the planner's own tables. Raises `BadInput` if the beliefs of some step are not stored.

    >>> from parley.worlds.tabular.treasure import treasure
    >>> b = Beliefs(treasure(n=4))
    >>> bool(np.allclose(elsewhere(b).value, b.value))
    True
    """
    t = beliefs.tables
    if len(beliefs.levels) < t.horizon:
        beliefs.refuse_unstored("the exact value in other dynamics")
    transition = t.transition if transition is None else transition
    heard = t.emission if heard is None else heard
    pay = (t.emission if paid is None else paid) @ t.reward  # Z S W
    value = np.zeros((t.num_latents, len(t.instructions)))
    visits = np.zeros((*value.shape, t.horizon, transition.shape[1], t.num_subgoals))
    for z, w in np.ndindex(*value.shape):
        own = _own(beliefs.levels[0], z)
        mass = np.zeros((own.stop - own.start, transition.shape[1]))
        begun, first = (t.initial[z][:, None] * heard[z]).T, beliefs.first[z]
        said = np.flatnonzero(begun.any(axis=1))
        if (first[said] < 0).any():
            raise _impossible(int(said[first[said] < 0][0]))
        np.add.at(mass, first[said] - own.start, begun[said])
        for h, level in enumerate(beliefs.levels):
            chosen = mass[:, :, None] * level.policy[own, w][:, None]  # n S G
            visits[z, w, h] = chosen.sum(axis=0)
            moved = np.einsum("nsg,sgt->ngt", chosen, transition[z], optimize=True)
            value[z, w] += float(moved.sum(axis=(0, 1)) @ pay[z, :, w])
            if h < t.horizon - 1:
                assert level.child is not None
                child, own = level.child[own], _own(beliefs.levels[h + 1], z)
                mass = _onward(np.where(child < 0, -1, child - own.start), moved, heard[z], own.stop - own.start)
    return Elsewhere(value, visits)


def _own(level: Level, latent: int) -> slice:
    """The nodes of one latent."""
    return slice(*np.searchsorted(level.latent, (latent, latent + 1)).tolist())


def _onward(
    child: np.ndarray, moved: Float[np.ndarray, "n G S"], heard: Float[np.ndarray, "S O"], size: int
) -> Float[np.ndarray, "m S"]:
    """The mass of (belief, state) at the next step. Raises `BadInput` for a sentence that the tables rule out."""
    mass = np.zeros((size, moved.shape[2]))
    for o in range(heard.shape[1]):
        part = moved * heard[:, o]
        n, g = np.nonzero(part.any(axis=2))
        if (child[n, g, o] < 0).any():
            raise _impossible(o)
        np.add.at(mass, child[n, g, o], part[n, g])
    return mass


def _impossible(observation: int) -> BadInput:
    return BadInput(
        f"heard: observation {observation} comes where the planner's tables call it impossible: give them a floor"
    )
