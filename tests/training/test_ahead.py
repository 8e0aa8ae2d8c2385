"""Batches that other processes draw."""

from dataclasses import replace

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs
from parley.training.ahead import ahead
from parley.training.families import Batches
from parley.training.recipe import Recipe
from parley.training.train import Stream
from parley.worlds.tabular.random_family import random_family

TINY = Recipe(episodes=4, batch=8, labels="averaged")
SOURCES = {
    "stream": (
        Stream(Beliefs(random_family()), TINY),
        ("latents", "instructions", "observations", "subgoals", "labels"),
    ),
    "families": (
        Batches(replace(TINY, labels="expert"), 0, False),
        ("tokens", "words", "row", "before", "target", "law", "heard", "decisions"),
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_batches_drawn_in_other_processes_are_the_same(name):
    source, parts = SOURCES[name]
    with ahead(source, 2, 5) as read:
        for step in range(2, 5):
            here, there = source(step), read(step)
            for part in parts:
                np.testing.assert_array_equal(getattr(here, part), getattr(there, part))


def test_a_number_of_processes_is_not_negative():
    with pytest.raises(BadInput, match="workers=-1"), ahead(SOURCES["stream"][0], -1, 5):
        pass
