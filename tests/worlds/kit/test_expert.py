"""Regret where there are no tables: against what an expert reaches, with the error of that."""

import json

import numpy as np
import pytest

from parley.cli import main
from parley.core.errors import BadInput, RunDamaged
from parley.execute import RunConfig, run
from parley.report.summary import Curves, expert_doubt
from parley.worlds.kit.expert import expert_values
from parley.worlds.kit.physical import PhysicalWorld
from tests.worlds.toy import SUBGOALS, toy

LAKE = "examples.bring_your_own_world:lake"


def known(z, instruction, said):
    return SUBGOALS[0]


def made(expert=known, **more) -> PhysicalWorld:
    t = toy()
    return PhysicalWorld(t.name, t.script, t.latents, t.prior, t.text_env, expert=expert, **more)


def test_values_are_those_of_the_expert_and_of_nobody_else():
    """Subgoals that are drawn: the mean of 400 episodes has an error; only latents that are asked for are played."""
    rng = np.random.default_rng(0)
    drawn = made(lambda z, instruction, said: str(rng.choice(SUBGOALS)), expert_episodes=400)
    found = expert_values(drawn, [1, 1], seed=3)
    assert found.latents == (1,) and 0.02 < found.error[0, 0] < 0.1
    assert abs(found.value[0, 0] - 1.5) < 5 * found.error[0, 0]  # half of three steps to the side without a wall
    again = [expert_values(made(), [0, 1], seed=3) for _ in range(2)]
    assert np.array_equal(again[0].value, again[1].value)
    assert expert_values(toy(), [0], 0) is None and expert_values(made(altered=True), [0], 0) is None
    with pytest.raises(BadInput, match="expert_episodes=1: expected at least 2"):
        made(expert_episodes=1)


def test_the_expert_hears_the_episode():
    heard = []

    def listening(z, instruction, said):
        heard.append(said)
        return SUBGOALS[len(said) // 2 % 2]

    expert_values(made(listening, expert_episodes=2), [0], 0)
    horizon = toy().horizon
    assert [len(said) for said in heard[:horizon]] == [2 * h + 1 for h in range(horizon)]
    assert heard[1][1] == SUBGOALS[0]


def test_a_run_has_regret_against_the_expert(tmp_path, capsys):
    """Who always takes the right shore has none; the interval holds the error of the expert's value too."""
    out = tmp_path / "right"
    manifest = run(RunConfig(LAKE, "scripted:script=cross by the south shore", episodes=3, runs=4, latent="0"), out)
    assert manifest["expert"]["values"] == {"thin ice in the north": {"cross the lake": [0.5, 0.0]}}
    curves = Curves.read(out)
    assert curves.measure == "regret" and curves.values.sum() == 0 and curves.summary().regret_text == "0.00 ± 0.00"
    wrong = tmp_path / "wrong"
    run(RunConfig(LAKE, "scripted:script=cross by the north shore", episodes=3, runs=4, latent="0"), wrong)
    assert Curves.read(wrong).values.tolist() == [[0.5] * 3] * 4
    changed = json.loads((wrong / "manifest.json").read_text())
    changed["expert"]["values"]["thin ice in the north"]["cross the lake"][1] = 0.1
    (wrong / "manifest.json").write_text(json.dumps(changed))
    assert Curves.read(wrong).band()[1] == pytest.approx(1.96 * 0.1 * np.arange(1, 4), rel=1e-3)
    assert main(["show", str(wrong)]) == 0 and "1.50" in capsys.readouterr().out
    with pytest.raises(RunDamaged, match="values of the expert are damaged"):
        expert_doubt({"expert": {"values": {}}, "latents": ["a"]}, np.array([["b"]], dtype=object))
