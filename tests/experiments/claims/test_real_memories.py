"""The experiment `real-memories`: its cells, and a verdict that can go either way."""

import numpy as np
import pytest

from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from parley.experiments.claims import real_memories
from parley.experiments.claims.real_memories import MEMORIES


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize(
    "worth, spread, verdict", [(0.4, 0.05, SUPPORTED), (-0.4, 0.05, NOT_SUPPORTED), (0.0, 0.3, UNDECIDED)]
)
def test_the_verdict_is_about_the_memories(quick, worth, spread, verdict):
    rng, kept = np.random.default_rng(1), []
    cells = real_memories.cells(quick)
    for c in cells:
        adds = worth * ((c.planner, c.explore) in MEMORIES)
        kept.append(0.5 + adds + spread * rng.standard_normal((c.runs, c.episodes + 1)))
    finding = real_memories.analyse(cells, kept)
    assert finding.verdict == verdict and len(finding.rows) == len(cells)
    assert abs(finding.estimate - worth) < 4 * spread / np.sqrt(2 * cells[0].episodes)
    real_memories.drawn(finding.rows)
