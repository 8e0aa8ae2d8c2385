"""Planners for a latent that jumps: the test's statistic by enumeration, its alarms, and what restarting does."""

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput, ImpossibleObservation
from parley.core.said import Opening, Outcome
from parley.execute import RunConfig
from parley.experiments.base import expected_regret
from parley.experiments.claims.jump import Alarms
from parley.planners.exact import ExactPlanner
from parley.planners.forgetting import DiscountingPlanner, RestartingPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import normalised
from parley.worlds.tabular.random_family import random_family

SMALL = random_family(latents=3, states=3, observations=3, subgoals=2, horizon=2, seed=4)


def silent(record, runs):
    pass


def tell(planner, tables, t, rng):
    """Tell a planner of one run an episode of random sentences."""
    names = [np.array(names, dtype=object) for names in (tables.instructions, tables.observations, tables.subgoals)]
    seen, given = rng.integers(len(tables.observations), size=3), rng.integers(tables.num_subgoals, size=2)
    planner.hear(Opening(t, names[0][:1], names[1][seen[:1]]))
    for h, g in enumerate(given):
        heard = names[1][seen[h + 1 : h + 2]]
        planner.hear(Outcome(t, h + 1, names[2][[[g]]], heard, np.zeros(1), np.ones(1, dtype=bool)))


def test_the_statistic_is_the_sum_over_all_beginnings():
    """For each beginning s: what a planner that starts there gave to all since, over what the planner itself gave."""
    planner, rng, likelihood = RestartingPlanner(Beliefs(SMALL)), np.random.default_rng(0), []
    planner.start(Draws(0, 1))
    for t in range(4):
        tell(planner, SMALL, t, rng)
        likelihood.append(np.exp(planner.log_environment[0]))

        def evidence(first, last):
            return SMALL.prior @ np.prod(np.reshape(likelihood[first:last], (-1, 3)), axis=0)

        own = [evidence(0, i + 1) / evidence(0, i) for i in range(t + 1)]
        expected = sum(evidence(s, t + 1) / np.prod(own[s:]) for s in range(t + 1))
        assert (SMALL.prior * np.exp(planner._since()[0])).sum() == pytest.approx(expected)
        assert not planner.alarmed.any()


def test_without_an_alarm_nothing_is_forgotten():
    restarting, plain = RestartingPlanner(Beliefs(SMALL)), ExactPlanner(Beliefs(SMALL))
    for planner in (restarting, plain):
        planner.start(Draws(0, 1))
        for t in range(3):
            tell(planner, SMALL, t, np.random.default_rng(t))
    np.testing.assert_allclose(restarting.posterior, plain.posterior)
    np.testing.assert_allclose(restarting.log_likelihood(), plain.log_likelihood())


def test_discounting_is_bayes_for_a_latent_drawn_anew():
    keep, planner = 0.8, DiscountingPlanner(Beliefs(SMALL), 0.8)
    planner.start(Draws(0, 1))
    belief = SMALL.prior
    for t in range(3):
        belief = belief if t == 0 else keep * belief + (1 - keep) * SMALL.prior
        tell(planner, SMALL, t, np.random.default_rng(t))
        belief = belief * np.exp(planner.log_environment[0])
        belief = belief / belief.sum()
        np.testing.assert_allclose(planner.posterior[0], belief)


@pytest.mark.parametrize("make", [RestartingPlanner, lambda beliefs: DiscountingPlanner(beliefs, 0.9)])
def test_a_snapshot_goes_on_the_same(make):
    first, second = make(Beliefs(SMALL)), make(Beliefs(SMALL))
    first.start(Draws(0, 1))
    for t in range(2):
        tell(first, SMALL, t, np.random.default_rng(t))
    second.start(Draws(0, 1))
    second.restore(first.snapshot())
    for planner in (first, second):
        tell(planner, SMALL, 2, np.random.default_rng(9))
    assert first.posterior.tolist() == second.posterior.tolist()
    assert {k: v.tolist() for k, v in first.snapshot().items()} == {k: v.tolist() for k, v in second.snapshot().items()}


def alarms(world, runs, episodes):
    kept = Alarms()
    regret = expected_regret(RunConfig(world, "exact:forget=restart", episodes=episodes, runs=runs), silent, kept=kept)
    return np.array(kept.alarms).T, regret


def test_alarms_are_rare_without_a_jump_and_soon_after_one():
    quiet, _ = alarms("household:floor=0.02", 50, 200)
    assert quiet.sum() <= 10  # 10,000 episodes, at most one in 1,000 on average; measured: far fewer
    after, regret = alarms("household:jump=20", 50, 50)
    assert after[:, 20:40].any(axis=1).mean() >= 0.9 and after[:, 20:30].any(axis=1).mean() >= 0.5
    assert regret[:, 45:].mean() < 0.02


def test_a_jump_stops_the_exact_planner_or_misleads_it():
    with pytest.raises(ImpossibleObservation, match="no latent"):
        expected_regret(RunConfig("household:jump=20", "exact", episodes=60, runs=20), silent)
    misled = expected_regret(RunConfig("household:floor=0.02,jump=20", "exact", episodes=30, runs=20), silent)
    assert misled[:, 10:20].mean() < 0.05 < misled[:, 20:].mean()


def test_bad_input():
    world = assemble.world("household")
    scene = assemble.Scene("household", world, np.zeros(1, dtype=int), 10)
    for forget in ("never", "1", "0", "nan"):
        with pytest.raises(BadInput, match="restart"):
            assemble.planner(f"exact:forget={forget}", scene)
    with pytest.raises(BadInput, match="evidence=environment"):
        assemble.planner("exact:forget=restart,evidence=environment+demonstrator,rho=0.5", scene)


def test_an_impossible_observation_is_an_alarm():
    """After the restart the belief is what the prior and this episode say, if no earlier beginning is possible."""
    tables = assemble.world("household").tables
    planner = RestartingPlanner(Beliefs(tables))
    planner.start(Draws(0, 1))
    planner.settled = np.where(np.arange(9) == 0, 0.0, -np.inf)[None]  # sure that it is the first latent
    planner.log_since = np.full((1, 9), -np.inf)
    names = np.array(tables.observations, dtype=object)
    first = tables.emission[0, tables.initial[0].argmax()].argmax()
    planner.hear(
        Opening(
            0,
            np.array(tables.instructions[:1], dtype=object),
            names[[first]],
        )
    )
    g = np.array([["look in the drawer"]], dtype=object)
    mug = next(o for o in tables.observations if "drawer" in o and "mug" in o and "book" not in o)
    planner.hear(Outcome(0, 1, g, np.array([mug], dtype=object), np.zeros(1), np.ones(1, dtype=bool)))
    assert planner.alarmed.all()
    expected = normalised(np.log(tables.prior) + planner.log_environment[0])
    np.testing.assert_allclose(planner.posterior[0], expected)
    assert np.isfinite(planner.log_likelihood()).all()
