"""`generated`: a family of a kind that is drawn, or named, with words, sizes, dynamics and prior of its own.

A family is a function of its kind and seed; nothing else goes into it. The rules that stand in prompts tell what kind
of thing may be hidden, never the latent.
Why: a planner that is to plan in worlds it has never seen must be trained, and tried, on more than one.
"""

import numpy as np

from parley.core.errors import BadInput
from parley.core.spec import suggestion
from parley.core.tables import Tables
from parley.worlds.generated.family import tables_of
from parley.worlds.generated.kinds import HELD_OUT, TRAINED
from parley.worlds.generated.words import Words

KINDS = {**TRAINED, **HELD_OUT}
EVALUATED = 10**9  # families from this seed on are never trained on


def generated(seed: int = EVALUATED, kind: str = "") -> Tables:
    """The family of a seed, of a kind that is trained on (drawn from the seed) unless one is named."""
    if seed < 0:
        raise BadInput(f"seed={seed}: expected a number from 0 on")
    if kind and kind not in KINDS:
        raise BadInput(f"kind={kind!r}: expected one of {', '.join(KINDS)}{suggestion(kind, KINDS)}")
    rng = np.random.default_rng(seed)
    drawn = list(TRAINED)[rng.integers(len(TRAINED))]
    return tables_of(KINDS[kind or drawn](rng, Words(rng)))
