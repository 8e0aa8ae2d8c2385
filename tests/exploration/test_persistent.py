"""Trials from proposals alone that are not given up for good."""

import numpy as np
import pytest

from parley.core.draws import Draws
from parley.core.said import Menu, Moment, Opening, Outcome, Proposal
from parley.exploration.persistent import PersistentExplorer
from parley.exploration.proposals import ProposalsExplorer
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
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
