"""`treasure`: n chests, and one may hold gold; the hard instance after He et al. (2024), theory.md section 3.

Latents: z_1 "the first chest holds gold" with prior p (default 1/(2n)), z_2 ... z_n, equally likely, in which it is
empty. Subgoals: "open chest i". Instruction: "bring back a treasure". Horizon 1. Every chest but the first pays 0.5
under every z; the first pays 1 under z_1 and 0 otherwise. The expert of z_i opens chest i. The planner sees what it
found: gold, silver, or nothing.

Why: a planner that only imitates learns nothing until it opens the first chest. It hardly ever does, so its regret
grows linearly. Uniform exploration is eta = 1/n distinguishable, the best policy eta = 1.
"""

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables


def treasure(n: int = 16, p: float | None = None) -> Tables:
    """n chests, and one may hold gold: imitation alone has linear regret.

    `p` is the prior of gold in the first one.
    """
    if n < 2:
        raise BadInput(f"n={n}: the treasure world needs at least 2 chests")
    p = 1 / (2 * n) if p is None else p
    if not 0 < p < 1:
        raise BadInput(f"p={p}: expected a probability strictly between 0 and 1")
    start, gold, silver, empty = range(4)
    transition = np.zeros((n, 4, n, 4))
    transition[:, :, 1:, silver] = 1
    transition[:, :, 0, empty] = 1
    transition[0, :, 0] = np.eye(4)[gold]
    initial = np.zeros((n, 4))
    initial[:, start] = 1
    return Tables(
        name="treasure",
        horizon=1,
        states=("before the chests", "gold", "silver", "empty"),
        observations=("you stand before the chests", "you find gold", "you find silver", "the chest is empty"),
        menus=(tuple(f"open chest {i}" for i in range(1, n + 1)),),
        latents=("gold in chest 1", *(f"nothing in chest 1, taste for chest {i}" for i in range(2, n + 1))),
        instructions=("bring back a treasure",),
        prior=np.array([p, *[(1 - p) / (n - 1)] * (n - 1)]),
        initial=initial,
        transition=transition,
        emission=np.tile(np.eye(4), (n, 1, 1)),
        reward=np.array([[0.0], [1.0], [0.5], [0.0]]),
        preference=np.eye(n),
        doc=__doc__ or "",
    )
