"""The exact planners against enumeration over (z, state path)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.core.draws import Draws
from parley.core.errors import BadInput, ImpossibleObservation
from parley.core.said import Opening
from parley.exploration.explorers import EpsilonGreedy, schedule
from parley.planners.exact import ExactPlanner, ExpertPlanner, PosteriorSamplingPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import Evidence
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run
from tests.theory import brute_force

sizes = st.fixed_dictionaries(
    dict(
        latents=st.integers(1, 3),
        states=st.integers(1, 3),
        observations=st.integers(1, 3),
        subgoals=st.integers(1, 3),
        instructions=st.integers(1, 2),
        horizon=st.integers(1, 3),
        concentration=st.sampled_from([0.1, 1.0]),
        seed=st.integers(0, 10**6),
    )
)
evidences = st.one_of(
    st.just(Evidence()),
    st.builds(
        Evidence,
        st.just("environment+demonstrator"),
        st.floats(0.05, 0.95),
        st.sampled_from(["episode", "step"]),
    ),
)


@settings(max_examples=12)
@given(sizes, evidences)
def test_posterior_and_proposals_equal_enumeration(size, evidence):
    tables = random_family(**size)
    planner = ExactPlanner(Beliefs(tables), evidence)
    seen = []
    propose = planner.propose

    def watched(menu, parts):
        seen.append((planner.posterior.copy(), propose(menu, parts).probs))
        return propose(menu, parts)

    planner.propose = watched
    kept = run(tables, planner, [0] if tables.num_latents == 1 else [0, 1], 2, EpsilonGreedy(schedule(0.5)))
    for row in range(kept.steps[0].subgoals.shape[0]):
        episodes: list[brute_force.Episode] = []
        for record, (posterior, proposal) in zip(kept.steps, seen, strict=True):
            if record.step == 1:
                w = tables.instructions.index(kept.episodes[record.episode].instructions[row])
                episodes.append((w, [tables.observations.index(record.observations[row])], []))
            shape = (evidence.rho, evidence.mixture)
            np.testing.assert_allclose(posterior[row], brute_force.posterior(tables, episodes, *shape), atol=1e-9)
            np.testing.assert_allclose(proposal[row], brute_force.bail(tables, episodes, *shape), atol=1e-9)
            episodes[-1][1].append(tables.observations.index(record.next_observations[row]))
            episodes[-1][2].append(tables.subgoals.index(record.subgoals[row, 0]))


def test_unstored_beliefs_of_the_last_steps_change_nothing():
    tables = random_family(latents=3, states=3, observations=3, subgoals=2, horizon=3, seed=5)
    stored, filtered = Beliefs(tables), Beliefs(tables, max_edges=200)
    assert filtered.levels[-1].child is None and len(filtered.levels) < len(stored.levels)
    np.testing.assert_allclose(stored.value, filtered.value, atol=1e-12)
    kept = [
        run(tables, ExactPlanner(beliefs), np.arange(30) % 3, 5, EpsilonGreedy(schedule(0.3)))
        for beliefs in (stored, filtered)
    ]
    for a, b in zip(kept[0].steps, kept[1].steps, strict=True):
        np.testing.assert_allclose(a.proposals[0].probs, b.proposals[0].probs, atol=1e-12)
    np.testing.assert_allclose(kept[0].expected(), kept[1].expected(), atol=1e-12)


def test_the_posterior_is_stable_over_many_episodes():
    tables = random_family(latents=3, seed=1)
    planner = ExactPlanner(Beliefs(tables))
    run(tables, planner, [1] * 4, 3000, EpsilonGreedy(schedule(1.0)))
    np.testing.assert_allclose(planner.posterior[:, 1], 1.0, atol=1e-6)
    assert np.isfinite(planner.settled.max(axis=1)).all()


def test_expert_has_no_regret_and_others_learn():
    tables = shortcut()
    latents = np.ones(64, dtype=int)
    assert run(tables, lambda b, z: ExpertPlanner(b, z), latents, 20).expected().max() < 1e-9
    sampled = run(tables, lambda b, z: PosteriorSamplingPlanner(b), latents, 60).expected()
    assert sampled[:, -10:].mean() < 0.3 * sampled[:, :10].mean()


def test_treasure_has_the_regret_of_the_theory():
    n, horizon = 64, 64
    tables, latents = treasure(n), np.zeros(512, dtype=int)
    total = run(tables, lambda b, z: ExactPlanner(b), latents, horizon).expected().sum(axis=1)
    bound = 0.5 * horizon * (1 - 1 / (2 * n)) ** horizon
    assert total.mean() + 1.96 * total.std() / np.sqrt(len(total)) >= bound
    greedy = run(tables, lambda b, z: ExactPlanner(b, decode="greedy"), latents, horizon).expected()
    np.testing.assert_allclose(greedy, 0.5)


def test_greedy_decoding_never_tries_the_open_door():
    regret = run(shortcut(), lambda b, z: ExactPlanner(b, decode="greedy"), np.ones(32, dtype=int), 40).expected()
    np.testing.assert_allclose(regret, 0.2248, atol=1e-12)  # V* = 0.9248, the corridor 0.7: a line of slope 1


def test_an_impossible_observation_is_named():
    planner = ExactPlanner(Beliefs(treasure(4)))
    planner.start(Draws(0, 1, first_run=7))
    said = Opening(0, np.array(["bring back a treasure"], dtype=object), np.array(["you find gold"], dtype=object))
    with pytest.raises(ImpossibleObservation, match="run 7, episode 0, step 0.*you find gold"):
        planner.hear(said)


def test_two_actors_conditionals_multiply_to_the_joint():
    tables = random_family(latents=3, subgoals=3, actors=2, seed=3)
    planner = ExactPlanner(Beliefs(tables))
    kept = run(tables, planner, [0, 1, 2] * 5, 4, EpsilonGreedy(schedule(0.5)))
    single = random_family(latents=3, subgoals=9, actors=1, seed=3)  # the same tables, a joint subgoal as one sentence
    reference = ExactPlanner(Beliefs(single))
    reference.start(Draws(0, 15))
    for record in kept.steps:
        if record.step == 1:
            reference.hear(Opening(record.episode, kept.episodes[record.episode].instructions, record.observations))
        joint = reference.joint_proposal()
        chosen = tables.joint(record.subgoals)
        first, second = chosen // 3, chosen % 3
        rows = np.arange(15)
        marginal = record.proposals[0].probs[rows, first]
        product = marginal * record.proposals[1].probs[rows, second]
        np.testing.assert_allclose(np.where(marginal > 0, product, 0), joint[rows, chosen], atol=1e-9)
        from parley.core.said import Outcome

        words = np.array(single.menus[0], dtype=object)[chosen][:, None]
        reference.hear(
            Outcome(record.episode, record.step, words, record.next_observations, record.rewards, record.active)
        )


@pytest.mark.parametrize("wrong", [("nature", 0.0), ("environment", 0.5), ("environment+demonstrator", 1.5)])
def test_contradictory_evidence_is_refused(wrong):
    with pytest.raises(BadInput):
        Evidence(*wrong)
