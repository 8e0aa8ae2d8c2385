"""`generated`: a family of a kind that is drawn, or named, with words, sizes, dynamics and prior of its own.

Kinds: `find`, `route`, `levers`, `machines`, `order`, `rooms`; `fetch`, `serve`, `trade`, `brew`, `ladder`, `signpost`,
`drift`, `patrol`. Also `signals`, `ripe`, `weigh`, `rumour`, and with two Actors `lift`, `meet`, `relay`. Two more,
`lock` and `ask`, are never trained on.

Latents: 2 to 6, what the kind hides. Subgoals: 2 to 9 for each Actor, instructions 1 to 4, horizon 1 to 6.

The planner sees sentences of everyday words. The family's rules, which prompts may begin with, tell what kind of thing
is hidden, not the latent. A family is a function of its kind, seed and language, and of nothing else. Why: a planner
that is to plan in worlds it has never seen must be trained, and tried, on more than one.
"""

from dataclasses import replace

import numpy as np

from parley.core.errors import BadInput
from parley.core.spec import suggestion
from parley.core.tables import Tables
from parley.worlds.generated.errands import ERRANDS
from parley.worlds.generated.family import tables_of
from parley.worlds.generated.held_out import HELD_OUT
from parley.worlds.generated.kinds import TRAINED
from parley.worlds.generated.language import in_other_words
from parley.worlds.generated.pairs import PAIRS
from parley.worlds.generated.paths import PATHS
from parley.worlds.generated.signs import SIGNS
from parley.worlds.generated.words import Words

MORE = {**ERRANDS, **PATHS, **SIGNS, **PAIRS}  # drawn with kind=any, not by a seed alone
KINDS = {**TRAINED, **MORE, **HELD_OUT}
ANY = "any"
LANGUAGES = ("plain", "varied")
EVALUATED = 10**9  # families from this seed on are never trained on


def generated(seed: int = EVALUATED, kind: str = "", language: str = "plain") -> Tables:
    """A family of a kind, words and rules of its own, by seed: generated:seed=1,kind=find.

    The family of a seed, of one of the first six kinds (drawn from the seed) unless one is named. With `kind=any` it is
    of any kind that is not held out. `language=varied` says each thing in one of several ways.
    """
    if seed < 0:
        raise BadInput(f"seed={seed}: expected a number from 0 on")
    if kind and kind not in (*KINDS, ANY):
        raise BadInput(f"kind={kind!r}: expected {ANY} or one of {', '.join(KINDS)}{suggestion(kind, KINDS)}")
    if language not in LANGUAGES:
        raise BadInput(f"language={language!r}: expected {' or '.join(LANGUAGES)}")
    rng = np.random.default_rng(seed)
    drawn = list(TRAINED)[rng.integers(len(TRAINED))]
    if kind == ANY:
        drawn = list({**TRAINED, **MORE})[rng.integers(len(TRAINED) + len(MORE))]
    made = tables_of(KINDS[drawn if kind in ("", ANY) else kind](rng, Words(rng)))
    if language == "varied":
        made = in_other_words(made, rng)
    return replace(made, doc=__doc__ or "")
