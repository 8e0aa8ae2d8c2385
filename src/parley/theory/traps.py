"""Does a world reveal itself? Escape times and costs of BAIL without exploration, for every latent (theory.md 4)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs
from parley.theory.chains import chain
from parley.theory.distinguishability import Classes
from parley.theory.escapes import Escape, exact, simulated
from parley.theory.tree import EpisodeTree
from parley.theory.verdicts import Verdict

DECODINGS = ("greedy", "sample")
MAX_NODES = 20_000  # of the tree from which exact chains are built


@dataclass(frozen=True)
class Traps:
    """All escapes of a world, the most costly first, and what they say in a sentence."""

    escapes: tuple[Escape, ...]
    verdict: str

    def reveals(self, decoding: str) -> bool | None:
        """Whether a planner that decodes so stops paying, whatever the latent; None where the runs cannot tell."""
        pays = [found.pays for found in self.escapes if found.decoding == decoding]
        assert pays, f"{decoding!r} was not followed"
        return False if True in pays else None if None in pays else True

    def late_interval(self, decoding: str) -> tuple[float, float]:
        """Of the largest loss of an episode at the end, over latents and instructions; 95 per cent."""
        low, high = zip(*(found.late_interval for found in self.escapes if found.decoding == decoding), strict=True)
        return max(low), max(high)

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and strings; infinite escape times become None, as does what the runs cannot tell."""
        rows = [
            {
                **asdict(e),
                "escape": e.escape if np.isfinite(e.escape) else None,
                "interval": list(e.interval),
                "late_interval": list(e.late_interval),
                "believing": list(e.believing),
            }
            for e in self.escapes
        ]
        decodings = sorted({e.decoding for e in self.escapes})
        return {
            "verdict": self.verdict,
            "reveals_itself": {how: self.reveals(how) for how in decodings},
            "late_interval": {how: list(self.late_interval(how)) for how in decodings},
            "escapes": rows,
        }


def traps(
    beliefs: Beliefs,
    classes: Classes,
    episodes: int = 1000,
    seed: int = 0,
    name: str | None = None,
    decodings: Sequence[str] = DECODINGS,
) -> Traps:
    """Follow BAIL from the prior for every latent, each instruction alone and all in random order.

    Exact where the beliefs at the starts of episodes are at most `chains.MAX_BELIEFS`, else simulated from `seed`, for
    at most `escapes.EPISODES` episodes. `name` is what the sentence calls the world.
    """
    if episodes < 1:
        raise BadInput(f"episodes={episodes}: expected at least 1")
    num = len(beliefs.tables.instructions)
    asked = [(w,) for w in range(num)] + ([tuple(range(num))] if num > 1 else [])
    try:
        tree = EpisodeTree(beliefs, tuple(group[0] for group in classes.members), True, MAX_NODES)
    except BadInput:  # too large
        tree = None
    found: list[Escape] = []
    for how in decodings:
        for instructions in asked:
            of = (beliefs, classes, how, instructions)
            by_chain = chain(tree, classes, how, instructions) if tree else None
            if by_chain is not None:
                found += exact(*of, by_chain, episodes)
            else:
                found += simulated(*of, episodes, seed, len(asked))
    found = sorted(found, key=lambda e: (-e.late if e.pays else 0.0, -e.cost))
    return Traps(tuple(found), Verdict(name or beliefs.tables.name, beliefs, classes, episodes).sentence(found))
