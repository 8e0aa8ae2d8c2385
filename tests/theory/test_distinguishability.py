"""Hellinger distances, eta, merged classes and c_Z: against enumeration over whole trajectories, and in closed form."""

from dataclasses import replace

import numpy as np
import pytest

from parley import assemble
from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import (
    classes_of,
    eta,
    eta_of,
    hellinger,
    merge,
    require_apart,
    uniform,
    weighted,
)
from parley.theory.tree import EpisodeTree
from parley.worlds.household.tables import House, house_tables
from parley.worlds.kit.tabular.env import TabularWorld
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run
from tests.theory import brute_force

SMALL = dict(latents=3, states=2, observations=2, subgoals=2, instructions=1, horizon=2)


def merged_twice(tables: Tables) -> Tables:
    """The family with its first latent twice, under another name and preference."""
    again = [0, *range(tables.num_latents)]
    return replace(
        tables,
        latents=("the twin", *tables.latents),
        prior=np.append(tables.prior[0] / 4, np.append(tables.prior[0] * 3 / 4, tables.prior[1:])),
        initial=tables.initial[again],
        transition=tables.transition[again],
        emission=tables.emission[again],
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("concentration", [0.1, 1.0])
def test_distances_agree_with_enumeration(seed, concentration):
    tables = random_family(**SMALL, concentration=concentration, seed=seed)
    rows = np.random.default_rng(seed).dirichlet(np.ones(2), size=2)
    distance = hellinger(Beliefs(tables), rows)
    for z in range(3):
        assert distance[z, z] == 0
        for other in range(z):
            expected = brute_force.hellinger(tables, lambda _, subgoals: rows[len(subgoals)], z, other)
            assert distance[z, other] == distance[other, z] == pytest.approx(expected, abs=1e-9)


def test_distances_are_the_same_however_the_work_is_cut(monkeypatch):
    beliefs = Beliefs(house_tables(House()))
    whole = hellinger(beliefs, uniform(beliefs))
    monkeypatch.setattr("parley.theory.distinguishability.CHUNK", 500)
    np.testing.assert_allclose(hellinger(beliefs, uniform(beliefs)), whole, atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 16, 64])
def test_treasure_under_uniform_exploration_is_one_in_n(n):
    beliefs = Beliefs(treasure(n=n))
    classes = classes_of(beliefs)
    assert classes.members == ((0,), tuple(range(1, n)))
    assert eta_of(beliefs, uniform(beliefs)) == pytest.approx(1 / n, abs=1e-12)
    assert classes.c_z == pytest.approx(2 * n - 1)


def test_twins_are_merged_and_their_priors_added():
    tables = random_family(**SMALL, seed=1)
    twice = merged_twice(tables)
    classes, alone = classes_of(Beliefs(twice)), classes_of(Beliefs(tables))
    assert classes.members == ((0, 1), (2,), (3,))
    np.testing.assert_allclose(classes.prior, tables.prior)
    assert classes.c_z == pytest.approx(alone.c_z)
    beliefs = Beliefs(twice)
    assert eta_of(beliefs, uniform(beliefs)) == pytest.approx(eta_of(Beliefs(tables), uniform(beliefs)), abs=1e-12)


def test_one_class_leaves_nothing_to_tell_apart():
    tables = random_family(**(SMALL | dict(latents=1)))
    distance = hellinger(Beliefs(tables), uniform(Beliefs(tables)))
    assert eta(distance, merge(distance, tables.prior)) == 1.0


def test_a_latent_of_prior_zero_makes_the_coverage_infinite():
    tables = replace(random_family(**SMALL), prior=np.array([0.5, 0.5, 0.0]))
    assert classes_of(Beliefs(tables)).c_z == np.inf


