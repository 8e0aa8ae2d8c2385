"""Designed exploration policies: against enumeration, against random policies, and in closed form."""

from itertools import product

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput, MissingExtra
from parley.core.said import Menu, Moment, Opening, Outcome, Proposal
from parley.exploration.designed import DesignedPolicy
from parley.exploration.explorers import EpsilonGreedy, schedule
from parley.planners.exact import ExactPlanner
from parley.theory import design as design_module
from parley.theory.beliefs import Beliefs
from parley.theory.design import Goal, cheapest, design
from parley.theory.distinguishability import classes_of, eta_of, uniform
from parley.theory.programs import Functional
from parley.theory.tree import EpisodeTree
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run
from tests.theory import brute_force

SMALL = dict(latents=3, states=2, observations=2, subgoals=2, instructions=2, horizon=2)
WORLDS = ("treasure:n=64", "shortcut", "household", "traps", "traps:horizon=2", "random", "random:latents=3,horizon=3")


def beliefs_and_classes(spec: str):
    beliefs = assemble.beliefs_of(assemble.world(spec).tables)
    return beliefs, classes_of(beliefs)


def law_of(found):
    """The designed policy as a function of the history, by walking through its tree."""

    def law(observations, subgoals):
        node = found.tree.first[observations[0]]
        for nodes, g, o in zip(found.tree.steps, subgoals, observations[1:], strict=False):
            node = nodes.child[node, g, o]
        return found.policy[len(subgoals)][node]

    return law


def enumerated_eta(tables, law) -> float:
    num = tables.num_latents
    return min(brute_force.hellinger(tables, law, z, other) for z in range(num) for other in range(z))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("concentration", [0.1, 1.0])
@pytest.mark.parametrize("method", ["exact", "iterative"])
@pytest.mark.parametrize("goal", [Goal(), Goal(trade=0.3), Goal(trade=0.3, over="worst", instruction=1)], ids=str)
def test_eta_and_cost_of_the_design_agree_with_enumeration(seed, concentration, method, goal):
    tables = random_family(**SMALL, concentration=concentration, seed=seed)
    beliefs = Beliefs(tables)
    found = design(beliefs, classes_of(beliefs), goal, method)
    law = law_of(found)
    assert found.eta == pytest.approx(enumerated_eta(tables, law), abs=1e-9)
    instructions = range(2) if goal.instruction is None else [goal.instruction]
    costs = [np.mean([brute_force.regret(tables, law, z, w) for w in instructions]) for z in range(3)]
    expected = max(costs) if goal.over == "worst" else costs @ tables.prior
    assert found.cost == pytest.approx(expected, abs=1e-9)
    assert found.gap <= 1e-6


