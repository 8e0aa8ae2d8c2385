"""No text of a figure lies on another, on data or beyond the edge, whatever the number and length of names."""

import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from scripts.figures import FIGURES as CONCEPTS

import parley
from parley.experiments.slopes import points_figure
from parley.report.plots import (
    by_world,
    curves_figure,
    dots_figure,
    evidence_figure,
    loglog_figure,
    loglog_panels,
    regret_figure,
    reliability_figure,
)
from parley.report.signatures import Evidence
from parley.report.style import COLOURS, looks
from parley.report.summary import Curves
from tests.report.overlaps import overlaps

SHORT, LONG = "epsilon-greedy", "transformer:decode=greedy, epsilon-greedy:epsilon=0.1,policy=designed"
RNG = np.random.default_rng(0)


def curves(number: int, name: str, alike: bool = False) -> Figure:
    slopes = np.ones(number) if alike else np.linspace(0.01, 2, number)
    rows = [(f"{name} {i}", slope * RNG.uniform(0.9, 1.1, (16, 200)).cumsum(axis=1)) for i, slope in enumerate(slopes)]
    return curves_figure("a world with a name", "episode", "cumulative regret", rows)


def loglog(low: float, high: float, number: int) -> Figure:
    points = {f"{SHORT} {i}": [(x, x**0.5) for x in np.geomspace(low, high, 5)] for i in range(number)}
    return loglog_figure("a claim", "episodes", "regret", points, 0.5)


def dots(name: str) -> Figure:
    names = [f"{name}, seed={i}" for i in range(88)]
    columns = {key: RNG.uniform(0, 50, 88) for key in ("adaptive", "limit", LONG)}
    return dots_figure(f"{LONG}: worst", f"regret of {LONG}", names, columns, columns)


def points() -> Figure:
    rows = [{"error": 0.1 * i, "regret": i, "low": i - 1, "high": i + 1} for i in range(5)]
    return points_figure(LONG, f"error of {LONG}", {LONG: rows, SHORT: rows})


def runs() -> Figure:
    """Runs of several worlds, one of them with a name longer than its panel, and of planners with long names."""
    worlds = "shortcut", "random:seed=64,latents=4,states=5,observations=2,subgoals=2,instructions=2,horizon=1"
    with tempfile.TemporaryDirectory() as folder:
        curves = []
        for i, (world, explorer) in enumerate(product(worlds, ("none", "epsilon-greedy:epsilon=0.1,policy=designed"))):
            parley.run(world, "exact:decode=greedy", explorer, episodes=20, runs=4, out=Path(folder) / str(i))
            curves.append(Curves.read(Path(folder) / str(i)))
        return regret_figure(by_world(curves))


def evidence() -> Figure:
    found = Evidence("total variation to BAIL", {SHORT: RNG.uniform(size=20)}, 0.1)
    return evidence_figure([("runs/a", found), ("runs/b", found)])


def reliability() -> Figure:
    rows = [(LONG, RNG.uniform(0.1, 1, (10, 3)))]
    return reliability_figure([("household", rows), ("weather", rows)])


FIGURES = {
    "one curve": lambda: curves(1, SHORT),
    "four curves": lambda: curves(4, SHORT),
    "curves that end at one height": lambda: curves(6, SHORT, alike=True),
    "long names": lambda: curves(4, LONG),
    "more curves than colours": lambda: curves(14, SHORT),
    "within a decade": lambda: loglog(200, 700, 2),
    "more points than colours": lambda: loglog(1, 100, 27),
    "six decades": lambda: loglog(1, 1e6, 8),
    "88 rows": lambda: dots("random"),
    "88 rows with long names": lambda: dots(LONG),
    "points": points,
    "evidence": evidence,
    "reliability": reliability,
    "runs": runs,
    "panels": lambda: loglog_panels("x", "y", {f"{LONG} {i}": {SHORT: [(1, 2, 0.5), (9, 4, 1.0)]} for i in range(3)}),
    **CONCEPTS,
}


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_overlaps(name):
    assert overlaps(FIGURES[name]()) == []


def test_overlaps_are_found():
    figure = Figure()
    figure.text(0.5, 0.5, "one text")
    figure.text(0.52, 0.5, "another")
    figure.text(0.99, 0.1, "beyond the edge")
    ax = figure.subplots()
    ax.plot([0, 1], label="a line")
    ax.legend(loc="center")
    found = overlaps(figure)
    assert {"'one text' on 'another'", "'beyond the edge' is cut off", "a legend on its panel"} <= set(found)


def test_series_differ_in_colour_or_dashes_and_in_colour_or_marker():
    assert len({look[:2] for look in looks(18)}) == 18 and len({look[0] for look in looks(6)}) == len(COLOURS)
    assert len({look[::2] for look in looks(36)}) == 36
