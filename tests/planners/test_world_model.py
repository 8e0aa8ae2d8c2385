"""World models and the search in them: against enumeration, the exact model, and passes that are not imagined."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Menu, Opening, Outcome, Prediction
from parley.data.documents import sample_documents
from parley.evaluation.foresight import reading
from parley.execute import RunConfig
from parley.experiments.base import expected_regret
from parley.planners.exact import ExactPlanner
from parley.planners.prediction import ExactWorldModel, ReadingWorldModel, TransformerWorldModel
from parley.planners.search import Question, Tree, expectimax
from parley.planners.world_model import Search, WorldModelPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import DEMONSTRATOR, Evidence
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.team import LIFT, MENU, team
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


def adaptive_values(t, observations, subgoals, w):
    """Bayes-adaptive one-episode values by recursion over all continuations, from joint probabilities."""

    def mass(o, g):
        return sum(t.prior[z] * brute_force.joint(t, z, o, g).sum() for z in range(t.num_latents))

    q, here = np.zeros(t.num_subgoals), mass(observations, subgoals)
    for g in range(t.num_subgoals):
        for o in range(len(t.observations)):
            p = mass([*observations, o], [*subgoals, g]) / here
            if p > 0:
                last = len(observations) == t.horizon
                later = 0.0 if last else adaptive_values(t, [*observations, o], [*subgoals, g], w).max()
                q[g] += p * (t.reward[o, w] + later)
    return q


def told(planner, tables, length, seed):
    """Tell a planner or model of one run a possible beginning of an episode; returns it as indices."""
    rng = np.random.default_rng(seed)
    z = rng.choice(tables.num_latents, p=tables.prior)
    state = rng.choice(len(tables.states), p=tables.initial[z])
    seen, done = [int(rng.choice(len(tables.observations), p=tables.emission[z, state]))], []
    planner.start(Draws(0, 1))
    names = [np.array(names, dtype=object) for names in (tables.instructions, tables.observations)]
    joint = np.array(list(product(*tables.menus)), dtype=object)
    planner.hear(Opening(0, names[0][:1], names[1][seen]))
    for h in range(length):
        g = int(rng.integers(tables.num_subgoals))
        state = rng.choice(len(tables.states), p=tables.transition[z, state, g])
        seen.append(int(rng.choice(len(tables.observations), p=tables.emission[z, state])))
        done.append(g)
        planner.hear(Outcome(0, h + 1, joint[[g]], names[1][seen[-1:]], np.zeros(1), np.ones(1, dtype=bool)))
    return seen, done


@settings(max_examples=40)
@given(sizes, st.integers(0, 10**6))
def test_exact_model_and_expectimax_equal_enumeration(size, seed):
    tables = random_family(**size)
    model = ExactWorldModel(Beliefs(tables))
    length = seed % tables.horizon
    seen, done = told(model, tables, length, seed)
    asked = Question(tables.reward.T[:1], tables.horizon - length)
    expected = adaptive_values(tables, seen, done, 0)
    np.testing.assert_allclose(expectimax(model, asked)[0], expected, atol=1e-9)
    tree = Tree(model, asked, 5_000)
    tree.grow()
    np.testing.assert_allclose(tree.values[0], expected, atol=1e-9)
    assert not tree.open.any(axis=(1, 2, 3))[0] or tree.size[0] == 5_000


def test_runs_with_too_many_histories_at_once_go_by_halves(monkeypatch):
    tables = random_family(latents=3, horizon=3, seed=5)
    model, runs = ExactWorldModel(Beliefs(tables)), 5
    model.start(Draws(0, runs))
    first = (np.array([names[0]] * runs, dtype=object) for names in (tables.instructions, tables.observations))
    model.hear(Opening(0, *first))
    asked = Question(np.random.default_rng(0).random((runs, len(tables.observations))), tables.horizon)
    whole = expectimax(model, asked)
    monkeypatch.setattr(
        "parley.planners.search.MAX_HISTORIES", 1 + (tables.num_subgoals * len(tables.observations)) ** 2
    )
    np.testing.assert_array_equal(expectimax(model, asked), whole)
    assert np.ptp(whole, axis=0).max() > 0.01  # each run its own


def test_predictions_are_laws_and_rows_do_not_matter():
    world = assemble.world("household")
    for model in (
        ExactWorldModel(assemble.beliefs_of(world.tables)),
        TransformerWorldModel(assemble.shipped("household"), world.tables),
    ):
        seen, done = told(model, world.tables, 2, 3)
        one = model.predict(np.zeros(1, dtype=int), np.array([[4]]), np.array([[seen[-1]]]))
        many = model.predict(np.zeros(3, dtype=int), np.array([[4]] * 3), np.array([[seen[-1]]] * 3))
        assert one.observations.shape == (1, 6, 30)
        np.testing.assert_allclose(one.observations.sum(axis=2), 1)
        np.testing.assert_allclose(many.observations, np.repeat(one.observations, 3, axis=0), atol=1e-5)
        np.testing.assert_allclose(one.proposals.sum(axis=1), 1)


@pytest.mark.parametrize("world,length", [("shortcut", 1), ("household", 2), ("team", 0)])
def test_what_a_transformer_imagines_is_what_it_says_when_it_comes_true(world, length):
    """Side by side behind a cache, or heard one after another: the same law, and the cache stays as it was."""
    tables = assemble.world(world).tables
    model = TransformerWorldModel(assemble.shipped(world), tables)
    seen, _ = told(model, tables, length, 0)
    other = model.predict(np.zeros(1, dtype=int), np.array([[1]]), np.array([[seen[-1]]]))
    assert model.predict(np.zeros(1, dtype=int), np.array([[1]]), np.array([[seen[-1]]])).observations.tolist() == (
        other.observations.tolist()
    )
    heard, joint = np.array(tables.observations, dtype=object)[seen[-1:]], np.array([*product(*tables.menus)], object)
    model.hear(Outcome(0, length + 1, joint[[1]], heard, np.zeros(1), np.ones(1, dtype=bool)))
    nothing = np.zeros((1, 0), dtype=int)
    true = model.predict(np.zeros(1, dtype=int), nothing, nothing)
    np.testing.assert_allclose(true.observations, other.observations, atol=1e-5)
    np.testing.assert_allclose(true.proposals, other.proposals, atol=1e-5)


@pytest.mark.parametrize("search", [Search("expectimax"), Search("tree", 64)])
def test_an_exact_model_learns_from_episode_to_episode(search):
    """On `shortcut` with the door open, and 0.7 of the prior on that, one look pays and settles it."""

    def planner(beliefs, latents):
        return WorldModelPlanner(ExactWorldModel(beliefs), beliefs.tables, search)

    kept = run(shortcut(open=0.7), planner, [1, 1, 0], 10)
    assert (kept.expected()[:, 5:] < 1e-9).all()


def test_several_actors_say_the_parts_of_the_best_joint_subgoal():
    """Part after part, each the best completion of the parts before; and an Actor led astray is made the best of."""
    tables = random_family(actors=2, subgoals=3, latents=3, seed=4)
    planner = WorldModelPlanner(ExactWorldModel(Beliefs(tables)), tables, Search("expectimax"))
    told(planner.model, tables, 0, 0)
    first = [np.array(names[:1], dtype=object) for names in (tables.instructions, tables.observations)]
    planner.start(Draws(0, 1))
    planner.hear(Opening(0, *first))
    q = expectimax(planner.model, Question(tables.reward.T[:1], tables.horizon)).reshape(3, 3)
    menus = [Menu.shared(menu) for menu in tables.menus]
    one = planner.propose(menus[0], np.empty((1, 0), dtype=object)).probs[0]
    assert one.argmax() == q.max(axis=1).argmax() and one.max() == 1
    for m, part in enumerate(tables.menus[0]):
        then = planner.propose(menus[1], np.array([[part]], dtype=object)).probs[0]
        assert then.argmax() == q[m].argmax() and then.max() == 1


def test_forbidden_joint_subgoals_are_not_searched_for():
    tables = team()
    kept = run(
        tables, lambda b, z: WorldModelPlanner(ExactWorldModel(b), tables, Search("expectimax")), np.arange(6), 4
    )
    assert max(((record.subgoals == MENU[LIFT]).sum(axis=1)).max() for record in kept.steps) <= 1


def test_bad_input():
    spec = "random:actors=4,subgoals=2"
    scene = assemble.Scene(spec, assemble.world(spec), np.zeros(1, dtype=int), 5)
    with pytest.raises(BadInput, match="4 Actors: planner 'world-model' searches over joint subgoals"):
        assemble.planner("world-model:model=exact", scene)
    with pytest.raises(BadInput, match="one model call"):
        Search(budget=0)
    with pytest.raises(BadInput, match="expectimax or tree"):
        Search("deep")
    with pytest.raises(BadInput, match="cut=0.5"):
        Search(cut=0.5)


def test_a_menu_is_kept(monkeypatch):
    tables = shortcut()
    planner = WorldModelPlanner(ExactWorldModel(Beliefs(tables)), tables, Search("expectimax"))
    told(planner, tables, 0, 0)
    legal = Menu(np.array([tables.menus[0]], dtype=object), np.array([[False] + [True] * (tables.num_subgoals - 1)]))
    assert planner.propose(legal, np.zeros((1, 0), dtype=object)).probs[0, 0] == 0


class Odd(ExactWorldModel):
    """Says what `make` makes of the exact prediction."""

    def __init__(self, beliefs, make):
        super().__init__(beliefs)
        self.make = make

    def predict(self, rows, subgoals, observations):
        return Prediction(self.make(super().predict(rows, subgoals, observations).observations))


@pytest.mark.parametrize(
    "make, wrong",
    [
        (lambda p: np.concatenate([0.5 * p, 0.5 * p[..., :1]], axis=2), "8 observations"),  # a sentence nobody knows
        (lambda p: 0.9 * p, "sum to 0.9"),
        (lambda p: p * np.nan, "sum to nan"),
        (lambda p: p + np.array([0.5, -0.5, 0, 0, 0, 0, 0]), "below 0"),
    ],
    ids=["outside the vocabulary", "not one", "not a number", "negative"],
)
@pytest.mark.parametrize("search", [Search("expectimax"), Search("tree", 8)])
def test_a_model_that_predicts_no_law_is_named(make, wrong, search):
    tables = shortcut()
    planner = WorldModelPlanner(Odd(Beliefs(tables), make), tables, search)
    told(planner, tables, 0, 0)
    with pytest.raises(BadInput, match=wrong):
        planner.propose(Menu.shared(tables.menus[0]), np.zeros((1, 0), dtype=object))


def test_a_prediction_that_is_flat_survives_the_cut():
    """Every sentence is less likely than the cut: none is left out."""
    flat = Prediction(np.full((1, 1, 2000), 1 / 2000))
    np.testing.assert_allclose(Question(np.zeros((1, 2000)), 1, 1e-3).imagined(flat), flat.observations)


class Endless:
    """Takes every sentence to be possible after every subgoal, for ever."""

    def predict(self, rows, subgoals, observations):
        return Prediction(np.full((len(rows), 9, 9), 1 / 9))


def test_prediction_without_end_is_cut_by_the_budget_or_refused():
    asked = Question(np.linspace(0, 1, 9)[None], 50)
    tree = Tree(Endless(), asked, 30)
    tree.grow()
    assert tree.size[0] == 30 and np.isfinite(tree.values).all()
    with pytest.raises(BadInput, match="histories of one run at depth"):
        expectimax(Endless(), asked)
    with pytest.raises(BadInput, match="no step is left"):
        Question(np.zeros((1, 9)), 0)


def test_imagining_beyond_the_positions_of_a_transformer_is_refused():
    tables = shortcut()
    model = TransformerWorldModel(assemble.shipped("shortcut"), tables)
    told(model, tables, 0, 0)
    far = np.zeros((1, 2000), dtype=int)
    with pytest.raises(BadInput, match="imagine fewer steps"):
        model.predict(np.zeros(1, dtype=int), far, far)


def test_the_smallest_budget_looks_one_step_ahead():
    tables = shortcut(open=0.7)
    model = ExactWorldModel(Beliefs(tables))
    told(model, tables, 0, 0)
    asked = Question(tables.reward.T[:1], 3)
    tree = Tree(model, asked, 1)
    tree.grow()
    nothing = np.zeros((1, 0), dtype=int)
    heard = model.predict(np.zeros(1, dtype=int), nothing, nothing).observations
    np.testing.assert_allclose(tree.values, heard @ asked.pay[0])


def test_an_exact_model_that_restarts():
    """After the jump it looks where things are now."""
    config = RunConfig("household:jump=4", "world-model:model=exact,forget=restart,budget=16", episodes=10, runs=9)
    regret = expected_regret(config, lambda record, runs: None)
    assert regret[:, -2:].mean() < 0.3


@pytest.mark.parametrize(
    "spec", ["model=wise", "model=exact,checkpoint=x", "forget=restart", "base_url=http://x", "model=exact,forget=2"]
)
def test_bad_specs(spec):
    world = assemble.world("shortcut")
    with pytest.raises(BadInput, match="model=|forget="):
        assemble.planner(f"world-model:{spec}", assemble.Scene("shortcut", world, np.zeros(1, dtype=int), 10))


@pytest.mark.parametrize("rho", [0.3, 1.0])
def test_a_reader_counts_the_subgoal_that_it_is_told(rho):
    """Its law of o', before and while imagining, is the likelihood of o' once the filter has heard the subgoal."""
    tables, rows = shortcut(open=0.4), np.arange(64)
    beliefs, counted = Beliefs(tables), 0
    before = imagined = np.empty(0)
    documents = sample_documents(beliefs, len(rows), 3, (0,), rho, "uniform")
    model = ReadingWorldModel(beliefs, ExactPlanner(beliefs, Evidence(DEMONSTRATOR, rho)))
    for e, h in reading((model,), documents, tables):
        g, seen = documents.subgoals[:, e], documents.observations[:, e]
        law = model.predict(rows, g[:, :0], seen[:, :0]).observations[rows, g[:, h]]
        np.testing.assert_allclose(law.sum(axis=1), 1, atol=1e-12)
        if h:
            heard = np.exp(model.filter.log_likelihood()[:, 0])
            np.testing.assert_allclose(before[rows, seen[:, h]], heard, rtol=1e-9)
            np.testing.assert_allclose(imagined, law, atol=1e-12)
        before = law
        if h + 1 < tables.horizon:
            imagined = model.predict(rows, g[:, h : h + 1], seen[:, h + 1 : h + 2]).observations[rows, g[:, h + 1]]
        plain = ExactWorldModel.predict(model, rows, g[:, :0], seen[:, :0]).observations[rows, g[:, h]]
        counted += int((np.abs(plain - law).max(axis=1) > 1e-3).sum())
    assert counted > 20  # the subgoal that is told does say something: trying the door, that it is open
