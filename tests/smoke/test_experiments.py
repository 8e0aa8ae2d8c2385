"""Experiments: verdicts from intervals, cells that are kept, and both experiments in small."""

import json
from dataclasses import replace

import numpy as np
import pytest

from parley import assemble, cli
from parley.core.draws import Draws
from parley.experiments import EXPERIMENTS, epsilon_greedy, linear_regret
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED, at_least, at_most, conduct


def silent(label, total):
    return lambda record, runs: None


def test_verdicts_come_from_intervals():
    assert [at_most(*i, 1.0) for i in ((0.5, 0.9), (0.5, 1.1), (1.1, 1.2))] == [SUPPORTED, UNDECIDED, NOT_SUPPORTED]
    assert [at_least(*i, 1.0) for i in ((1.1, 1.2), (0.9, 1.1), (0.5, 0.9))] == [SUPPORTED, UNDECIDED, NOT_SUPPORTED]


def test_cells_are_kept_and_only_for_the_same_configuration(tmp_path, monkeypatch):
    cells = [replace(c, episodes=20, runs=4) for c in linear_regret.cells(True)]
    monkeypatch.setattr(linear_regret, "cells", lambda quick: cells)
    begun = []

    def begin(label, total):
        begun.append(label)
        return silent(label, total)

    first, _ = conduct(linear_regret, tmp_path, True, begin)
    again, _ = conduct(linear_regret, tmp_path, True, begin)
    assert len(begun) == 3 and first == again and first.verdict == SUPPORTED
    (tmp_path / "cell-0.npz").write_bytes(b"damaged")
    cells[1] = replace(cells[1], seed=5)
    conduct(linear_regret, tmp_path, True, begin)
    assert len(begun) == 5


def test_linear_regret_is_not_supported_by_curves_that_bend():
    t = np.arange(1, 201)
    bent = np.tile(np.diff(np.sqrt(t), prepend=0.0), (8, 1))
    cells = linear_regret.cells(True)
    assert linear_regret.analyse(cells, [bent] * 3).verdict == NOT_SUPPORTED
    assert linear_regret.analyse(cells, [np.zeros((8, 200))] * 3).verdict == NOT_SUPPORTED


def test_epsilon_greedy_tells_the_rate_from_a_line():
    cells = epsilon_greedy.cells(True)
    rng = np.random.default_rng(0)
    for power, verdict in ((0.45, SUPPORTED), (1.0, NOT_SUPPORTED)):
        regrets = [rng.uniform(0.9, 1.1, (64, 1)) * c.episodes**power for c in cells]
        assert epsilon_greedy.analyse(cells, regrets).verdict == verdict


@pytest.mark.parametrize("name", ["delusion", "designed-exploration"])
def test_differences_are_taken_run_by_run(name):
    """A cell that loses more in every run is found out through any noise that the runs share; equal cells are not."""
    experiment = EXPERIMENTS[name]
    cells, shared = experiment.cells(True), np.random.default_rng(0).exponential(size=(32, 50))
    worse = [shared + 0.1 * (i > 0) for i in range(len(cells))]
    worse = worse if name == "delusion" else worse[::-1]
    assert experiment.analyse(cells, worse).verdict == SUPPORTED
    noise = [np.random.default_rng(i).exponential(size=(32, 50)) for i in range(len(cells))]
    assert experiment.analyse(cells, worse[::-1]).verdict == NOT_SUPPORTED
    assert experiment.analyse(cells, noise).interval[0] < experiment.analyse(cells, noise).interval[1]


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("quick", [True, False])
def test_every_cell_can_be_assembled(name, quick):
    for config in EXPERIMENTS[name].cells(quick):
        world = assemble.world(config.world)
        latents = assemble.draw_latents(world, Draws(0, 2), config.latent)
        scene = assemble.Scene(config.world, world, latents, config.episodes)
        assert assemble.planner(config.planner, scene) and assemble.explorer(config.explore, scene)


def test_command(capsys, tmp_path, monkeypatch):
    cells = [replace(c, episodes=20, runs=4) for c in linear_regret.cells(True)]
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
