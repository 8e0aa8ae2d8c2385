"""Each experiment's figure of its full sweep, with drawn numbers for what it measured: no text lies on another."""

from collections.abc import Callable

import numpy as np
import pytest

from parley.execute import RunConfig
from parley.experiments.claims import search_budget, world_model
from parley.experiments.claims.unseen_worlds import Seen
from parley.experiments.known import EXPERIMENTS
from tests.report.overlaps import overlaps

# Their figures need what takes minutes to compute: tables of 81 families, trained Reporters, forces, scores of a model.
# They are drawn by functions that tests/report/test_figures.py draws with many worlds and long names.
LEFT_OUT = {"adaptive-exploration", "actor-error", "reporter-error", "traps", "calibration"}
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
    "diagnosis": lambda config, rng: rng.integers(0, 5, (1, 2)),
    "real-models": lambda config, rng: rng.integers(0, 2, (config.runs, config.episodes, 4)),
    "paid-information": lambda config, rng: rng.gamma(2.0, 5.0, (config.runs, 1)),
    "search-budget": lambda config, rng: np.sort(rng.random((16, 4 * len(search_budget.HEARD), 3))),
    "world-model": lambda config, rng: rng.random((8 + config.episodes, world_model.KEPT + 3 * world_model.BINS)),
    "unseen-worlds": lambda config, rng: np.zeros((1, 1)) if isinstance(config, Seen) else curves(config, rng),
}


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name not in LEFT_OUT])
def test_no_text_of_an_experiments_figure_overlaps(name):
    experiment, rng = EXPERIMENTS[name], np.random.default_rng(0)
    cells = experiment.cells(False)
    drawn = experiment.figure(cells, [MEASURED.get(name, curves)(config, rng) for config in cells])
    assert overlaps(drawn) == []
