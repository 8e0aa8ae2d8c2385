"""`traps`: random families with a planted trap, and their twins without, by size and seed (theory.md section 4).

Latents: the usual ones, and a rare last one of prior `rare` (0.05). Subgoals: "keep to the usual way", whose outcomes
have the same distribution under every latent, and risky ones. Under the usual latents the usual way is best; under the
rare one a risky subgoal pays more. Instruction: "earn what you can". Horizon `horizon`, every step a decision of the
same kind. The planner sees what a step paid ("it pays 3 of 4") and a hint ("the light is red").

`planted=true`: nothing seen on the usual way depends on the latent. So belief in a usual latent costs something under
the rare one and tells nothing. `planted=false`: the same pays, but the light seen on the usual way depends on the
latent. So acting on a wrong belief reveals it.
"""

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables

PAYS = 5
LIGHTS = ("red", "green", "blue", "white")


def traps(
    latents: int = 4, subgoals: int = 4, horizon: int = 1, rare: float = 0.05, planted: bool = True, seed: int = 0
) -> Tables:
    """Random families with a planted trap, or their twins without.

    The family of the given sizes with (`planted`) or without a trap; the same arguments give the same tables.
    """
    if latents < 2 or subgoals < 2 or horizon < 1:
        raise BadInput(f"latents={latents}, subgoals={subgoals}, horizon={horizon}: expected at least 2, 2 and 1")
    if not 0 < rare < 1:
        raise BadInput(f"rare={rare}: expected a probability strictly between 0 and 1")
    rng = np.random.Generator(np.random.Philox(key=seed))
    mean = rng.uniform(0.0, 0.45, (latents, subgoals))
    mean[:, 0] = rng.uniform(0.55, 0.65)
    mean[-1, rng.integers(1, subgoals)] = rng.uniform(0.85, 1.0)
    light = rng.dirichlet(np.ones(len(LIGHTS)), (latents, subgoals))
    light[:, 0] = light[0, 0] if planted else rng.dirichlet(np.full(len(LIGHTS), 0.3), latents)
    pay = _around(mean)
    law = (pay[..., None] * light[..., None, :]).reshape(latents, subgoals, -1)  # Z G outcomes
    num = law.shape[-1] + 1  # outcome states, and the start, last
    transition = np.zeros((latents, num, subgoals, num))
    transition[..., :-1] = law[:, None]
    initial = np.zeros((latents, num))
    initial[:, -1] = 1
    outcomes = tuple(f"it pays {i} of {PAYS - 1}, the light is {hue}" for i in range(PAYS) for hue in LIGHTS)
    return Tables(
        name="traps",
        horizon=horizon,
        states=(*outcomes, "start"),
        observations=(*outcomes, "you are about to begin"),
        menus=(("keep to the usual way", *(f"risk way {i}" for i in range(1, subgoals))),),
        latents=(*(f"usual {i}" for i in range(latents - 1)), "rare"),
        instructions=("earn what you can",),
        prior=np.array([*[(1 - rare) / (latents - 1)] * (latents - 1), rare]),
        initial=initial,
        transition=transition,
        emission=np.tile(np.eye(num), (latents, 1, 1)),
        reward=np.append(np.repeat(np.arange(PAYS) / (PAYS - 1), len(LIGHTS)), 0.0)[:, None],
        doc=__doc__ or "",
    )


def _around(mean: np.ndarray) -> np.ndarray:
    """Binomial distributions on the pay levels with the given means in [0, 1]."""
    k, n = np.arange(PAYS), PAYS - 1
    choose = np.array([1, 4, 6, 4, 1])
    return choose * mean[..., None] ** k * (1 - mean[..., None]) ** (n - k)
