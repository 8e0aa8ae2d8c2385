"""The Bayes-adaptive optimum against expectimax over beliefs, and against what explorers achieve."""

from itertools import product

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.exploration.optimal import OptimalExplorer
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of
from parley.theory.optimum import Optimum
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run
from tests.theory import brute_force


def optimum(tables) -> Optimum:
    beliefs = Beliefs(tables)
    return Optimum(beliefs, classes_of(beliefs))


def expectimax(t, weights: np.ndarray, episodes: int, first: int) -> float:
    """Least regret of the episodes that remain, for unnormalised beliefs, horizon 1."""
    if episodes == 0:
        return 0.0
    w, total = first % len(t.instructions), 0.0
    for o in range(len(t.observations)):
        here = weights * [brute_force.joint(t, z, [o], []).sum() for z in range(t.num_latents)]
        scores = []
        for g in range(t.num_subgoals):
            q = [brute_force.q_values(t, z, [o], [], w) for z in range(t.num_latents)]
            score = sum(h * (x.max() - x[g]) for h, x in zip(here, q, strict=True))
            for after in range(len(t.observations)):
                both = [brute_force.joint(t, z, [o, after], [g]).sum() for z in range(t.num_latents)]
                score += expectimax(t, weights * both, episodes - 1, first + 1)
            scores.append(score)
        total += min(scores)
    return total


@pytest.mark.parametrize("seed, latents", list(product((1, 4), (2, 3))))
def test_the_least_regret_is_that_of_expectimax(seed, latents):
    t = random_family(latents=latents, states=2, observations=2, subgoals=2, instructions=2, horizon=1, seed=seed)
    try:
        found = optimum(t).solve(2).regret
    except BadInput:
        assert latents == 3  # their beliefs are too many, and no grid holds them
        return
    assert found == pytest.approx(expectimax(t, t.prior, 2, 0), abs=2e-3)
    assert found <= expectimax(t, t.prior, 2, 0) + 1e-9, "a lower bound"


def test_treasure_is_worth_one_look():
    """p = 1/32: one look into the chest of gold costs 0.5 where it is empty; never looking 0.5 p an episode."""
    plan = optimum(treasure(16)).solve(1000)
    assert plan.optimum.exact and plan.regret == pytest.approx(0.5 * 31 / 32, abs=1e-12)
    assert optimum(treasure(16)).solve(10).regret == pytest.approx(10 * 0.5 / 32, abs=1e-12)


def test_no_explorer_has_less_and_its_own_explorer_has_as_little():
    tables, episodes = shortcut(open=0.4, jam=0.4), 40
    mine = optimum(tables)
    explorer = OptimalExplorer(mine, ExactPlanner(Beliefs(tables)))
    latents = np.repeat([0, 1], 400)
    totals = run(tables, ExactPlanner(Beliefs(tables)), latents, episodes, explorer).expected().sum(axis=1)
    cost = tables.prior @ totals.reshape(2, -1).mean(axis=1)
    spread = np.sqrt(tables.prior**2 @ totals.reshape(2, -1).var(axis=1) / 400)
    assert abs(cost - mine.solve(episodes).regret) <= 4 * spread
    for how in ("sample", "greedy"):
        totals = run(tables, ExactPlanner(Beliefs(tables), decode=how), latents, episodes).expected().sum(axis=1)
        assert tables.prior @ totals.reshape(2, -1).mean(axis=1) >= mine.solve(episodes).regret - 4 * spread


def test_too_large_a_world_is_refused():
    with pytest.raises(BadInput, match="too many|nodes"):
        optimum(random_family(latents=4))
