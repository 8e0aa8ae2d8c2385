"""Training until held-out documents say that it gains nothing more."""

from dataclasses import replace

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.data.documents import sample_documents
from parley.theory.beliefs import Beliefs
from parley.training.converge import converge
from parley.training.recipe import Recipe
from parley.worlds.tabular.random_family import random_family

RECIPE = Recipe(episodes=3, width=16, layers=1, heads=1, batch=16, learning_rate=1e-2)


@pytest.fixture(scope="module")
def beliefs():
    return Beliefs(random_family(latents=2, observations=2, subgoals=2, instructions=1, concentration=0.3))


def test_it_stops_by_itself_and_keeps_the_best_weights(beliefs, tmp_path):
    seen = []
    found = converge(beliefs, "random", 16, RECIPE, tmp_path / "c", report=lambda step, loss: seen.append((step, loss)))
    assert found.steps == seen[-1][0] < 6_000
    assert found.held_out_loss <= min(loss for _, loss in seen) + 1e-4
    assert found.about["loss"] == found.held_out_loss


def test_more_documents_make_a_smaller_error(beliefs, tmp_path):
    few, many = (
        converge(beliefs, "random", n, RECIPE, tmp_path / str(n), most_steps=400).about["error"]["mixed"]["mean"]
        for n in (2, 256)
    )
    assert many < few


def test_corrupted_labels_make_a_larger_one(beliefs, tmp_path):
    clean, wrong = (
        converge(beliefs, "random", 64, RECIPE, tmp_path / str(share), share, most_steps=200) for share in (0.0, 0.5)
    )
    assert wrong.about["error"]["mixed"]["mean"] > clean.about["error"]["mixed"]["mean"] + 0.1


def test_documents_are_picked_by_index(beliefs):
    documents = sample_documents(beliefs, 5, 3, (0,))
    picked = documents[np.array([3, 1])]
    assert len(picked) == 2
    for name in ("latents", "instructions", "observations", "subgoals", "labels", "behaviours"):
        np.testing.assert_array_equal(getattr(picked, name)[1], getattr(documents, name)[1])
    assert len(replace(documents, behaviours=None)[np.array([0])]) == 1


def test_no_documents_are_refused(beliefs, tmp_path):
    with pytest.raises(BadInput, match="documents=0"):
        converge(beliefs, "random", 0, RECIPE, tmp_path / "c")
