"""`lock`: a combination lock; one digit after the other, and a wrong one locks it for the episode (Kakade 2003).

Latents: the combinations, `digits` ** `length` of them, equally likely. Subgoals: "dial 0", "dial 1", ... Horizon
`length`. The right digit in its place turns the lock one further; a wrong one jams it until the next episode. Opening
it pays 1. Stepping back ("leave the lock alone") instead of dialling pays `safe` at once, and the episode holds nothing
more. Instruction: "open the lock". The planner sees how far the lock has turned, and whether it jams.

Arumugam and Griffiths 2025 give language models such a lock with 3 digits.

Why: a combination is found place by place, which takes about `digits` / 2 episodes a place. Drawing whole combinations
from the posterior does the same, while uniform dialling needs about `digits` ** `length`.
"""

from itertools import product

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables

MOST = 256  # combinations


def lock(length: int = 3, digits: int = 4, safe: float = 0.2) -> Tables:
    """A combination lock that jams on a wrong digit.

    The family of all combinations of `length` digits; see the module's docstring.
    """
    if length < 1 or digits < 2 or digits**length > MOST:
        raise BadInput(
            f"length={length}, digits={digits}: expected at least 1 and 2, and at most {MOST} combinations "
            f"(digits ** length)"
        )
    if not 0 <= safe < 1:
        raise BadInput(f"safe={safe}: expected a pay of at least 0 and below 1")
    latents = tuple(product(range(digits), repeat=length))
    names = (*(f"turned by {k}" for k in range(length)), "open", "jams", "left alone", "still open", "still left alone")
    opened, jammed, alone, still_open, still_alone = range(length, length + 5)
    after = {opened: still_open, still_open: still_open, alone: still_alone, still_alone: still_alone, jammed: jammed}
    transition = np.zeros((len(latents), len(names), digits + 1, len(names)))
    for old, new in after.items():
        transition[:, old, :, new] = 1
    for (z, code), k in product(enumerate(latents), range(length)):
        transition[z, k, :digits, jammed] = 1
        transition[z, k, code[k]] = np.eye(len(names))[k + 1 if k + 1 < length else opened]
        transition[z, k, digits, alone] = 1
    initial = np.zeros((len(latents), len(names)))
    initial[:, 0] = 1
    reward = np.zeros((len(names), 1))
    reward[opened], reward[alone] = 1.0, safe
    return Tables(
        name="lock",
        horizon=length,
        states=names,
        observations=tuple(f"the lock: {name}" for name in names),
        menus=((*(f"dial {digit}" for digit in range(digits)), "leave the lock alone"),),
        latents=tuple(" ".join(map(str, code)) for code in latents),
        instructions=("open the lock",),
        prior=np.full(len(latents), 1 / len(latents)),
        initial=initial,
        transition=transition,
        emission=np.tile(np.eye(len(names)), (len(latents), 1, 1)),
        reward=reward,
        doc=__doc__ or "",
    )
