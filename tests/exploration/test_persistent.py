"""Trials from proposals alone that are not given up for good."""

import numpy as np
import pytest

from parley.core.draws import Draws
from parley.core.said import Menu, Moment, Opening, Outcome, Proposal
from parley.exploration.persistent import PersistentExplorer
from parley.exploration.proposals import ProposalsExplorer
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.worlds.tabular.riverswim import riverswim
from parley.worlds.tabular.signs import signs
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run

MENU = Menu.shared(("stay", "go left", "go right"))


def trials(explorer: ProposalsExplorer, probs: list[float], num: int) -> np.ndarray:
    """In which of the one-step episodes, whose proposal never moves, each of two runs tries something."""
    explorer.start(Draws(0, 2), 10_000, 1)
    said = [np.full(2, text, dtype=object) for text in ("task", "here", "there")]
    found = []
    for t in range(num):
        explorer.hear(Opening(t, said[0], said[1]))
        choice = explorer.choose(Proposal(np.tile(probs, (2, 1))), "sample", MENU, Moment(t, 1))
        found.append(choice.explored)
        chosen = MENU.say(choice.index)[:, None]
        explorer.hear(Outcome(t, 1, chosen, said[2], np.zeros(2), np.ones(2, dtype=bool)))
    return np.array(found)


def test_trials_that_tell_nothing_are_repeated_like_the_square_root():
    for num in (16, 64, 256):
        count = trials(PersistentExplorer(), [0.9, 0.1, 0.0], num).sum(axis=0)
        assert (np.abs(count - np.sqrt(num)) <= 2).all()
    assert (trials(ProposalsExplorer(), [0.9, 0.1, 0.0], 256).sum(axis=0) == 1).all()


def test_without_floor_it_is_what_it_builds_on():
    probs = [0.7, 0.2999, 0.0001]
    same = trials(PersistentExplorer(floor=0.0), probs, 64), trials(ProposalsExplorer(), probs, 64)
    np.testing.assert_array_equal(*same)


def test_what_ties_with_the_mode_is_not_tried_over_and_over():
    """It is decoded as often as the mode."""
    count = trials(PersistentExplorer(), [0.5, 0.5, 0.0], 256).sum(axis=0)
    np.testing.assert_array_equal(count, trials(ProposalsExplorer(), [0.5, 0.5, 0.0], 256).sum(axis=0))


@pytest.mark.parametrize(
    ("tables", "latent"),
    [
        pytest.param(treasure(4, p=5e-4), 0, id="a share too small to try"),
        pytest.param(signs(4, nowhere=0.999), 2, id="a share too small to try, among others"),
    ],
)
def test_an_improbable_latent_is_found(tables, latent):
    """Without the floor these runs lose the same in every episode."""
    planner, totals = ExactPlanner(Beliefs(tables), decode="greedy"), {}
    for explorer in (ProposalsExplorer(), PersistentExplorer()):
        kept = run(tables, planner, np.full(8, latent), 300, explorer)
        totals[type(explorer)] = kept.expected().sum(axis=1).mean()
    assert totals[PersistentExplorer] <= 0.5 * totals[ProposalsExplorer]


@pytest.mark.parametrize(("caution", "tries"), [(0.0, False), (0.5, True)])
def test_a_share_that_was_large_at_first_is_tried_for_longer(caution, tries):
    """0.001 of a visit's proposal, in 1,000 episodes, is worth less than two trials by itself; it began with 0.1."""
    explorer, probs = PersistentExplorer(caution=caution), np.full((2, 3), [0.9, 0.1, 0.0])
    explorer.start(Draws(0, 2), 1_000, 1)
    said = [np.full(2, text, dtype=object) for text in ("task", "here", "there")]
    explored = []
    for t in range(40):
        explorer.hear(Opening(t, said[0], said[1]))
        choice = explorer.choose(Proposal(probs), "greedy", MENU, Moment(t, 1))
        explored.append(choice.explored.any())
        explorer.hear(Outcome(t, 1, MENU.say(choice.index)[:, None], said[2], np.zeros(2), np.ones(2, dtype=bool)))
        probs = np.full((2, 3), [0.999, 0.001, 0.0])
    assert any(explored) == tries


def test_where_no_odds_are_near_those_on_trial_it_draws_from_the_proposal():
    """The second step's shares are of latents that are indifferent there, as of swimmers who turn back too late."""
    explorer = PersistentExplorer()
    explorer.start(Draws(0, 64), 10_000, 2)
    said = [np.full(64, text, dtype=object) for text in ("task", "here", "there")]
    follows: list[np.ndarray] = []
    for t in range(200):
        explorer.hear(Opening(t, said[0], said[1]))
        first = explorer.choose(Proposal(np.tile([0.9, 0.1, 0.0], (64, 1))), "greedy", MENU, Moment(t, 1))
        explorer.hear(Outcome(t, 1, MENU.say(first.index)[:, None], said[2], np.zeros(64), np.ones(64, dtype=bool)))
        floored = first.explored & explorer._wanders
        second = explorer.choose(Proposal(np.tile([0.6, 0.4, 0.0], (64, 1))), "greedy", MENU, Moment(t, 2))
        follows.append(second.law[floored])
        explorer.hear(Outcome(t, 2, MENU.say(second.index)[:, None], said[2], np.zeros(64), np.ones(64, dtype=bool)))
    laws = np.concatenate(follows)
    assert len(laws)
    np.testing.assert_allclose(laws, np.tile([0.6, 0.4, 0.0], (len(laws), 1)))


def test_a_climb_that_seldom_succeeds_is_found():
    """In `riverswim` a trial must go up at every step, and the last proposal is nearly even."""
    tables, latents = riverswim(pools=3, horizon=4), np.zeros(64, int)
    kept = run(tables, ExactPlanner(Beliefs(tables), decode="greedy"), latents, 500, PersistentExplorer())
    assert kept.expected().sum(axis=1).mean() <= 5  # 17 where every other subgoal was drawn; 39 without a floor
