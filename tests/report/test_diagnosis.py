"""Planted failures are named from the log; healthy runs are left alone; what cannot be judged is said."""

import json

import numpy as np
import pytest

from parley.cli import main
from parley.core.errors import BadInput
from parley.execute import RunConfig, run
from parley.experiments.claims.diagnosis import DELUDED, diagnosed
from parley.report.signatures import BELIEF, EXCESS_TRIALS, EXPLORE, HEALTHY, MODEL, NEXT, PRETRAINING, UNUSABLE
from tests.talker import Talker
from tests.view.test_page import answers_in

CASES = [
    (HEALTHY, HEALTHY, "shortcut", "exact", "adaptive", "each"),
    (HEALTHY, HEALTHY, "household", "exact", "none", None),
    (EXPLORE, EXPLORE, "shortcut", "exact:decode=greedy", "none", "each"),
    (EXPLORE, EXPLORE, "treasure:n=4", "exact:decode=greedy", "none", "each"),
    (PRETRAINING, PRETRAINING, "shortcut", "exact:label_error=0.4", "epsilon-greedy:epsilon=0.2", "each"),
    (BELIEF, BELIEF, "treasure:n=4", DELUDED, "none", "each"),
    (BELIEF, HEALTHY, "shortcut", DELUDED, "none", "1"),  # all runs have one secret: what they hear may have told it
]


@pytest.mark.parametrize(("planted", "alone", "world", "planner", "explorer", "latent"), CASES)
def test_planted_failures_are_named(planted, alone, world, planner, explorer, latent, tmp_path):
    out = tmp_path / "run"
    run(RunConfig(world, planner, explorer, episodes=80, runs=16, seed=3, latent=latent, record="steps"), out)
    found = diagnosed(out)
    assert found.signature == planted and found.because and found.try_next == NEXT[planted]
    assert bool(found.look_at) == (planted != HEALTHY)
    assert all(0 <= r < 16 and 60 <= t < 80 for r, t in found.look_at)
    curve = next(iter(found.evidence.curves.values()))
    late = curve[60:]
    assert curve.shape == (80,) and np.isfinite(late).any()
    if planted in (EXPLORE, PRETRAINING):  # what is drawn is what decided
        assert np.nanmean(late) > found.evidence.limit
    assert diagnosed(out, tables_too=False).signature == alone


NOISY = "exact:decode=greedy,label_error=0.1"  # it keeps 0.1 / M for every subgoal, and decides as if it did not
EXPLORERS = [
    (HEALTHY, HEALTHY, "signs:n=4", NOISY, "epsilon-greedy:epsilon=0.1"),
    (HEALTHY, HEALTHY, "generated:kind=ask", NOISY, "persistent-proposals"),
    (EXPLORE, EXPLORE, "treasure:n=4", NOISY, "epsilon-greedy:epsilon=0.005"),
    (EXCESS_TRIALS, EXCESS_TRIALS, "signs:n=4", "exact", "epsilon-greedy:epsilon=1"),
]


@pytest.mark.parametrize(("planted", "alone", "world", "planner", "explorer"), EXPLORERS)
def test_where_an_explorer_acts(planted, alone, world, planner, explorer, tmp_path):
    """Label noise is no doubt, also without tables; the doubt of a noisy planner is; exploring to the end is named."""
    out = tmp_path / "run"
    run(RunConfig(world, planner, explorer, episodes=120, runs=16, seed=3, latent="each", record="steps"), out)
    assert diagnosed(out).signature == planted
    found = diagnosed(out, tables_too=False)
    assert found.signature == alone
    if planner == NOISY and planted == HEALTHY:
        assert found.statistics["kept for worse"] > 0.01


@pytest.mark.slow
def test_a_world_model_of_another_world(tmp_path):
    spec = "world-model:model=transformer,search=expectimax"
    for world, expected in (("shortcut", HEALTHY), ("shortcut:noise=0.5", MODEL)):
        out = tmp_path / expected
        config = RunConfig(world, spec, "epsilon-greedy:epsilon=0.3", episodes=40, runs=8, latent="0", record="steps")
        run(config, out)
        assert diagnosed(out).signature == expected


def test_answers_that_choose_nothing(tmp_path):
    with Talker(answer=lambda text, seed: "fly to the moon") as talker:
        spec = f"endpoint:model=vllm/m,base_url={talker.base_url},way=parse,reasks=0"
        run(RunConfig("shortcut", spec, runs=2, episodes=8, record="steps"), tmp_path / "run")
    found = diagnosed(tmp_path / "run")
    assert found.signature == UNUSABLE and found.statistics["invalid"] == 1
    assert diagnosed(tmp_path / "run", tables_too=False).signature == UNUSABLE


def test_an_altered_world_is_judged_without_its_tables(tmp_path):
    config = RunConfig("household:reporter=noisy:0.2,floor=0.02", "exact", runs=4, episodes=10, record="steps")
    run(config, tmp_path / "run")
    assert "in doubt" in diagnosed(tmp_path / "run").statistics


def test_command(tmp_path, capsys):
    out = tmp_path / "run"
    run(RunConfig("shortcut", "exact:decode=greedy", runs=8, episodes=40, latent="each", record="steps"), out)
    assert main(["diagnose", str(out)]) == 0
    said = capsys.readouterr().out
    assert EXPLORE in said and "parley show" in said
    assert main(["report", str(out)]) == 0
    capsys.readouterr()
    answers = answers_in((out / "report.html").read_bytes())
    judged = answers[f"diagnosis?id={out}"]
    assert judged["signature"] == EXPLORE and "nothing was tried that could tell" in judged["because"]
    assert "BAIL, having heard the same" in judged["evidence"]["curves"]  # the figure of what decided
    run_, episode = diagnosed(out).look_at[0]
    assert f"episode?episode={episode}&id={out}&run={run_}" in answers
    assert (out / "diagnosis.png").stat().st_size > 5_000
    assert main(["diagnose", str(out), "--json", "--without-tables"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer[0]["signature"] == EXPLORE and answer[0]["statistics"]["in doubt"] == 1


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (dict(record="episodes", episodes=20), "--record steps"),
        (dict(record="steps", episodes=4), "8 at least"),
        (dict(record="steps", episodes=10, world="team"), "several Actors"),
    ],
)
def test_bad_input(config, said, tmp_path):
    run(RunConfig(**{"world": "shortcut", "planner": "exact", "runs": 4, **config}), tmp_path / "run")
    with pytest.raises(BadInput, match=said):
        diagnosed(tmp_path / "run")