def test_a_policy_that_confuses_latents_is_refused_with_their_names():
    beliefs = Beliefs(shortcut())
    corridor = weighted(beliefs, {"walk on along the corridor": 2.0})
    np.testing.assert_array_equal(corridor, [[1, 0]] * 3)
    with pytest.raises(BadInput, match="'the back door is locked' and 'the back door is open' apart.*policy=designed"):
        eta_of(beliefs, corridor)
    # What no policy can tell apart is merged, not refused.
    twins = Beliefs(merged_twice(shortcut()))
    require_apart(twins, hellinger(twins, uniform(twins)), classes_of(twins))


def test_weights_of_several_actors_multiply():
    tables = random_family(subgoals=2, actors=2)
    law = weighted(Beliefs(tables), {"actor 0 subgoal 0": 1, "actor 1 subgoal 0": 1, "actor 1 subgoal 1": 3})
    np.testing.assert_allclose(law, [[0.25, 0.75, 0, 0]] * 2)


@pytest.mark.parametrize(
    "policy, said",
    [
        (np.full((3, 2), 0.4), "step 1 is no distribution.*sum to 1, found .0.4, 0.4"),
        (np.array([[0.5, 0.5], [1.5, -0.5], [0.5, 0.5]]), "step 2 is no distribution"),
        (np.full((3, 2), np.nan), "no distribution"),
        (np.full((2, 2), 0.5), r"shape \(2, 2\): expected \(3, 2\)"),
    ],
)
def test_what_is_no_policy_is_refused(policy, said):
    with pytest.raises(BadInput, match=said):
        hellinger(Beliefs(shortcut()), policy)


def test_a_world_with_too_many_beliefs_is_refused():
    tables = random_family(horizon=3, seed=2)
    beliefs = Beliefs(tables, max_edges=10_000)
    said = "192 distinct beliefs at step 2 of 3, which up to 2,304 follow .at most 833 fit.*too many for "
    instead = ".*adaptive-proposals.*epsilon-greedy:epsilon=0.1.*shorter horizon"
    with pytest.raises(BadInput, match=said + "exact Hellinger distances" + instead):
        hellinger(beliefs, uniform(beliefs))
    with pytest.raises(BadInput, match=said + "the tree of its episode" + instead):
        EpisodeTree(beliefs, (0, 1, 2))
    with pytest.raises(BadInput, match="distinct beliefs at step 1 of 3, with .* continuations .at most 10 fit"):
        Beliefs(tables, max_edges=10)
    # The remedy works: the exact planner and the meter need no more than was stored.
    scene = assemble.Scene("random", TabularWorld(tables), np.zeros(2, dtype=int), 10)
    scene.beliefs = beliefs
    for spec in ("epsilon-greedy:epsilon=0.1", "adaptive-proposals"):
        assert run(tables, lambda b, z: ExactPlanner(beliefs), [0, 1], 2, assemble.explorer(spec, scene)).episodes
    for spec in ("epsilon-greedy", "epsilon-greedy:epsilon=0.1,policy=designed", "adaptive"):
        with pytest.raises(BadInput, match="192 distinct beliefs"):
            assemble.explorer(spec, scene)


# -- observations alone ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("concentration", [0.1, 1.0])
def test_observations_alone_tell_no_more_apart_than_with_the_subgoals(seed, concentration):
    tables = random_family(**SMALL, concentration=concentration, seed=seed)
    rows = np.random.default_rng(seed).dirichlet(np.ones(2), size=2)
    probs = np.zeros((3, 2, 2, 2))
    for z in range(3):
        for (observations, subgoals), p in brute_force.trajectories(tables, z).items():
            probs[z][observations] += p * rows[0, subgoals[0]] * rows[1, subgoals[1]]
    np.testing.assert_allclose(probs.sum(axis=(1, 2, 3)), 1)
    distance = hellinger(Beliefs(tables), rows)
    for z, other in ((0, 1), (0, 2), (1, 2)):
        assert 1 - np.sqrt(probs[z] * probs[other]).sum() <= distance[z, other] + 1e-12
