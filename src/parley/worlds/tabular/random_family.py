"""`random`: a random tabular family of given sizes and seed, for property tests.

Latents, states, observations, subgoals and instructions are numbered, the horizon is given. Every row of the tables is
a Dirichlet draw (`concentration` below 1 makes rows peaked). Each latent has tables of its own; rewards are uniform in
[0, 1]. With `apart` below 1 that is the share of a latent's own rows, mixed with rows that all latents have. With
`actors` above 1 a joint subgoal is one of `subgoals` ** `actors`. The planner sees "observation i". Why: nothing in it
was arranged, so results here do not hinge on a world's design.
"""

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables


def random_family(
    latents: int = 4,
    states: int = 4,
    observations: int = 4,
    subgoals: int = 3,
    instructions: int = 2,
    horizon: int = 2,
    actors: int = 1,
    concentration: float = 1.0,
    apart: float = 1.0,
    seed: int = 0,
) -> Tables:
    """A random family of given sizes and seed.

    The random family of the given sizes; the same arguments give the same tables.
    """
    sizes = dict(latents=latents, states=states, observations=observations, subgoals=subgoals)
    for name, size in {**sizes, "instructions": instructions, "horizon": horizon, "actors": actors}.items():
        if size < 1:
            raise BadInput(f"{name}={size}: expected at least 1")
    if not concentration > 0:
        raise BadInput(f"concentration={concentration}: expected a positive number")
    if not 0 <= apart <= 1:
        raise BadInput(f"apart={apart}: expected the share of a latent's own rows, a number from 0 to 1")
    rng = np.random.Generator(np.random.Philox(key=seed))

    def rows(*shape: int) -> np.ndarray:
        gamma = np.maximum(rng.gamma(concentration, size=shape), 1e-12)
        return gamma / gamma.sum(axis=-1, keepdims=True)

    def names(what: str, count: int) -> tuple[str, ...]:
        return tuple(f"{what} {i}" for i in range(count))

    prior, initial = rows(latents), rows(latents, states)
    transition, emission = rows(latents, states, subgoals**actors, states), rows(latents, states, observations)
    reward = rng.random((observations, instructions))
    if apart < 1:
        initial, transition, emission = (
            apart * own + (1 - apart) * rows(*own.shape[1:]) for own in (initial, transition, emission)
        )
    return Tables(
        name="random",
        horizon=horizon,
        states=names("state", states),
        observations=names("observation", observations),
        menus=tuple(names("subgoal" if actors == 1 else f"actor {k} subgoal", subgoals) for k in range(actors)),
        latents=names("latent", latents),
        instructions=names("instruction", instructions),
        prior=prior,
        initial=initial,
        transition=transition,
        emission=emission,
        reward=reward,
        doc=__doc__ or "",
    )
