"""The experiment `calibration`: what is taken off scores, and a verdict that can go either way."""

import numpy as np
import pytest

from parley.experiments.claims import calibration
from parley.experiments.claims.calibration import METHODS, WORLDS, distance, fitted, laws, row
from parley.experiments.judging import PARTS, WIDE, Judged, judge
from tests.tiny import tiny_language_model


def judged(menu: int, seed: int, knows: float, habit: float, order: float) -> np.ndarray:
    """Decisions of a made-up model that knows what is right, has habits, and likes what stands first."""
    rng = np.random.default_rng(seed)
    found, likes = np.full((40, len(PARTS), WIDE), np.nan), habit * rng.normal(size=menu)
    at = {name: i for i, name in enumerate(PARTS)}
    for n in range(len(found)):
        law = rng.dirichlet(np.ones(menu))
        for p in range(2):
            first = order * np.roll(np.arange(menu)[::-1], p * menu // 2)
            found[n, at[f"scores {p}"], :menu] = knows * np.log(law) + likes + first
            found[n, at[f"contextual {p}"], :menu] = found[n, at[f"pmi {p}"], :menu] = likes + first
        found[n, at["bail"], :menu], found[n, at["loss"], :menu] = law, law.max() - law
    return found.reshape(len(found), -1)


def test_each_method_takes_off_what_it_is_there_for():
    plain, ordered = judged(4, 0, 1.0, 2.0, 0.0), judged(4, 0, 1.0, 0.0, 1.0)
    assert distance(plain, "contextual", 1.0) < 1e-9 < 0.2 < distance(plain, "raw", 1.0)
    assert distance(ordered, "orders", 1.0) < distance(ordered, "raw", 1.0)
    told = row(ordered, "orders", 1.0)
    assert told["agreement"] < 1 and row(plain, "raw", 1.0)["agreement"] == 1
    assert row(plain, "contextual", 1.0)["loss"] < 1e-9 < row(plain, "raw", 1.0)["loss"]
    for method in METHODS:
        np.testing.assert_allclose(laws(plain, method, 2.0).sum(axis=-1), 1)
    assert 1.8 < fitted([judged(4, 1, 2.0, 0.0, 0.0)], "raw") < 2.3


@pytest.mark.parametrize(("habit", "verdict"), [(3.0, "supported"), (0.0, "contradicted")])
def test_the_verdict_can_go_either_way(habit, verdict):
    cells = calibration.cells(quick=True)
    knows = {"sentences": 1.0, "letters": 0.0}
    found = [judged(3, i, knows[c.planner.partition("way=")[2]], habit, 0.0) for i, c in enumerate(cells)]
    finding = calibration.analyse(cells, found)
    assert (finding.verdict == "supported") == (verdict == "supported")
    assert {one["world"] for one in finding.rows} == {"mean", *WORLDS[:2]}
    calibration.drawn(finding.rows)


def test_decisions_are_judged_beside_the_exact_planner(tmp_path):
    folder = tiny_language_model(tmp_path)
    config = Judged("shortcut", f"hf:{folder},way=letters,template=chat", episodes=2, runs=2, seed=5)
    found = judge(config)
    of = calibration.parts(found)
    assert len(found) == 2 * 2 * 3 and np.nansum(of["bail"], axis=1) == pytest.approx(1)
    assert (np.nanmin(of["loss"], axis=1) == 0).all()
    assert (judge(config) == found)[~np.isnan(found)].all()
