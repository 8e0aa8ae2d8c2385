"""Explore-then-commit."""

import numpy as np
import pytest

from parley import assemble
from parley.core.errors import BadInput
from parley.exploration.committing import ExploreThenCommit
from parley.exploration.explorers import uniform_policy
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of
from parley.worlds.tabular.signs import signs
from tests.helpers import run


def committing(tables, confidence: float = 0.99) -> ExploreThenCommit:
    beliefs = Beliefs(tables)
    return ExploreThenCommit(beliefs, classes_of(beliefs), ExactPlanner(beliefs), uniform_policy, confidence=confidence)


def test_it_explores_until_certain_and_never_after():
    """The sign never errs: the first reading ends exploration, and then nothing is lost."""
    tables = signs(4, right=1.0)
    kept = run(tables, ExactPlanner(Beliefs(tables)), np.arange(20) % 5, 40, committing(tables))
    explored = np.array([step.explored for step in kept.steps]).T  # runs, episodes
    assert explored[:, 0].all() and not explored[:, -1].any()
    assert (np.diff(explored.astype(int), axis=1) <= 0).all(), "once committed, always"
    assert (kept.expected()[~explored] == 0).all()


def test_the_designed_policy_reads_the_sign():
    world = assemble.world("signs:n=4")
    scene = assemble.Scene("signs:n=4", world, np.zeros(8, dtype=int), 10)
    kept = run(
        world.tables, ExactPlanner(scene.beliefs), np.zeros(8, int), 1, assemble.explorer("explore-then-commit", scene)
    )
    said = [step.subgoals[:, 0] == "read the sign" for step in kept.steps]
    assert np.mean(said) > 0.5


@pytest.mark.parametrize("confidence", [0.0, 1.1, -1])
def test_confidence_is_a_probability(confidence):
    with pytest.raises(BadInput, match="confidence="):
        committing(signs(2), confidence)
