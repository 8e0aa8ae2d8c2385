"""What every world that `assemble` knows must keep."""

import numpy as np
import pytest

from parley import assemble
from parley.worlds.kit.conformance import check_world
from parley.worlds.kit.physical import PhysicalWorld

SPECS = [
    # Those of other people need their names: tests/real/test_open_worlds.py.
    *(name for name, kind in assemble.WORLDS.items() if not str(kind.source).startswith("parley.worlds.open.")),
    *(
        "random:actors=2",
        "random:horizon=1,latents=1,states=1",
        "household:low_level=true",
        "treasure:n=2",
        "shortcut:jump=1",
    ),
]


@pytest.fixture(params=SPECS)
def world(request):
    return assemble.world(request.param)


def test_rows_sum_to_one(world):
    t = world.tables
    for rows in (t.prior, t.initial, t.transition, t.emission):
        assert (rows >= 0).all()
        np.testing.assert_allclose(rows.sum(axis=-1), 1, atol=1e-9)
    assert ((t.reward >= 0) & (t.reward <= 1)).all()
    for names in (t.states, t.observations, t.latents, t.instructions, *t.menus):
        assert len(set(names)) == len(names)


def test_docstring_says_what_the_issue_asks(world):
    for word in ("atent", "ubgoal", "nstruction", "orizon", "planner sees"):
        assert word in world.tables.doc


def test_a_world_conforms(world):
    """Same seed, same run, whatever the cohort; the tables' sentences; rewards in [0, 1]; closed menus."""
    size = (2, 1) if isinstance(world, PhysicalWorld) else (4, 2)  # physics takes its time
    assert check_world(world, *size) == []
