"""The curve of checkpoints that are trained on few and many families."""

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.experiments.claims import unseen_worlds
from parley.experiments.grown import Grown, curve


def test_how_the_gap_falls_is_fitted():
    """Gaps that fall by powers of families and width, with noise: the intervals hold the powers."""
    cells = [c for c in unseen_worlds.cells(False) if isinstance(c, Grown)]
    exact, rng = np.ones((64, 32)), np.random.default_rng(0)
    regrets = []
    for c in cells:
        gap = 40 * c.seen**-0.3 * c.width**-0.5
        regrets.append(exact + gap / 32 * rng.uniform(0.5, 1.5, size=(64, 1)))
    rows = curve(cells, regrets, exact)
    assert len(rows) == len(cells) + 2 and len({row["trained on"] for row in rows[:-2]}) == 3
    for row, power in zip(rows[-2:], (-0.3, -0.5), strict=True):
        assert row["low"] < power < row["high"] and row["high"] - row["low"] < 0.5
    with pytest.raises(BadInput, match="two widths"):
        curve(cells[:3], regrets[:3], exact)
