"""Exploration that is bought where it is needed: found treasure, no waste where the world reveals itself."""

import numpy as np

from parley.exploration.adaptive import AdaptiveExplorer, Doubt
from parley.planners.exact import ExactPlanner
from parley.planners.scripted import RandomPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes, classes_of
from parley.theory.trials import Trials
from parley.worlds.forage import forage
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.traps import traps
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run


def adaptive(tables, prudence: float = 3.0, obeys: bool = False) -> AdaptiveExplorer:
    beliefs = Beliefs(tables)
    classes = classes_of(beliefs)
    return AdaptiveExplorer(beliefs, classes, Trials(beliefs, classes), ExactPlanner(beliefs), prudence, obeys=obeys)


def totals(tables, latent: int, explorer=None, how: str = "sample", num_episodes: int = 300) -> np.ndarray:
    kept = run(tables, ExactPlanner(Beliefs(tables), decode=how), np.full(48, latent), num_episodes, explorer)
    return kept.expected().sum(axis=1)


def test_treasure_is_found_at_once():
    tables = treasure(16)
    assert totals(tables, 0, adaptive(tables)).mean() <= 0.1 * totals(tables, 0).mean()
    assert totals(tables, 3, adaptive(tables)).max() <= 0.5  # one look into the first chest, and never again


def test_the_open_door_is_found():
    tables = shortcut()
    assert totals(tables, 1, adaptive(tables)).mean() <= 0.1 * totals(tables, 1, how="greedy").mean()
    assert totals(tables, 0, adaptive(tables)).max() <= 0.7  # one episode of trying a locked door


def test_between_trials_the_planners_own_proposals_are_executed():
    """A planner of uniform proposals loses as much as ever, but the trial of the rare latent is made for it, too."""
    tables = treasure(16)
    latents = np.zeros(48, dtype=int)
    kept = run(tables, RandomPlanner(), latents, 40, adaptive(tables, obeys=True))
    explored = np.array([step.explored for step in kept.steps])
    assert explored.any(axis=0).all() and explored.mean() < 0.1
    laws = [(step.laws[0], step.explored) for step in kept.steps]
    assert all(np.allclose(law[~trial], 1 / 16) for law, trial in laws)
    assert all(law[trial].max(initial=1) == 1 for law, trial in laws)


def test_little_is_bought_where_acting_reveals_the_world():
    tables = traps(planted=False)

    def bayes(explorer=None, how: str = "sample") -> float:
        return sum(p * totals(tables, z, explorer, how, 100).mean() for z, p in enumerate(tables.prior))

    assert bayes(adaptive(tables)) <= min(bayes(how="sample"), bayes(how="greedy")) + 0.05


def test_prudence_keeps_trying_for_the_worst_case():
    """With more prudence a locked door is tried more often before it is given up."""
    tables = shortcut()
    little, much = (totals(tables, 0, adaptive(tables, prudence)).mean() for prudence in (0.1, 1000.0))
    assert little < much


def test_a_trial_is_put_off_until_its_instruction_comes():
    """In `forage` the cherry that takes longest is tried while none is asked for."""
    tables = forage()
    beliefs = Beliefs(tables)
    classes = classes_of(beliefs)
    trials = Trials(beliefs, classes)
    often, belief = np.full((3, 3), 1 / 3), np.tile(classes.prior, (3, 1))
    tried = tables.latents.index("apple takes 1, plum takes 1, cherry takes 3")
    doubt = Doubt.of(trials, belief, np.arange(3), often, 100)
    gain, _, waits = doubt.gain(trials, np.full(3, tried), np.ones(3), 2.0)
    assert gain[0] > 0 and list(gain[1:]) == [-np.inf] * 2
    assert ["cherry" in w for w in tables.instructions] == list(waits) == [False, True, True]


def test_a_latent_in_two_halves_is_worth_the_same_trial():
    """What is on trial is what is done, not a latent: all who gain by it count together."""
    beliefs = Beliefs(random_family(latents=2, states=3, observations=2, subgoals=3, instructions=2, horizon=1, seed=4))
    whole, halves = Classes(((0,), (1,)), np.array([0.7, 0.3])), Classes(((0,), (1,), (1,)), np.array([0.7, 0.2, 0.1]))
    gains = []
    for classes in (whole, halves):
        trials = Trials(beliefs, classes)
        often, belief = np.full((2, 2), 0.5), np.tile(classes.prior, (2, 1))
        doubt = Doubt.of(trials, belief, np.arange(2), often, 10_000)
        gains.append([doubt.gain(trials, np.array([1, 1]), np.full(2, tilt), 2.0)[0] for tilt in (1.0, 0.5)])
    assert np.isfinite(gains[0]).any()
    np.testing.assert_allclose(gains[0][0], gains[1][0], rtol=1e-6)


def test_a_trial_stops_where_what_is_tried_is_refuted():
    """In `traps` H = 2: a first pay that the tried latent cannot give ends the trial within the episode."""
    tables = traps(latents=3, horizon=2, seed=2)
    explorer = adaptive(tables)
    kept = run(tables, ExactPlanner(Beliefs(tables)), np.zeros(64, dtype=int), 30, explorer)
    laws = np.array([record.laws[0] for record in kept.steps])  # step runs G
    explored = np.array([record.explored for record in kept.steps])
    first, second = laws[0::2], laws[1::2]
    tried = explored[0::2] & (first[..., 0] < 1)
    assert tried.any() and (second[tried][:, 0] == 1).any()


def test_a_reader_that_is_the_planner_itself_changes_nothing():
    tables = shortcut()
    beliefs = Beliefs(tables)
    classes, planner = classes_of(beliefs), ExactPlanner(beliefs)
    trials = Trials(beliefs, classes)
    alone = AdaptiveExplorer(beliefs, classes, trials, ExactPlanner(beliefs))
    shared = AdaptiveExplorer(beliefs, classes, trials, planner, owns=False)
    kept = [run(tables, p, np.arange(16) % 2, 30, e) for p, e in ((ExactPlanner(beliefs), alone), (planner, shared))]
    np.testing.assert_array_equal(kept[0].expected(), kept[1].expected())
