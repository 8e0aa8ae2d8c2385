"""`team` and what keeps several Actors at a cost linear in K: the factored planner against enumeration."""

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.factored import Factored, possible
from parley.core.said import Menu, Opening, Outcome
from parley.core.tables import forbids
from parley.execute import RunConfig
from parley.experiments.base import expected_regret
from parley.exploration.explorers import EpsilonGreedy, schedule
from parley.planners.exact import ExactPlanner
from parley.planners.factored import FactoredPlanner
from parley.planners.scripted import ScriptedPlanner
from parley.theory.beliefs import Beliefs
from parley.worlds.kit.tabular.env import TabularWorld
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.team import LIFT, MENU, Crew, factored_team, team
from tests.helpers import Kept, run


def joint_laws(kept: Kept, tables, planner, latents) -> list[np.ndarray]:
    """The law over all joint subgoals, as the planner's conditionals multiply, where the run of `kept` stood."""
    planner.start(Draws(0, len(latents)))
    laws, menus = [], [Menu.shared(menu) for menu in tables.menus]
    for record in kept.steps:
        if record.step == 1:
            planner.hear(Opening(record.episode, kept.episodes[record.episode].instructions, record.observations))
        law = np.ones((len(latents), tables.num_subgoals))
        for g, parts in enumerate(np.ndindex(*map(len, tables.menus))):
            said = np.array(
                [[menu[m] for menu, m in zip(tables.menus, parts, strict=True)]] * len(latents), dtype=object
            )
            for k, part in enumerate(parts):
                if not law[:, g].any():
                    break
                law[:, g] *= planner.propose(menus[k], said[:, :k]).probs[:, part]
        laws.append(law)
        heard = (record.subgoals, record.next_observations, record.rewards, record.active)
        planner.hear(Outcome(record.episode, record.step, *heard))
    return laws


@pytest.mark.parametrize(
    "actors,settings", [(2, {}), (2, {"late": "1"}), (2, {"late": "1+2"}), (2, {"mute": "2"}), (3, {})]
)
def test_factored_proposals_equal_the_enumerated_joint_distribution(actors, settings):
    tables = team(actors, **settings)
    latents = np.arange(tables.num_latents)
    explorer = EpsilonGreedy(schedule(0.7))
    kept = run(tables, ExactPlanner(Beliefs(tables)), latents, 3, explorer)
    factored = joint_laws(kept, tables, FactoredPlanner(tables.factored), latents)
    reference = ExactPlanner(Beliefs(tables))
    reference.start(Draws(0, len(latents)))
    for record, law in zip(kept.steps, factored, strict=True):
        if record.step == 1:
            reference.hear(Opening(record.episode, kept.episodes[record.episode].instructions, record.observations))
        np.testing.assert_allclose(law, reference.joint_proposal(), atol=1e-9)
        heard = (record.subgoals, record.next_observations, record.rewards, record.active)
        reference.hear(Outcome(record.episode, record.step, *heard))
        np.testing.assert_allclose(law.sum(axis=1), 1, atol=1e-9)


@pytest.mark.parametrize("actors", [1, 2, 3])
def test_exact_conditionals_multiply_to_the_enumerated_joint_distribution(actors):
    """Also where nothing is factored."""
    tables = random_family(latents=4, subgoals=3, actors=actors, seed=1)
    latents = np.arange(8) % 4
    kept = run(tables, ExactPlanner(Beliefs(tables)), latents, 3, EpsilonGreedy(schedule(0.7)))
    laws, reference = joint_laws(kept, tables, ExactPlanner(Beliefs(tables)), latents), ExactPlanner(Beliefs(tables))
    reference.start(Draws(0, len(latents)))
    for record, law in zip(kept.steps, laws, strict=True):
        if record.step == 1:
            reference.hear(Opening(record.episode, kept.episodes[record.episode].instructions, record.observations))
        np.testing.assert_allclose(law, reference.joint_proposal(), atol=1e-9)
        heard = (record.subgoals, record.next_observations, record.rewards, record.active)
        reference.hear(Outcome(record.episode, record.step, *heard))


