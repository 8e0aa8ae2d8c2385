"""Joint subgoals told Actor by Actor, where a world heeds a summary only. This keeps the cost of K Actors linear in K.

After each Actor's part the parts so far have a *status*; the state moves by the status after the last one. Quantities
over the |M|^K joint subgoals can then be computed over the C statuses (dynamic programming over Actors).
"""

from dataclasses import dataclass, field, fields, replace
from itertools import product

import numpy as np
from jaxtyping import Int

from parley.core.tables import Tables

FORBIDDEN = -1  # the status of parts that may not be said together


@dataclass(frozen=True, eq=False)
class Factored:
    """`fold[z, k, c, m]` is the status after Actor k is told part m of its menu, status c before it; 0 comes first.

    `summary` are the world's tables as if one Actor were told statuses: G = C. What a latent cannot come to is of no
    account there (see `possible`).
    """

    summary: Tables
    menus: tuple[tuple[str, ...], ...]
    fold: Int[np.ndarray, "Z K C M"]

    def statuses(self, parts: Int[np.ndarray, "B k"], latent: Int[np.ndarray, "1 Z"]) -> Int[np.ndarray, "B Z"]:
        """The status under each latent after the parts of the first k Actors."""
        status = np.zeros((len(parts), latent.shape[1]), dtype=np.intp)
        for k in range(parts.shape[1]):
            status = self.after(k, status, parts[:, k], latent)
        return status

    def after(self, k: int, status: np.ndarray, part: np.ndarray, latent: np.ndarray) -> Int[np.ndarray, "B Z"]:
        """The status once Actor k has been told its part (B,)."""
        return np.where(status < 0, FORBIDDEN, self.fold[latent, k, status, part[:, None]])

    def tables(self) -> "FactoredTables":
        """The same world with all |M|^K joint subgoals.

        A forbidden part does there what the first allowed one would, so that no value hinges on it; experts prefer
        allowed parts.
        """
        s = self.summary
        latent = np.arange(s.num_latents)[None, :]
        every = np.array(list(product(*(range(len(menu)) for menu in self.menus))), dtype=np.intp)
        allowed = self.statuses(every, latent).T >= 0  # Z G
        instead = np.take_along_axis(self.fold, (self.fold != FORBIDDEN).argmax(axis=3)[..., None], axis=3)
        fold = np.where(self.fold == FORBIDDEN, instead, self.fold)
        status = replace(self, fold=fold).statuses(every, latent).T
        moved = np.take_along_axis(s.transition, status[:, None, :, None], axis=2)
        kept = {f.name: getattr(s, f.name) for f in fields(Tables)}
        kept |= {"menus": self.menus, "transition": moved, "preference": allowed.astype(float)}
        return FactoredTables(**kept, factored=self)


@dataclass(frozen=True, eq=False)
class FactoredTables(Tables):
    """Tables of all joint subgoals that know how they factor, so that results can be computed Actor by Actor."""

    factored: Factored = field(kw_only=True)


def possible(fold: Int[np.ndarray, "Z K C M"]) -> np.ndarray:
    """Which statuses (Z, C) can follow the last Actor's part."""
    reached = np.zeros(fold.shape[::2][:1] + fold.shape[2:3], dtype=bool)
    reached[:, 0] = True
    for k in range(fold.shape[1]):
        then = np.zeros_like(reached)
        z, c, m = np.nonzero(reached[:, :, None] & (fold[:, k] != FORBIDDEN))
        then[z, fold[z, k, c, m]] = True
        reached = then
    return reached
