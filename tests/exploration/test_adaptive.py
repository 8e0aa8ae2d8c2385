"""Exploration that is bought where it is needed: found treasure, no waste where the world reveals itself."""

from itertools import product

import numpy as np
import pytest

from parley.exploration.adaptive import AdaptiveExplorer
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.cross import cross_table
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.traps import traps
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run
from tests.theory import brute_force


def test_cross_table_equals_enumeration():
    t = random_family(latents=2, states=2, observations=2, subgoals=2, instructions=1, horizon=2, seed=6)
    table = cross_table(Beliefs(t))
    for z, j in product(range(2), repeat=2):
        value = shared = 0.0
        for observations in product(range(2), repeat=3):
            for subgoals in product(range(2), repeat=2):
                laws = [
                    brute_force.expert(t, j, list(observations[: h + 1]), list(subgoals[:h]), 0)[subgoals[h]]
                    for h in range(2)
                ]
                p, q = (brute_force.joint(t, x, list(observations), list(subgoals)).sum() for x in (z, j))
                value += np.prod(laws) * p * sum(t.reward[o, 0] for o in observations[1:])
                shared += np.prod(laws) * np.sqrt(p * q)
        assert table.value[z, j, 0] == pytest.approx(value, abs=1e-9)
        assert table.affinity[z, j, 0] == pytest.approx(shared, abs=1e-9)


def totals(tables, latent: int, explore: bool, how: str, num_episodes: int = 300) -> np.ndarray:
    beliefs = Beliefs(tables)
    explorer = AdaptiveExplorer(beliefs, cross_table(beliefs), ExactPlanner(beliefs)) if explore else None
    latents = np.full(48, latent)
    return run(tables, ExactPlanner(beliefs, decode=how), latents, num_episodes, explorer).expected().sum(axis=1)


@pytest.mark.parametrize("how", ["sample", "greedy"])
def test_treasure_is_found_at_once(how):
    tables = treasure(16)
    assert totals(tables, 0, True, how).mean() <= 0.1 * totals(tables, 0, False, how).mean()
    assert totals(tables, 3, True, how).max() <= 0.5  # one look into the first chest, and never again


def test_the_open_door_is_found_under_greedy_decoding():
    assert totals(shortcut(), 1, True, "greedy").mean() <= 0.5 * totals(shortcut(), 1, False, "greedy").mean()


def test_nothing_is_bought_where_acting_reveals_the_world():
    tables = traps(planted=False)
    for latent in (0, 3):
        np.testing.assert_array_equal(totals(tables, latent, True, "sample"), totals(tables, latent, False, "sample"))


def test_a_snapshot_continues_alike():
    tables = shortcut()
    beliefs = Beliefs(tables)
    explorers = [AdaptiveExplorer(beliefs, cross_table(beliefs), ExactPlanner(beliefs)) for _ in range(2)]
    run(tables, ExactPlanner(beliefs), np.ones(8, dtype=int), 5, explorers[0])
    explorers[1].start(explorers[0].draws, 5, 3)
    explorers[1].restore(explorers[0].snapshot())
    b = explorers[1].reader.snapshot()["settled"]
    np.testing.assert_array_equal(b, explorers[0].reader.snapshot()["settled"])