def test_after_parts_that_no_expert_would_say_both_go_on_alike():
    """Explored parts lead off every expert's way; conditionals must agree there too."""
    tables = team(3)
    latents = np.arange(tables.num_latents).repeat(4)
    kept = run(tables, FactoredPlanner(tables.factored), latents, 4, EpsilonGreedy(schedule(1.0)))
    again = run(tables, ExactPlanner(Beliefs(tables)), latents, 4, EpsilonGreedy(schedule(1.0)))
    for a, b in zip(kept.steps, again.steps, strict=True):
        assert (a.subgoals == b.subgoals).all()
        for p, q in zip(a.proposals, b.proposals, strict=True):
            np.testing.assert_allclose(p.probs, q.probs, atol=1e-9)


def test_one_actor_as_a_joint_of_one_is_the_same_run():
    """K = 1: a family with one menu, and the same family whose subgoals carry a second Actor with nothing to choose."""
    single = random_family(latents=3, subgoals=4, seed=2)
    from dataclasses import replace

    double = replace(single, menus=(single.menus[0], ("stand by",)))
    a, b = (
        run(tables, ExactPlanner(Beliefs(tables)), [0, 1, 2] * 3, 5, EpsilonGreedy(schedule(0.0)))
        for tables in (single, double)
    )
    for one, two in zip(a.steps, b.steps, strict=True):
        assert (one.subgoals[:, 0] == two.subgoals[:, 0]).all()
        np.testing.assert_allclose(one.proposals[0].probs, two.proposals[0].probs, atol=1e-12)
    np.testing.assert_allclose(a.expected(), b.expected(), atol=1e-12)


def test_one_actor_through_the_fold_is_the_same_run():
    """K = 1: each part is its own status, and the factored planner does what the other one does."""
    single = random_family(latents=3, subgoals=4, seed=2)
    fold = np.tile(np.arange(4), (3, 1, 4, 1))
    a = run(single, ExactPlanner(Beliefs(single)), [0, 1, 2] * 3, 5, EpsilonGreedy(schedule(0.3)))
    made = FactoredPlanner(Factored(single, single.menus, fold))
    b = run(single, made, [0, 1, 2] * 3, 5, EpsilonGreedy(schedule(0.3)))
    for one, two in zip(a.steps, b.steps, strict=True):
        assert (one.subgoals == two.subgoals).all() and (one.next_observations == two.next_observations).all()
        np.testing.assert_allclose(one.proposals[0].probs, two.proposals[0].probs, atol=1e-12)
    np.testing.assert_allclose(a.expected(), b.expected(), atol=1e-12)


def test_two_actors_never_go_in_at_once():
    tables = team(3)
    kept = run(tables, FactoredPlanner(tables.factored), np.arange(8), 20, EpsilonGreedy(schedule(0.8)))
    inside = [(record.subgoals == MENU[LIFT]).sum(axis=1) for record in kept.steps]
    assert max(map(max, inside)) == 1
    assert forbids(tables.forbidden, (MENU[LIFT],), MENU[LIFT])
    shares = tables.at_random.reshape(4, 4, 4)
    assert shares.sum() == pytest.approx(1) and shares[LIFT, LIFT].sum() == 0
    assert shares[LIFT, 0, 1] == pytest.approx(1 / 4 / 3 / 3)


def test_greedy_works_for_ever_and_exploring_learns():
    tables = team()
    able = [z for z, name in enumerate(tables.latents) if "nobody" not in name]
    latents = np.array(able * 8)
    greedy = run(tables, FactoredPlanner(tables.factored, decode="greedy"), latents, 30).expected()
    assert greedy.min() > 0.3 and np.ptp(greedy[:, ::2]) < 1e-9
    made = FactoredPlanner(tables.factored, decode="greedy")
    learns = run(tables, made, latents, 300, EpsilonGreedy(schedule(1.0, 0.5))).expected()
    assert learns[:, -50:].mean() < 0.3 * greedy.mean()


