"""What every explorer that `assemble` knows must keep, on every kind of world."""

from itertools import product

import pytest

from parley import assemble
from parley.assemble.conformance import check

SPECS = {"epsilon-greedy": "epsilon-greedy:epsilon=0.3"}
WORLDS = ("shortcut", "household", "traps")
DEAR = {("household", "bayes-adaptive"), ("traps", "bayes-adaptive")}  # refused: four latents and more
CASES = [
    (world, SPECS.get(name, name)) for world, name in product(WORLDS, assemble.EXPLORERS) if (world, name) not in DEAR
]
CASES += [
    (world, spec)
    for world in ("random:actors=2", "team")
    for spec in ("none", "epsilon-greedy:epsilon=0.3", "adaptive", "adaptive-proposals")
]
CASES += [("team", "epsilon-greedy:epsilon=0.3,policy=designed"), ("team", "posterior-sampling")]


@pytest.mark.parametrize("world, explorer", CASES)
def test_an_explorer_conforms(world, explorer):
    """Distributions in which the choice has weight; the same again, in any batch, and from a snapshot."""
    assert check("explorer", explorer, world) == []
