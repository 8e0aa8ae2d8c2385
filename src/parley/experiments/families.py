"""Many families of many kinds, as specs: what explorers are compared on, none of them designed by hand.

Half are `random` of drawn sizes and peakedness. The other half are `traps` (every other one with its trap planted, else
its twin without). So an explorer must do well both where worlds reveal themselves and where they do not (theory.md 4).
"""

import numpy as np

from parley.core.errors import BadInput


def many_families(count: int = 40, seed: int = 0) -> tuple[str, ...]:
    """Specs of `count` families; the first of a longer list are those of a shorter one.

    >>> many_families(2)[1].split(":")[0]
    'traps'
    """
    if count < 1:
        raise BadInput(f"count={count}: expected at least 1")
    return tuple(_family(i, np.random.default_rng((seed, i))) for i in range(count))


def _family(i: int, rng: np.random.Generator) -> str:
    drawn: dict[str, object] = {"seed": i}
    if i % 2:
        drawn |= {"latents": rng.integers(3, 7), "subgoals": rng.integers(3, 7), "horizon": rng.integers(1, 3)}
        drawn |= {"rare": rng.choice([0.01, 0.02, 0.05]), "planted": "true" if i % 4 == 1 else "false"}
        return "traps:" + ",".join(f"{key}={value}" for key, value in drawn.items())
    drawn |= {"latents": rng.integers(2, 7), "states": rng.integers(2, 6), "observations": rng.integers(2, 5)}
    drawn |= {"subgoals": rng.integers(2, 5), "instructions": rng.integers(1, 4), "horizon": rng.integers(1, 3)}
    drawn |= {"concentration": rng.choice([0.3, 1.0, 3.0])}
    return "random:" + ",".join(f"{key}={value}" for key, value in drawn.items())
