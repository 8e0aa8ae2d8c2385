"""Experiments: verdicts from intervals, cells that are kept, and both experiments in small."""

import json
from dataclasses import replace

import numpy as np
import pytest

from parley import assemble, cli
from parley.core.errors import BadInput
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, at_least, at_most, cell_name, conduct
from parley.experiments.claims import any_planner, linear_regret
from parley.experiments.claims.pretraining_error import Training
from parley.experiments.claims.world_model import Observing
from parley.experiments.grown import Grown
from parley.experiments.known import EXPERIMENTS


def silent(label, total):
    return lambda record, runs: None


def test_verdicts_come_from_intervals():
    assert [at_most(*i, 1.0) for i in ((0.5, 0.9), (0.5, 1.1), (1.1, 1.2))] == [SUPPORTED, UNDECIDED, NOT_SUPPORTED]
    assert [at_least(*i, 1.0) for i in ((1.1, 1.2), (0.9, 1.1), (0.5, 0.9))] == [SUPPORTED, UNDECIDED, NOT_SUPPORTED]


def test_cells_are_kept_and_only_for_the_same_configuration(tmp_path, monkeypatch):
    cells = [replace(c, episodes=20, runs=4) for c in linear_regret.cells(True)[:3]]  # those decoded greedily
    monkeypatch.setattr(linear_regret, "cells", lambda quick: cells)
    begun = []

    def begin(label, total):
        begun.append(label)
        return silent(label, total)

    first, _ = conduct(linear_regret, tmp_path, True, begin)
    again, _ = conduct(linear_regret, tmp_path, True, begin)
    assert len(begun) == 3 and first == again and first.verdict == SUPPORTED
    (tmp_path / cell_name(cells[0])).write_bytes(b"damaged")
    cells[1] = replace(cells[1], seed=5)
    conduct(linear_regret, tmp_path, True, begin)
    assert len(begun) == 5


def test_linear_regret_is_not_supported_by_curves_that_bend():
    t = np.arange(1, 201)
    bent = np.tile(np.diff(np.sqrt(t), prepend=0.0), (8, 1))
    cells = linear_regret.cells(True)
    flat, straight, p = np.zeros((8, 200)), np.full((8, 200), 0.5), 1 / 16
    found = np.tile(0.5 * (1 - p) ** t, (8, 1))  # what sampling loses until the gold chest is opened
    for greedy, sampled, verdict in (
        (straight, found, SUPPORTED),
        (bent, found, NOT_SUPPORTED),
        (flat, found, NOT_SUPPORTED),
        (straight, 0.3 * found, NOT_SUPPORTED),  # below the bound
        (straight, straight, NOT_SUPPORTED),  # linear for ever
    ):
        assert linear_regret.analyse(cells, [greedy] * 3 + [sampled]).verdict == verdict


def test_differences_are_taken_run_by_run():
    """A cell that loses more in every run is found out through any noise that the runs share; equal cells are not."""
    experiment = EXPERIMENTS["designed-exploration"]
    cells, shared = experiment.cells(True), np.random.default_rng(0).exponential(size=(32, 50))
    better = [shared + 0.1 * (i < len(cells) - 1) for i in range(len(cells))]
    assert experiment.analyse(cells, better).verdict == SUPPORTED
    noise = [np.random.default_rng(i).exponential(size=(32, 50)) for i in range(len(cells))]
    assert experiment.analyse(cells, better[::-1]).verdict == NOT_SUPPORTED
    assert experiment.analyse(cells, noise).interval[0] < experiment.analyse(cells, noise).interval[1]


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("quick", [True, False])
def test_every_cell_can_be_assembled(name, quick):
    """Once for each planner and explorer of each world; a refusal of the theory's epsilon or of a large tree is one."""
    refused, seen = 0, set()
    for config in EXPERIMENTS[name].cells(quick):
        key = (config.world, config.planner, config.explore)
        made = (
            "learned:" in config.world,
            "cloned:" in config.world,
            "endpoint" in config.planner,
            config.planner == "served",
            "smollm2" in config.planner or "gemma3" in config.planner,  # hundreds of MB, tried in tests/real
            (config.planner, config.explore) in (any_planner.BOOTSTRAPPED, any_planner.COUNTS),  # its own explorers
        )
        if key in seen or isinstance(config, (Training, Grown, Observing)) or any(made):
            continue  # what is trained or served on the spot has tests of its own
        seen.add(key)
        world = assemble.world(config.world)
        latents = np.arange(min(len(world.latents), 1000))  # those of an environment of seeds are billions
        scene = assemble.Scene(config.world, world, latents, config.episodes)
        try:
            assert assemble.planner(config.planner, scene) and assemble.explorer(config.explore, scene)
        except BadInput:
            assert name == "adaptive-exploration" and ("theory" in config.explore or "bayes" in config.explore)
            refused += 1
    assert refused <= len(seen) / 4


def test_command(capsys, tmp_path, monkeypatch):
    cells = [replace(c, episodes=20, runs=4) for c in linear_regret.cells(True)[:3]]  # those decoded greedily
    monkeypatch.setattr(linear_regret, "cells", lambda quick: cells)
    arguments = ["experiment", "run", "linear-regret", "--quick", "--out", str(tmp_path / "e"), "--json"]
    assert cli.main(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == SUPPORTED and len(answer["interval"]) == 2 and answer["claim"]
    assert (tmp_path / "e" / "figure.png").exists()
    assert cli.main(["experiment", "list", "--json"]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)} == set(EXPERIMENTS)
    assert cli.main(["experiment", "run", "linear-regrets"]) == 2


def test_theory(capsys):
    assert cli.main(["theory", "treasure:n=16", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["eta"]["uniform"] == pytest.approx(1 / 16) and answer["eta"]["designed"] == pytest.approx(1)
    assert (
        answer["c_z"] == pytest.approx(31)
        and not answer["reveals_itself"]["greedy"]
        and answer["bound"]["designed"] > 0
    )
    assert cli.main(["theory", "shortcut"]) == 0
    assert "the back door is open" in " ".join(capsys.readouterr().out.split())
    assert cli.main(["theory", "shortcut", "--episodes", "0"]) == 2


def test_theory_in_words(capsys):
    assert cli.main(["theory", "treasure:n=8"]) == 0
    said = capsys.readouterr().out
    words = " ".join(said.split())
    assert "treasure:n=8 does not reveal itself" in words and "(and 6 that cannot be told from it)" in words
    assert '"nothing in chest 1, taste for chest 2", "nothing in chest 1, taste for chest 3" and 5 more' in words
    assert "T = 1,000; the bound's constants, open in the paper, are 1\n" in "\n".join(
        map(str.strip, said.splitlines())
    )
    assert "simulated" not in words
    assert cli.main(["theory", "traps", "--episodes", "10000"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "T = 10,000; " in words and "planners were simulated for the first 200 episodes only" in words
    assert "simulated: the first 200 of T = 10,000 episodes" in words
