"""`generated`: a family of a kind that is drawn, or named, with words, sizes, dynamics and prior of its own.

Kinds: `find`, `route`, `levers`, `machines`, `order`, `rooms`; `lock` and `ask` are never trained on.
Latents: 2 to 6, what the kind hides. Subgoals: 2 to 7, instructions 1 to 4, horizon 1 to 4. The planner sees sentences
of everyday words; the family's rules, which prompts may begin with, tell what kind of thing is hidden, not the latent.
A family is a function of its kind and seed, and of nothing else.
Why: a planner that is to plan in worlds it has never seen must be trained, and tried, on more than one.
"""

from dataclasses import replace

import numpy as np

from parley.core.errors import BadInput
from parley.core.spec import suggestion
from parley.core.tables import Tables
from parley.worlds.generated.family import tables_of
from parley.worlds.generated.held_out import HELD_OUT
from parley.worlds.generated.kinds import TRAINED
from parley.worlds.generated.words import Words

KINDS = {**TRAINED, **HELD_OUT}
EVALUATED = 10**9  # families from this seed on are never trained on


def generated(seed: int = EVALUATED, kind: str = "") -> Tables:
    """A family of a kind, words and rules of its own, by seed: generated:seed=1,kind=find.

    The family of a seed, of a kind that is trained on (drawn from the seed) unless one is named.
    """
    if seed < 0:
        raise BadInput(f"seed={seed}: expected a number from 0 on")
    if kind and kind not in KINDS:
        raise BadInput(f"kind={kind!r}: expected one of {', '.join(KINDS)}{suggestion(kind, KINDS)}")
    rng = np.random.default_rng(seed)
    drawn = list(TRAINED)[rng.integers(len(TRAINED))]
    return replace(tables_of(KINDS[kind or drawn](rng, Words(rng))), doc=__doc__ or "")
