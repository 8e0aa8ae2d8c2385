"""Which latent and which instructions the runs of a cohort get."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from parley.core.draws import Draws, Purpose
from parley.core.errors import BadInput
from parley.core.latents import draw_latent
from parley.core.roles import World
from parley.core.spec import is_count, suggestion
from parley.core.tables import Sentences


@dataclass(frozen=True)
class Schedule:
    """Which instruction each run gets in each episode.

    `cyclic`, `random`, `fixed:NAME|INDEX`, `list:A|B|...`, or `doubling`. `doubling` gives the first for 1 episode, the
    next for 2, the next for 4 and so on in turn. What was learnt for one instruction then comes late for the others (an
    adversary's order).
    """

    spec: str
    instructions: tuple[str, ...]
    draws: Draws
    order: tuple[int, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        kind, _, rest = self.spec.partition(":")
        if kind not in ("cyclic", "random", "doubling", "fixed", "list") or bool(rest) != (kind in ("fixed", "list")):
            raise BadInput(
                f"instructions={self.spec!r}: expected cyclic, random, doubling, fixed:NAME, or list:NAME|NAME|... "
                "(a name may be the index, counted from 0)"
            )
        if not self.instructions and self.spec != "cyclic":
            raise BadInput(f"instructions={self.spec!r}: in this world every episode brings its own: leave it out")
        chosen = rest.split("|") if rest else range(len(self.instructions))
        order = tuple(index_of(str(name), self.instructions, "instruction") for name in chosen)
        object.__setattr__(self, "order", order)

    def __call__(self, episode: int) -> Sentences:
        if not self.instructions:
            return np.full(self.draws.num_runs, "", dtype=object)
        names = np.array(self.instructions, dtype=object)
        if self.spec == "random":
            return names[(self.draws.uniform(Purpose.INSTRUCTION, episode) * len(names)).astype(int)]
        turn = (episode + 1).bit_length() - 1 if self.spec == "doubling" else episode
        return np.full(self.draws.num_runs, names[self.order[turn % len(self.order)]], dtype=object)


def index_of(name: str, names: Sequence[str], what: str) -> int:
    """The index that `name` stands for: itself one of `names`, or an index counted from 0."""
    if name in names:
        return names.index(name)
    if is_count(name) and int(name) < len(names):
        return int(name)
    near = suggestion(name, names[:1000])
    raise BadInput(f"{what} {name!r}: expected a name or an index below {len(names)}{near}")


def draw_latents(world: World, draws: Draws, latent: str | None) -> Int[np.ndarray, " B"]:
    """The latent of every run: the named one, all in turn (`each`), or drawn from the prior."""
    if latent == "each" and latent not in world.latents:
        return np.arange(draws.num_runs) % len(world.latents)
    if latent is not None:
        return np.full(draws.num_runs, index_of(latent, world.latents, "latent"))
    return draw_latent(world.prior, draws.uniform(Purpose.LATENT))
