"""What a planner that knows z is worth in other dynamics: against enumeration of all histories, and its bound."""

from dataclasses import replace

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs
from parley.theory.elsewhere import elsewhere
from parley.worlds.kit.tabular.reported import with_floor
from parley.worlds.tabular.random_family import random_family

TABLES = with_floor(random_family(latents=2, states=3, observations=2, subgoals=2, horizon=3, seed=1), 0.05)
OTHER = random_family(latents=2, states=3, observations=2, subgoals=2, horizon=3, seed=2)


def enumerated(beliefs: Beliefs, transition, heard, paid, z: int, w: int) -> float:
    """The return by recursion over every history; the planner's filter is asked step by step."""
    tables = beliefs.tables

    def onward(step: int, place: np.ndarray, state: np.ndarray) -> float:
        if step > tables.horizon:
            return 0.0
        policy = beliefs.policy(step, place, np.array(z), np.array(w))
        total = 0.0
        for g, chosen in enumerate(policy):
            moved = state @ transition[z][:, g]
            total += chosen * float(moved @ paid[z] @ tables.reward[:, w])
            for o in range(heard.shape[2]) if chosen else ():
                after, _ = beliefs.advance(step, place, np.array(z), np.array(g), np.array(o))
                total += chosen * onward(step + 1, after, moved * heard[z][:, o])
        return total

    first = [(o, tables.initial[z] * heard[z][:, o]) for o in range(heard.shape[2])]
    return sum(onward(1, beliefs.begin(np.array(z), np.array(o))[0], state) for o, state in first)


def test_it_agrees_with_every_history():
    beliefs = Beliefs(TABLES)
    found = elsewhere(beliefs, OTHER.transition, OTHER.emission, TABLES.emission)
    for z, w in np.ndindex(*found.value.shape):
        expected = enumerated(beliefs, OTHER.transition, OTHER.emission, TABLES.emission, z, w)
        assert found.value[z, w] == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(found.visits.sum(axis=(3, 4)), 1)


def test_in_its_own_world_it_has_the_optimal_value():
    beliefs = Beliefs(TABLES)
    np.testing.assert_allclose(elsewhere(beliefs).value, beliefs.value, atol=1e-12)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_change_is_within_the_variation_where_the_planner_goes(share):
    """The simulation lemma, with every step paying 1 at most: H times the sum of the variation."""
    beliefs = Beliefs(TABLES)
    true = elsewhere(beliefs)
    kernel = (1 - share) * TABLES.transition + share * OTHER.transition
    apart = 0.5 * np.abs(kernel - TABLES.transition).sum(axis=3)
    bound = TABLES.horizon * np.einsum("zwhsg,zsg->zw", true.visits, apart)
    changed = np.abs(elsewhere(beliefs, kernel).value - true.value)
    assert (0 < changed).all() and (changed <= bound).all()


def test_a_sentence_that_the_tables_call_impossible_is_named():
    first = replace(TABLES, emission=np.tile(np.eye(3)[:, :2] + [[0, 0], [0, 0], [1, 0]], (2, 1, 1)))
    beliefs = Beliefs(
        replace(first, initial=np.eye(3)[[0, 0]], transition=np.tile(np.eye(3)[None, :, None], (2, 1, 2, 1)))
    )
    with pytest.raises(BadInput, match="give them a floor"):
        elsewhere(beliefs, heard=OTHER.emission)
