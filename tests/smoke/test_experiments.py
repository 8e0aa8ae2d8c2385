"""Experiments: verdicts from intervals, cells that are kept, and both experiments in small."""

import json
from dataclasses import replace

import numpy as np
import pytest

from parley import cli
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
    with pytest.raises(SystemExit):
        cli.main(["experiment"])
    assert cli.main(["experiment", "run", "linear-regrets"]) == 2
