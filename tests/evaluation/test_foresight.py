"""Predictions at every depth: the exact model against enumeration and against itself, and a model that is off."""

import numpy as np

from parley.core.draws import Draws
from parley.core.said import Opening, Prediction
from parley.data.documents import sample_documents
from parley.evaluation.foresight import ahead, foresight
from parley.planners.prediction import ExactWorldModel
from parley.theory.beliefs import Beliefs
from parley.worlds.tabular.random_family import random_family
from tests.theory import brute_force


def small():
    return random_family(latents=2, states=3, observations=3, subgoals=2, instructions=1, horizon=3, seed=5)


def test_what_lies_between_is_summed_out():
    tables = small()
    model = ExactWorldModel(Beliefs(tables))
    model.start(Draws(0, 2))
    names = np.array(tables.observations, dtype=object)
    model.hear(Opening(0, np.array(tables.instructions * 2, dtype=object), names[[1, 1]]))
    given = [1, 0, 1]
    laws = ahead(model, np.array([given, given]), cut=0.0)
    for d in range(3):
        expected = np.zeros(3)
        for between in np.ndindex(*[3] * d):
            for o in range(3):
                path = [1, *between, o]
                for z in range(2):
                    expected[o] += tables.prior[z] * brute_force.joint(tables, z, path, given[: d + 1]).sum()
        np.testing.assert_allclose(laws[0, d], expected / expected.sum(), atol=1e-12)
        np.testing.assert_allclose(laws[1, d], laws[0, d])


class Blurred(ExactWorldModel):
    """Half of what is true, half of what is equally likely."""

    def predict(self, rows, subgoals, observations):
        said = super().predict(rows, subgoals, observations).observations
        return Prediction(0.5 * said + 0.5 / said.shape[2])


def test_the_exact_model_is_at_the_floor_and_a_blurred_one_above():
    tables = small()
    beliefs = Beliefs(tables)
    documents = sample_documents(beliefs, 40, 5, (0,))
    for one in foresight(ExactWorldModel(beliefs), ExactWorldModel(beliefs), documents, tables):
        assert abs(one.excess_nats).max() < 0.02 and one.calibration_error < 1e-2  # but for what is cut
        assert one.excess_nats.shape == (40, 5 * (4 - one.depth))
    first, *_ = foresight(Blurred(beliefs), ExactWorldModel(beliefs), documents, tables)
    assert first.excess_nats.mean() > 0.01 and first.calibration_error > 0.05
    assert (first.truth.mean() - first.confidence.mean()) > 0.05  # it is not sure enough
    entropy = first.floor_nats.mean()
    assert 0.2 < entropy < np.log(3)
