"""The experiment `real-memories`: its cells, and a verdict that can go either way."""

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from parley.experiments.claims import real_memories
from parley.experiments.claims.real_memories import MEMORIES


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize(
    "worth, spread, verdict", [(0.4, 0.05, SUPPORTED), (-0.4, 0.05, NOT_SUPPORTED), (0.0, 0.3, UNDECIDED)]
)
def test_the_verdict_is_about_the_memories(quick, worth, spread, verdict):
    rng, kept = np.random.default_rng(2), []
    cells = real_memories.cells(quick)
    for c in cells:
        adds = worth * ((c.planner, c.explore) in MEMORIES)
        kept.append(0.5 + adds + spread * rng.standard_normal((c.runs, c.episodes + 1)))
    finding = real_memories.analyse(cells, kept)
    arms = {(c.planner, c.explore) for c in cells}
    assert finding.verdict == verdict and len(finding.rows) == len(arms) + len(cells)
    assert abs(finding.estimate - worth / 0.5) < 4 * spread / 0.5 / np.sqrt(cells[0].episodes)
    real_memories.drawn(finding.rows)


def test_worlds_weigh_alike_and_in_units_of_their_room():
    """A world whose random choices score -9 counts a memory's 5 as 0.5; memories that a world lacks are left out."""
    cells = real_memories.cells(quick=False)
    deep = "textworld:cooking,variations=8,horizon=10"
    kept = [
        np.full(
            (c.runs, c.episodes + 1), (-9.0 if c.world == deep else 0.0) + 5.0 * ((c.planner, c.explore) in MEMORIES)
        )
        for c in cells
    ]
    worlds = {c.world for c in cells if (c.planner, c.explore) in MEMORIES}
    assert real_memories.analyse(cells, kept).estimate == pytest.approx((0.5 + 5.0 * (len(worlds) - 1)) / len(worlds))


def test_one_world_has_no_interval():
    cells = [c for c in real_memories.cells(quick=True) if c.world.startswith("gym:")]
    with pytest.raises(BadInput, match="one world has no interval"):
        real_memories.analyse(cells, [np.zeros((c.runs, c.episodes + 1)) for c in cells])
