"""Cells that travel: every cell of every experiment arrives as what it was, and is measured as here."""

import json
from dataclasses import replace

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.execute import RunConfig
from parley.experiments.base import cell_name, keep_cell, stored_cell
from parley.experiments.cells import measuring, received, sent
from parley.experiments.claims import published_bandits, unseen_worlds
from parley.experiments.known import EXPERIMENTS
from tests.cluster.serial import Serial


def silent(*said):
    return lambda *done: None


FULL = {"unseen-worlds": [unseen_worlds.Grown("generated", families=8)]}  # of classes that quick sweeps do not have


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_cells_arrive_as_what_they_were(name):
    experiment = EXPERIMENTS[name]
    for cell in [*experiment.cells(True), *FULL.get(name, [])]:
        there = received(experiment, **json.loads(json.dumps(sent(experiment, cell))))
        assert there == cell and type(there) is type(cell) and cell_name(there) == cell_name(cell)


@pytest.mark.parametrize(
    ("experiment", "cell"),
    [
        (published_bandits, replace(published_bandits.cells(True)[0], runs=2)),
        (unseen_worlds, unseen_worlds.Property(unseen_worlds.SEEDS, episodes=8, runs=2)),
        (unseen_worlds, RunConfig(unseen_worlds.SEEDS, "exact", episodes=8, runs=2)),
    ],
)
def test_a_cell_of_another_class_is_measured_elsewhere_as_here(tmp_path, experiment, cell):
    keep_cell(experiment, cell, tmp_path / "here", lambda *said: None)
    measuring(Serial(), silent)(experiment, [cell], tmp_path / "there")
    (here,), (there,) = (list((tmp_path / at).iterdir()) for at in ("here", "there"))
    assert there.name == here.name == cell_name(cell) and there.read_bytes() == here.read_bytes()


class Laid:
    """An experiment whose cell is every second column of an array, which is not kept so."""

    @staticmethod
    def measure(config, bar):
        return np.random.default_rng(0).normal(size=(100, 2000))[:, ::2]


def test_a_cell_that_was_just_measured_is_what_will_be_read(tmp_path):
    config = RunConfig("shortcut")
    found = keep_cell(Laid, config, tmp_path, lambda *said: None)
    read = stored_cell(tmp_path / cell_name(config), config)
    assert found.sum() == read.sum() and found.strides == read.strides != Laid.measure(config, None).strides


class Stranger(RunConfig):
    """A class that no experiment has."""


def test_a_class_that_the_experiment_does_not_have_is_not_sent(tmp_path):
    with pytest.raises(BadInput, match="'Stranger' is no class of experiment 'linear-regret'"):
        measuring(Serial(), silent)(EXPERIMENTS["linear-regret"], [Stranger("shortcut")], tmp_path)
    with pytest.raises(BadInput, match="'os:system' is no class of"):
        received(EXPERIMENTS["linear-regret"], "os:system", {})
