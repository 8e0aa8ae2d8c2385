"""The experiment `tuned-model`: a verdict that each part of its claim can turn, and the adapter that it names."""

import numpy as np
import pytest

from parley.experiments.claims import tuned_model
from parley.experiments.claims.tuned_model import ARMS, WORLDS
from parley.models.adapter import Adapter

CLAIMED = {
    "random": 1.0,
    "exact": 0.2,
    "tuned": 0.4,
    "tuned, no memory": 0.7,
    "as it is, chat": 1.0,
    "as it is, transcript": 0.9,
    "small": 0.8,
}


def finding(losses, better_in=WORLDS):
    """The finding of made-up runs, which lose about so much; the small checkpoint is as good but for some worlds."""
    rng, titles, cells = np.random.default_rng(0), {spec: arm for arm, spec in ARMS.items()}, tuned_model.cells(False)
    found = []
    for cell in cells:
        mean = losses[titles[cell.planner]]
        if titles[cell.planner] == "small" and cell.world not in better_in:
            mean = 0.1
        found.append(rng.gamma(40, mean / 40, size=(cell.runs, cell.episodes)))
    tuned_model.figure(cells, found)
    return tuned_model.analyse(cells, found)


def test_the_claim_can_hold():
    told = finding(CLAIMED)
    assert told.verdict == "supported" and 0.2 < told.interval[0] < told.estimate < 0.4
    assert finding(CLAIMED, better_in=WORLDS[2:]).verdict == "supported"  # one of the three worlds is enough


@pytest.mark.parametrize("arm", tuned_model.BEATS)
def test_each_part_can_refute_it(arm):
    assert finding({**CLAIMED, arm: 0.3}).verdict == "not supported"


def test_no_better_than_the_small_checkpoint_anywhere_refutes_it():
    assert finding(CLAIMED, better_in=()).verdict == "not supported"


def test_no_world_is_one_that_says_when_tuning_stops():
    seeds = [int(world.partition("seed=")[2].partition(",")[0]) for world in tuned_model.FAMILIES]
    assert max(seeds) < 1_002_000_000 and len(set(seeds)) == len(seeds)


def test_the_adapter_ships():
    adapter = Adapter.named("smollm2-planner")
    assert adapter.about["model"] == "smollm2" and len(list(adapter.changes())) > 0
    assert sum(path.stat().st_size for path in adapter.folder.iterdir()) < 10_000_000


def test_a_directory_goes_before_a_shipped_adapter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smollm2-planner").mkdir()
    assert Adapter.named("smollm2-planner").about == {}
