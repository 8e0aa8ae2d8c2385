"""Planners of single Actors: what they miss by not hearing the others."""

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Opening, Outcome
from parley.planners.decentralised import DecentralisedPlanner, OneOfSeveral, SubstitutedPlanner
from parley.planners.exact import ExactPlanner, ExpertPlanner
from parley.theory.beliefs import Beliefs
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.team import team
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run


def test_an_only_actor_misses_nothing():
    tables = treasure(4)
    alone = run(tables, lambda b, z: DecentralisedPlanner(b), [0, 1, 2, 3] * 4, 6)
    exact = run(tables, lambda b, z: ExactPlanner(b), [0, 1, 2, 3] * 4, 6)
    for a, b in zip(alone.steps, exact.steps, strict=True):
        np.testing.assert_allclose(a.proposals[0].probs, b.proposals[0].probs, atol=1e-12)


def test_likelihoods_are_averaged_over_what_the_others_may_have_done():
    tables = team(2)
    beliefs = Beliefs(tables)
    kept, mine = run(tables, lambda b, z: DecentralisedPlanner(b), np.arange(6), 1), OneOfSeveral(beliefs, 0, 0.25)
    first = kept.steps[0]
    mine.start(Draws(0, 6))
    mine.hear(Opening(0, kept.episodes[0].instructions, first.observations))
    joint = mine.joint_proposal().reshape(6, 4, 4)
    mine.hear(Outcome(0, 1, first.subgoals, first.next_observations, first.rewards, first.active))
    for row in range(6):
        part = tables.menus[0].index(first.subgoals[row, 0])
        allowed = np.array([tables.at_random.reshape(4, 4)[part]] > np.zeros((1, 4)))[0]
        law = 0.75 * joint[row, part] / joint[row, part].sum() + 0.25 * allowed / allowed.sum()
        now, seen = (tables.observations.index(o[row]) for o in (first.observations, first.next_observations))
        state = int(tables.emission[0, :, now].argmax())
        moved = tables.transition[:, state].reshape(6, 4, 4, -1)[:, part]  # Z M S
        expected = tables.prior * np.einsum("zms,zs,m->z", moved, tables.emission[:, :, seen], law)
        np.testing.assert_allclose(mine.posterior[row], expected / expected.sum(), atol=1e-12)


def test_coordination_is_worth_something():
    tables = team(2)
    able = [z for z, name in enumerate(tables.latents) if "nobody" not in name]
    expert = run(tables, lambda b, z: ExpertPlanner(b, z), able * 8, 3).expected()
    each_alone = run(tables, lambda b, z: DecentralisedPlanner(b), able * 64, 40).expected()
    together = run(tables, lambda b, z: ExactPlanner(b), able * 64, 40).expected()
    assert expert.max() < 1e-9 and each_alone[:, 20:].mean() > together[:, 20:].mean() + 0.05


def test_the_expert_in_all_places_but_one_is_not_the_expert():
    tables = team(2)
    latents = np.arange(6).repeat(8)
    total = {
        actor: run(
            tables, lambda b, z, a=actor: SubstitutedPlanner(ExactPlanner(b), ExpertPlanner(b, z), a), latents, 5
        )
        for actor in (0, 1)
    }
    alone = run(tables, lambda b, z: ExactPlanner(b), latents, 5)
    assert 0 < total[0].expected().mean() < alone.expected().mean()
    assert 0 < total[1].expected().mean()


def test_bad_input():
    with pytest.raises(BadInput, match="tell the state"):
        DecentralisedPlanner(Beliefs(random_family(actors=2)))
    with pytest.raises(BadInput, match="doubt"):
        DecentralisedPlanner(Beliefs(team(2)), doubt=0.0)
    scene = assemble.Scene("team", assemble.world("team"), np.zeros(1, dtype=int), 5)
    with pytest.raises(BadInput, match="Actors 1 to 2"):
        assemble.planner("with-expert:actor=3", scene)