@pytest.mark.slow
def test_proposals_alone_explore_for_three_actors():
    """A trial goes on over parts and steps: where it did not, a third of the runs worked in the field for ever."""
    config = RunConfig("team:actors=3", "exact", "adaptive-proposals", episodes=300, runs=16, latent="each")
    regret = expected_regret(config, lambda record, runs: None)
    assert (regret[:, -100:].mean(axis=1) > 0.1).sum() <= 1 and np.median(regret.sum(axis=1)) < 6


@pytest.mark.parametrize("limit", [{"late": "1+2"}, {"mute": "1+2"}])
def test_what_is_not_heard_is_not_said_and_has_its_price(limit):
    """A door that sticks, one time in ten, is then gone through in vain, while the harvest (.25) was to be had."""
    heard, limited = team(), team(**limit)
    said = " ".join(limited.observations)
    assert ("actor 1" in said) == ("late" in limit) and " is open" not in said
    loss = Beliefs(heard).value - Beliefs(limited).value
    assert (loss >= -1e-12).all() and loss.max() == pytest.approx(0.1 * 0.25)


def test_bad_input():
    for settings in ({"actors": 1}, {"actors": 5}, {"able": 0.0}, {"slip": 1.0}, {"late": "3"}, {"mute": "1+2+3"}):
        with pytest.raises(BadInput, match=next(iter(settings))):
            team(**settings)
    with pytest.raises(BadInput, match="both late and mute"):
        team(late="1", mute="1+2")
    env = TabularWorld(team()).make(np.zeros(2, dtype=int), Draws(0, 2))
    env.reset()
    with pytest.raises(BadInput, match="forbids"):
        env.step(np.array([[MENU[LIFT]] * 2, [MENU[0]] * 2], dtype=object))
    with pytest.raises(BadInput, match="forbid"):
        Menu.shared((MENU[LIFT],)).given(np.array([[MENU[LIFT]]], dtype=object), ((MENU[LIFT], MENU[LIFT]),))
    for spec, wrong in (
        ("team:actors=5", "2 to 4 Actors"),
        ("team:late=3", "1, 2 or 1"),
        ("forage:actors=2", "actors"),
    ):
        with pytest.raises(BadInput, match=wrong):
            assemble.world(spec)
    spec = "random:actors=4,subgoals=2"
    scene = assemble.Scene(spec, assemble.world(spec), np.zeros(1, dtype=int), 5)
    with pytest.raises(BadInput, match="up to 3 Actors"):
        assemble.planner("exact", scene)


def test_eight_actors_need_no_product():
    factored = factored_team(Crew(actors=8))
    assert possible(factored.fold).sum(axis=1).tolist() == [18, *[36] * 8] * 2  # nobody lifts: half of the statuses
    planner = FactoredPlanner(factored)
    planner.start(Draws(0, 3))
    first = factored.summary.observations[0]
    said = np.array([factored.summary.instructions[0]] * 3, dtype=object)
    planner.hear(Opening(0, said, np.array([first] * 3, dtype=object)))
    parts = np.empty((3, 0), dtype=object)
    for menu in factored.menus:
        proposal = planner.propose(Menu.shared(menu), parts).probs
        np.testing.assert_allclose(proposal.sum(axis=1), 1, atol=1e-12)
        parts = np.concatenate([parts, np.full((3, 1), menu[int(proposal[0].argmax())], dtype=object)], axis=1)
    assert (parts == MENU[0]).all()


def test_scripts_name_what_is_not_on_the_menu():
    tables = team()
    with pytest.raises(BadInput, match="not in the menu"):
        run(tables, ScriptedPlanner(("fly",), "sample"), [0], 1)
    with pytest.raises(BadInput, match="'go in and lift', which is forbidden beside 'go in and lift'"):
        run(tables, ScriptedPlanner((MENU[LIFT],), "sample"), [0], 1)


def test_scripts_tell_each_actor_its_own_part():
    kept = run(team(), ScriptedPlanner((f"{MENU[1]} / {MENU[0]}", MENU[0]), "sample"), [0, 1], 1)
    assert [record.subgoals[1].tolist() for record in kept.steps] == [[MENU[1], MENU[0]], [MENU[0], MENU[0]]]
