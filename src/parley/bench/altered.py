"""Worlds made from worlds, as controls: another order of the menu, or a latent that no earlier episode tells of."""

from dataclasses import replace

import numpy as np

from parley.core.tables import Tables


def rotated(tables: Tables, by: int) -> Tables:
    """The same family with its menu turned by `by` places; nothing else changes, so neither should any proposal.

    Over all turns each subgoal stands once in each place.
    """
    menu = tables.menus[0]
    order = np.roll(np.arange(len(menu)), by)
    return replace(
        tables,
        menus=(tuple(menu[i] for i in order),),
        transition=np.ascontiguousarray(tables.transition[:, :, order]),
        preference=None if tables.preference is None else tables.preference[:, order],
    )


def redrawn(tables: Tables) -> Tables:
    """The family in which the latent is drawn anew in each episode: it becomes part of the state.

    There is one latent then, and earlier episodes tell nothing of the present one. Who gains from a memory there has
    been shown the episode that it is in.
    """
    num_z, num_s, num_g, _ = tables.transition.shape
    each = num_z * num_s
    transition = np.zeros((1, each, num_g, each))
    for z in range(num_z):
        block = slice(z * num_s, (z + 1) * num_s)
        transition[0, block, :, block] = tables.transition[z]
    return replace(
        tables,
        name=f"{tables.name}, redrawn",
        states=tuple(f"{state}; {latent}" for latent in tables.latents for state in tables.states),
        latents=("drawn anew in each episode",),
        prior=np.ones(1),
        initial=(tables.prior[:, None] * tables.initial).reshape(1, each),
        transition=transition,
        emission=tables.emission.reshape(1, each, -1),
        preference=None,
    )
