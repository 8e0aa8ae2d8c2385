"""No text lies on another in the figures of the experiments: rows as measured, curves as drawn here."""

from collections.abc import Callable

import numpy as np
import pytest
from scripts import redraw
from scripts.redraw import DRAWN, rows

from parley.execute import RunConfig
from parley.experiments.claims import world_model
from parley.experiments.claims.unseen_worlds import Seen
from parley.experiments.known import EXPERIMENTS
from tests.report.overlaps import overlaps

# Its figure is of scores of a model for every menu. It is drawn by `dots_figure`, as in tests/report/test_figures.py.
LEFT_OUT = {"calibration"}
MOST_EPISODES = 400


def curves(config: RunConfig, rng: np.random.Generator) -> np.ndarray:
    """(R, T), of a size of its own."""
    shape = config.runs, min(config.episodes, MOST_EPISODES)
    return rng.gamma(2.0, 0.5, shape) * 10 ** rng.uniform(-1, 1)


def several(number: int) -> Callable[[RunConfig, np.random.Generator], np.ndarray]:
    return lambda config, rng: np.stack([curves(config, rng) for _ in range(number)])


MEASURED: dict[str, Callable[[RunConfig, np.random.Generator], np.ndarray]] = {
    "delusion": several(2),
    "continuous-control": several(2),
    "jump": lambda config, rng: np.stack([rng.random((config.runs, config.episodes)) < at for at in (0.9, 0.1)]),
    "paid-information": lambda config, rng: rng.gamma(2.0, 5.0, (config.runs, 1)),
    "unseen-worlds": lambda config, rng: np.zeros((1, 1)) if isinstance(config, Seen) else curves(config, rng),
}


@pytest.mark.parametrize("name", DRAWN)
def test_no_text_of_a_figure_of_rows_overlaps(name):
    found = rows(name)
    assert found and overlaps(DRAWN[name](found)) == []


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name not in {*LEFT_OUT, *DRAWN}])
def test_no_text_of_an_experiments_figure_overlaps(name):
    experiment, rng = EXPERIMENTS[name], np.random.default_rng(0)
    cells = experiment.cells(False)
    drawn = experiment.figure(cells, [MEASURED.get(name, curves)(config, rng) for config in cells])
    assert overlaps(drawn) == []


def test_no_text_of_reliabilities_overlaps():
    cells, rng = world_model.cells(False), np.random.default_rng(0)
    width = world_model.KEPT + 3 * world_model.BINS
    assert overlaps(world_model.reliability(cells, [rng.random((8 + one.episodes, width)) for one in cells])) == []


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1,000", 1000.0), ("'-0.00768", -0.00768), ("[477, 4,770]", [477, 4770]), ("a, b", "a, b"), ("1e-05", 1e-05)],
)
def test_cells_of_earlier_tables_are_read(cell, value):
    assert redraw._value(cell) == value
