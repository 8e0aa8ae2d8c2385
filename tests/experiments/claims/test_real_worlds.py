"""The experiment `real-worlds`: its cells, its numbers, and a verdict that can go either way."""

import numpy as np
import pytest

from parley.core.draws import Draws
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from parley.experiments.claims import real_worlds
from parley.planners.habit import HabitPlanner


def kept(learns: float, spread: float, seed: int = 0) -> list[np.ndarray]:
    rng, found = np.random.default_rng(seed), []
    for c in real_worlds.cells(quick=True):
        rise = learns * np.linspace(0, 1, c.episodes) if c.planner == "habit" else 0.0
        scores = 0.3 + rise + spread * rng.standard_normal((c.runs, c.episodes))
        found.append(np.concatenate([scores, np.ones((c.runs, 1))], axis=1))
    return found


@pytest.mark.parametrize(
    "learns, spread, verdict", [(0.5, 0.1, SUPPORTED), (-0.5, 0.1, NOT_SUPPORTED), (0.0, 0.5, UNDECIDED)]
)
def test_the_verdict_follows_from_two_intervals(learns, spread, verdict):
    cells = real_worlds.cells(quick=True)
    finding = real_worlds.analyse(cells, kept(learns, spread, 2))
    assert finding.verdict == verdict and finding.interval[0] <= finding.estimate <= finding.interval[1]
    assert len(finding.rows) == len(cells) and finding.rows[0]["wall_s"] == 1.0
    real_worlds.drawn(finding.rows)


def test_a_cell_is_scores_and_seconds():
    cell = next(c for c in real_worlds.cells(quick=True) if c.planner == "habit")
    found = real_worlds.measure(cell, lambda record, runs: None)
    assert found.shape == (cell.runs, cell.episodes + 1) and (found[:, -1] > 0).all()
    assert ((found[:, :-1] >= 0) & (found[:, :-1] <= 1)).all()


def test_the_rule_finds_a_door_and_keeps_to_it():
    import parley
    from tests.worlds.odd import doors

    steps = list(parley.stepthrough(doors(length=8), "habit", seed=1, episodes=6, latent="0"))
    late = [s for s in steps if s.episode == 5]
    assert len(late) <= 2 and late[-1].reward == 1 and all(max(s.proposal.values()) == 1 for s in late)


def test_its_state_is_what_it_heard():
    from parley.core.said import Menu, Opening, Outcome

    planner, again = HabitPlanner(), HabitPlanner()
    menu, said = Menu.shared(("a", "b")), np.array(["here"] * 2, dtype=object)
    for one in (planner, again):
        one.start(Draws(0, 2))
    planner.hear(Opening(0, said, said))
    parts = np.array([["a"], ["b"]], dtype=object)
    planner.hear(Outcome(0, 1, parts, said, np.array([1.0, 0.0]), np.ones(2, dtype=bool)))
    again.restore(planner.snapshot())
    none = np.empty((2, 0), dtype=object)
    assert planner.propose(menu, none).probs.tolist() == again.propose(menu, none).probs.tolist() == [[1, 0], [1, 0]]