@pytest.mark.parametrize("concentration", [0.1, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_merging_histories_loses_nothing(seed, concentration):
    """The same program over all histories, unmerged, has the same value."""
    from scipy.optimize import linprog

    t = random_family(**(SMALL | dict(concentration=concentration)), seed=seed)
    laws = [brute_force.trajectories(t, z) for z in range(3)]
    sequences = [
        (o, g) for h in (1, 2) for o in product(range(2), repeat=h) for g in product(range(2), repeat=h)
    ]  # observations seen before the last subgoal, subgoals up to it
    index = {s: i for i, s in enumerate(sequences)}
    above = np.zeros((3, len(sequences) + 1))
    above[:, -1] = 1
    for (o, g), i in index.items():
        if len(g) == 2:
            for row, (a, b) in enumerate(((0, 1), (0, 2), (1, 2))):
                above[row, i] = sum(np.sqrt(laws[a][(*o, last), g] * laws[b][(*o, last), g]) for last in range(2))
    equal, sums = [], []
    for o in product(range(2), repeat=1):
        equal.append([float(s[0] == o and len(s[1]) == 1) for s in sequences] + [0.0])
        sums.append(1.0)
    for o, g in product(product(range(2), repeat=2), range(2)):
        row = np.array([float(s[0] == o and s[1][:1] == (g,) and len(s[1]) == 2) for s in sequences] + [0.0])
        row[index[o[:1], (g,)]] = -1
        equal.append(row)
        sums.append(0.0)
    objective = np.append(np.zeros(len(sequences)), -1.0)
    bounds = [(0, None)] * len(sequences) + [(None, 1)]
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}  # the solver's own are 1e-7
    solved = linprog(objective, above, np.ones(3), np.array(equal), np.array(sums), bounds=bounds, options=tight)
    beliefs = Beliefs(t)
    found = design(beliefs, classes_of(beliefs))
    assert found.eta == pytest.approx(-solved.fun, abs=1e-9) and found.gap <= 1e-9


@pytest.mark.parametrize("spec", WORLDS)
@pytest.mark.parametrize("goal", [Goal(), Goal(trade=0.5)], ids=str)
def test_the_design_is_never_below_a_thousand_random_policies(spec, goal):
    beliefs, classes = beliefs_and_classes(spec)
    found = design(beliefs, classes, goal)
    assert found.method == "exact" and found.gap <= 1e-9
    tree, rng = found.tree, np.random.default_rng(0)
    functional = Functional(tree, tree.overlap(), [at @ classes.prior[:, None] for at in tree.loss()])
    best = -np.inf
    for i in range(1000):
        alpha = (0.05, 0.3, 1.0)[i % 3]
        shape = [(len(nodes.place), beliefs.tables.num_subgoals) for nodes in tree.steps]
        gamma = [np.maximum(rng.gamma(alpha, size=s), 1e-12) for s in shape]
        policy = [at / at.sum(axis=1, keepdims=True) for at in gamma]
        affinity, cost = functional.evaluate(policy)
        best = max(best, 1 - affinity.max() - goal.trade * cost[0])
    assert found.eta - goal.trade * found.cost >= best - 1e-9


@pytest.mark.parametrize("spec", WORLDS)
def test_the_design_is_at_least_uniform_and_both_methods_agree(spec):
    beliefs, classes = beliefs_and_classes(spec)
    exact, iterative = (design(beliefs, classes, method=method) for method in ("exact", "iterative"))
    assert exact.eta >= eta_of(beliefs, uniform(beliefs)) - 1e-9
    assert iterative.eta == pytest.approx(exact.eta, abs=1e-6)
    assert iterative.bound >= exact.eta - 1e-9 and iterative.gap <= 1e-6


@pytest.mark.parametrize("n", [2, 5, 64])
def test_treasure_is_told_by_one_chest(n):
    beliefs = Beliefs(treasure(n=n))
    found = design(beliefs, classes_of(beliefs))
    assert found.eta == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(found.policy[0], np.eye(n)[:1], atol=1e-9)


@pytest.mark.parametrize("method", ["exact", "iterative"])
@pytest.mark.parametrize("over", ["prior", "worst"])
def test_a_budget_is_kept_and_more_budget_buys_more(method, over):
    beliefs, classes = beliefs_and_classes("shortcut")
    etas = []
    for budget in (0.3, 0.45, 0.6, 0.75, 0.9):
        found = design(beliefs, classes, Goal(budget=budget, over=over), method)
        assert found.cost <= budget + 1e-9 and found.gap <= 1e-6
        etas.append(found.eta)
    assert etas == sorted(etas) and etas[0] < etas[1]
    assert np.diff(etas, 2).max() < 1e-6  # ever less for the same money: the frontier is concave
    assert etas[-1] == pytest.approx(design(beliefs, classes).eta, abs=1e-6)


def test_a_budget_that_nothing_keeps_to():
    beliefs, classes = beliefs_and_classes("household")
    with pytest.raises(BadInput, match="costs 0.54.* an episode under every policy"):
        design(beliefs, classes, Goal(budget=0.3))
    with pytest.raises(BadInput, match="no exploration policy keeps to this budget"):
        design(beliefs, classes, Goal(budget=0.3, over="worst"))
    with pytest.raises(BadInput, match="no exploration policy keeps to this budget"):
        design(beliefs, classes, Goal(budget=0.3, over="worst"), "iterative")


@pytest.mark.parametrize("spec", ["shortcut", "household", "traps", "random"])
def test_the_cheapest_pays_least_for_its_eta(spec):
    beliefs, classes = beliefs_and_classes(spec)
    best = cheapest(beliefs, classes, instruction=0)
    for trade in (0.1, 0.3, 1.0, 2.0):
        other = design(beliefs, classes, Goal(trade, instruction=0))
        assert best.eta / best.cost >= other.eta / max(other.cost, 1e-12) - 1e-5
    alike = design(beliefs, classes, Goal(instruction=0))
    assert best.cost / best.eta <= alike.cost / alike.eta + 1e-9


def test_one_class_has_nothing_to_tell_apart():
    beliefs = Beliefs(random_family(**(SMALL | dict(latents=1, instructions=1))))
    for method in ("exact", "iterative"):
        found = design(beliefs, classes_of(beliefs), Goal(trade=0.5), method)
        assert found.eta == 1 and found.cost == pytest.approx(0, abs=1e-6) and found.gap <= 1e-6


def test_what_does_not_fit_is_refused_with_its_size(monkeypatch):
    beliefs, classes = beliefs_and_classes("household")
    monkeypatch.setattr(design_module, "MAX_ENTRIES", 5_000)
    with pytest.raises(BadInput, match=r"has \d+,\d+ coefficients over 610 nodes .*method=iterative"):
        design(beliefs, classes, method="exact")
    assert design(beliefs, classes).method == "iterative"
    with pytest.raises(BadInput, match="14 nodes at step 2 of 4 .*at most 10 fit.*adaptive-proposals.*policy=uniform"):
        EpisodeTree(beliefs, tuple(range(9)), max_nodes=10)
    monkeypatch.setattr("parley.theory.tree.MAX_OVERLAP", 1000)
    with pytest.raises(BadInput, match="36 pairs of latents at 476 nodes"):
        design(beliefs, classes)


@pytest.mark.parametrize(
    "wrong", [dict(trade=-1.0), dict(trade=np.inf), dict(budget=-0.1), dict(budget=np.nan), dict(over="best")]
)
def test_goals_that_mean_nothing(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        Goal(**wrong)


def test_an_unknown_method():
    beliefs, classes = beliefs_and_classes("shortcut")
    with pytest.raises(BadInput, match="method='simplex'"):
        design(beliefs, classes, method="simplex")


def test_without_scipy_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    beliefs, classes = beliefs_and_classes("shortcut")
    with pytest.raises(MissingExtra, match=r"pip install .*\[theory\]"):
        design(beliefs, classes)


# -- as an explorer's policy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["shortcut", "household", "random:actors=2,subgoals=2"])
def test_exploration_episodes_follow_the_design(spec):
    """The law that the explorer reports in pure exploration is the design's, at every history that occurs."""
    beliefs, classes = beliefs_and_classes(spec)
    found, tables = design(beliefs, classes), beliefs.tables
    listener = DesignedPolicy(tables, [found])
    latents = np.arange(120) % tables.num_latents
    explorer = EpsilonGreedy(schedule(1.0), listener=listener)
    kept = run(tables, lambda b, z: ExactPlanner(b), latents, 2, explorer)
    law = law_of(found)
    sizes = [len(menu) for menu in tables.menus]
    for episode in range(2):
        steps = [record for record in kept.steps if record.episode == episode]
        for run_index in range(0, 120, 7):
            heard = tables.observation_words.encode(
                np.array([s.observations[run_index] for s in steps] + [steps[-1].next_observations[run_index]])
            ).tolist()
            chosen = tables.joint(np.array([s.subgoals[run_index] for s in steps])).tolist()
            for h, record in enumerate(steps):
                joint = law(heard[: h + 1], chosen[:h]).reshape(sizes)
                np.testing.assert_allclose(
                    record.laws[0][run_index], joint.reshape(sizes[0], -1).sum(axis=1), atol=1e-9
                )
                assert joint.ravel()[chosen[h]] > 0
                if len(sizes) > 1:
                    first = tables.menu_words[0].encode(record.subgoals[:, 0])[run_index]
                    np.testing.assert_allclose(record.laws[1][run_index], joint[first] / joint[first].sum(), atol=1e-9)


def test_designs_for_each_instruction_are_chosen_by_what_is_asked():
    scene = assemble.Scene("household", assemble.world("household"), np.zeros(4, dtype=int), 10**5)
    explorer = assemble.explorer("epsilon-greedy:policy=cheapest", scene)
    designs = assemble.designs_of(scene.beliefs, "cheapest")
    names = np.array(scene.world.instructions, dtype=object)
    opening = Opening(0, names[[0, 1, 1, 0]], np.full(4, "at the dock, empty hand", dtype=object))
    explorer.start(Draws(0, 4), 10, 4)
    explorer.hear(opening)
    menu = Menu.shared(scene.world.tables.menus[0])
    law = explorer.listener(menu, Moment(0, 1), 4)
    for row, w in enumerate((0, 1, 1, 0)):
        np.testing.assert_allclose(law[row], designs[w].policy[0][0], atol=1e-12)


def test_a_permuted_menu_and_a_story_that_nobody_can_have_told():
    beliefs, classes = beliefs_and_classes("shortcut")
    found = design(beliefs, classes)
    listener = DesignedPolicy(beliefs.tables, [found])
    hall = np.full(2, "you stand in the hall", dtype=object)
    listener.hear(Opening(0, np.full(2, "go to the garden", dtype=object), hall))
    walk, door = beliefs.tables.menus[0]
    straight = listener(Menu.shared((walk, door)), Moment(0, 1), 2)
    turned = listener(Menu.shared((door, walk)), Moment(0, 1), 2)
    np.testing.assert_array_equal(turned, straight[:, ::-1])
    assert straight[0, 1] == pytest.approx(1)  # trying the door tells
    subgoals = np.full((2, 1), door, dtype=object)
    said = np.array(["you reach the garden late", "you stand in the hall"], dtype=object)
    listener.hear(Outcome(0, 1, subgoals, said, np.zeros(2), np.ones(2, dtype=bool)))
    law = listener(Menu.shared((walk, door)), Moment(0, 2), 2)
    np.testing.assert_array_equal(law[0], [0.5, 0.5])
    node = found.tree.steps[0].child[0, 1, 0]
    np.testing.assert_array_equal(law[1], found.policy[1][node])


def test_the_treasure_is_found_in_the_first_exploration_episode():
    scene = assemble.Scene("treasure:n=64", assemble.world("treasure:n=64"), np.zeros(500, dtype=int), 10**4)
    explorer = assemble.explorer("epsilon-greedy:epsilon=0.2,policy=designed", scene)
    kept = run(scene.world.tables, lambda b, z: ExactPlanner(b, decode="greedy"), scene.latents, 100, explorer)
    explored = np.array([record.explored for record in kept.episodes])  # T B
    found = np.array([record.returns for record in kept.episodes]) == 1.0
    first = explored.argmax(axis=0)
    assert explored.any(axis=0).all()
    assert (found[first, np.arange(500)]).all()
    for run_index in range(500):
        later = ~explored[:, run_index] & (np.arange(100) > first[run_index])
        assert found[later, run_index].all()  # and is never forgotten


def test_the_listener_adds_nothing_where_the_policy_is_uniform():
    explorer = EpsilonGreedy(schedule(0.5))
    assert explorer.listener is None
    explorer.start(Draws(0, 3), 1, 1)
    choice = explorer.choose(Proposal(np.full((3, 2), 0.5)), "sample", Menu.shared(("a", "b")), Moment(0, 1))
    np.testing.assert_array_equal(choice.law, np.full((3, 2), 0.5))
