"""The answer of `parley theory WORLD`."""

import json
import math
import sys

import pytest

from parley.core.errors import BadInput
from parley.experiments.summary import theory_summary


def test_treasure():
    found = theory_summary("treasure:n=16", 10_000)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["eta"]["uniform"] == pytest.approx(1 / 16) and found["eta"]["designed"] == pytest.approx(1)
    assert found["c_z"] == pytest.approx(31) and [len(group) for group in found["classes"]] == [1, 15]
    log = math.log(31 * 2 * 100)
    assert found["epsilon"]["uniform"] == pytest.approx(math.sqrt(log * 16 / 10_000))
    assert found["bound"]["designed"] == pytest.approx(math.sqrt(10_000 * log))
    # Uniform: fifteen sixteenths of a miss under z_1; a sixteenth of the first chest under the others.
    assert found["cost"]["uniform"] == pytest.approx(1 / 32 * 0.5 * 15 / 16 + 31 / 32 * 0.5 / 16)
    assert found["gap"]["designed"] < 1e-9 and found["notes"][0].startswith("latents that no policy can tell apart")
    assert found["reveals_itself"] == {"greedy": False, "sample": True} and '"gold in chest 1"' in found["verdict"]


@pytest.mark.parametrize("world", ["shortcut", "household", "traps", "random"])
def test_shipped_worlds(world):
    found = theory_summary(world, 200)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["eta"]["designed"] >= found["eta"]["uniform"] - 1e-9
    cheap, best = (found["cost"][name] / found["eta"][name] for name in ("cheapest", "designed"))
    assert cheap <= best + 1e-6
    assert found["verdict"].startswith(world)


def test_without_scipy_the_rest_is_still_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    found = theory_summary("shortcut:open=0.15", 100)
    assert found["eta"]["uniform"] > 0 and found["eta"]["designed"] is None
    assert any("parley-rl[theory]" in note for note in found["notes"])


def test_bad_input():
    with pytest.raises(BadInput, match="episodes=0"):
        theory_summary("shortcut", 0)
    with pytest.raises(BadInput, match="did you mean 'shortcut'"):
        theory_summary("shortcutt")
