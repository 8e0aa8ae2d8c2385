"""Averaged targets: those of the exact planner, and of the exact world model, that read the same documents."""

import numpy as np
import pytest

from parley.core.draws import Draws
from parley.core.said import Menu, Opening, Outcome
from parley.data.averaged import averaged
from parley.data.documents import sample_documents
from parley.evaluation.evaluate import matching
from parley.planners.exact import ExactPlanner
from parley.planners.prediction import ExactWorldModel, ReadingWorldModel
from parley.theory.beliefs import Beliefs
from parley.worlds.household.tables import House, house_tables
from parley.worlds.tabular.weather import weather

NUM = 20


@pytest.mark.parametrize(
    ("tables", "rho", "behaviour"),
    [
        (house_tables(House()), 0.0, "mixed"),
        (house_tables(House()), 0.3, "uniform"),
        (weather(), 0.0, "uniform"),
        (weather(), 1.0, "uniform"),
    ],
)
def test_they_are_what_the_exact_reader_says(tables, rho, behaviour):
    beliefs, rows = Beliefs(tables), np.arange(NUM)
    documents = averaged(beliefs, sample_documents(beliefs, NUM, 3, (1,), rho, behaviour), matching(rho))
    planner = ExactPlanner(beliefs, matching(rho))
    model = ReadingWorldModel(beliefs, planner) if rho else ExactWorldModel(beliefs, planner)
    instructions, observations, subgoals = (
        np.array(names, dtype=object) for names in (tables.instructions, tables.observations, tables.menus[0])
    )
    nothing, imagined = np.empty((NUM, 0), dtype=object), np.empty((NUM, 0), dtype=np.intp)
    assert documents.expected is not None
    planner.start(Draws(0, NUM))
    for e in range(3):
        before = planner.snapshot()["settled"]
        weights = np.exp(before - before.max(axis=1, keepdims=True))
        opened = weights / weights.sum(axis=1, keepdims=True) @ beliefs.first_prob
        np.testing.assert_allclose(documents.expected[:, e, 0], opened, atol=1e-9)
        seen = observations[documents.observations[:, e]]
        planner.hear(Opening(e, instructions[documents.instructions[:, e]], seen[:, 0]))
        for h in range(tables.horizon):
            proposed = planner.propose(Menu.shared(tables.menus[0]), nothing).probs
            np.testing.assert_allclose(documents.labels[:, e, h], proposed, atol=1e-9)
            subgoal = documents.subgoals[:, e, h]
            heard = model.predict(rows, imagined, imagined).observations[rows, subgoal]
            np.testing.assert_allclose(documents.expected[:, e, h + 1], heard, atol=1e-9)
            said = subgoals[subgoal][:, None]
            planner.hear(Outcome(e, h + 1, said, seen[:, h + 1], np.zeros(NUM), np.ones(NUM, dtype=bool)))


def test_parts_of_documents_keep_them():
    beliefs = Beliefs(weather())
    documents = averaged(beliefs, sample_documents(beliefs, 4, 3, (1,)))
    assert documents.expected is not None
    part = documents[np.array([2, 0])].first(2).expected
    np.testing.assert_array_equal(part, documents.expected[[2, 0], :2])
