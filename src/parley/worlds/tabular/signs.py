"""`signs`: n boxes (at most one is full), a shelf that always pays, and a sign that says which box it is.

Latents: "no box is full" (prior `nowhere`) and "box i is full" (the rest, shared alike). Subgoals: "take from the
shelf", "read the sign", "open box 0", "open box 1", ... Horizon 1. Instruction: "do the job". A full box pays 1, an
empty one 0, the shelf `shelf` (0.6). The sign pays 0; it names the true latent with probability `right` (0.9), else one
of the others alike. The planner sees its find, or the words of the sign.

Why: reading the sign is optimal under no latent, yet it is the cheapest way to find out. Looking for the latent by
opening boxes costs in proportion to n. One reading costs the same for any number of boxes.
"""

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables


def signs(n: int = 8, right: float = 0.9, nowhere: float = 0.2, shelf: float = 0.6) -> Tables:
    """n boxes (at most one is full), and a sign that says which.

    The sign is right with probability `right`; `nowhere` is the prior of no full box; `shelf` is the pay of the shelf.
    """
    if n < 1:
        raise BadInput(f"n={n}: the signs world needs at least 1 box")
    for name, value in (("right", right), ("nowhere", nowhere), ("shelf", shelf)):
        if not 0 <= value <= 1:
            raise BadInput(f"{name}={value}: expected a number from 0 to 1")
    latents = ("no box is full", *(f"box {i} is full" for i in range(n)))
    said = ("nowhere", *(f"box {i}" for i in range(n)))
    states = ("start", "shelf", "full box", "empty box", *(f"the sign says {place}" for place in said))
    start, on_shelf, full, empty, says = 0, 1, 2, 3, 4
    num = len(states)
    transition = np.zeros((n + 1, num, n + 2, num))
    transition[:, :, 0, on_shelf] = 1
    transition[:, :, 1, says:] = np.where(np.eye(n + 1) > 0, right, (1 - right) / n)[:, None]
    transition[:, :, 2:, empty] = 1
    for i in range(n):
        transition[i + 1, :, 2 + i] = np.eye(num)[full]
    initial = np.zeros((n + 1, num))
    initial[:, start] = 1
    reward = np.zeros((num, 1))
    reward[on_shelf], reward[full] = shelf, 1.0
    return Tables(
        name="signs",
        horizon=1,
        states=states,
        observations=tuple(f"you see: {state}" for state in states),
        menus=(("take from the shelf", "read the sign", *(f"open box {i}" for i in range(n))),),
        latents=latents,
        instructions=("do the job",),
        prior=np.array([nowhere, *[(1 - nowhere) / n] * n]),
        initial=initial,
        transition=transition,
        emission=np.tile(np.eye(num), (n + 1, 1, 1)),
        reward=reward,
        doc=__doc__ or "",
    )
