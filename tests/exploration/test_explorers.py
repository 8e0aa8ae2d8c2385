"""Epsilon-greedy: how often it explores, and that the law it reports is the law it executes."""

import numpy as np
import pytest

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Menu, Moment, Proposal
from parley.exploration.explorers import EpsilonGreedy, NoExploration, schedule, weighted_policy

MENU = Menu.shared(("left", "right", "wait"))
PROPOSALS = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])


def play(explorer, num_runs: int, how: str = "sample"):
    """Two steps of one episode in many runs; returns choices of both steps."""
    explorer.start(Draws(3, num_runs), 10, 2)
    return [
        explorer.choose(Proposal(np.tile(PROPOSALS[h - 1], (num_runs, 1))), how, MENU, Moment(0, h)) for h in (1, 2)
    ]


@pytest.mark.parametrize("per", ["episode", "step"])
@pytest.mark.parametrize("how", ["sample", "greedy"])
def test_the_reported_law_is_the_conditional_law_of_what_is_executed(per, how):
    num_runs = 60_000
    first, second = play(EpsilonGreedy(schedule(0.4), per), num_runs, how)
    for g in range(3):
        assert abs((first.index == g).mean() - first.law[0, g]) < 0.01
        rows = first.index == g
        if rows.sum() > 500:
            assert np.allclose(second.law[rows], second.law[rows][0])
            for then in range(3):
                assert abs((second.index[rows] == then).mean() - second.law[rows][0, then]) < 0.04
    together = (first.explored == second.explored).mean()
    assert together == 1 if per == "episode" else together < 0.9
    assert abs(first.explored.mean() - 0.4) < 0.01


def test_an_episode_that_does_what_the_planner_never_would_is_known_to_explore():
    first, second = play(EpsilonGreedy(schedule(0.4)), 1000, "greedy")
    odd = first.index != 0
    np.testing.assert_allclose(second.law[odd], 1 / 3)


def test_no_exploration_follows_the_proposal_and_respects_the_decoding():
    first, _ = play(NoExploration(), 1000, "greedy")
    assert (first.index == 0).all() and not first.explored.any()


def test_a_forbidden_entry_is_never_explored():
    menu = Menu(MENU.sentences, np.array([[True, False, True]]))
    explorer = EpsilonGreedy(schedule(1.0))
    explorer.start(Draws(0, 5000), 1, 1)
    choice = explorer.choose(Proposal(np.tile([0.5, 0.0, 0.5], (5000, 1))), "sample", menu, Moment(0, 1))
    assert set(choice.index) == {0, 2}


def test_a_given_policy():
    explorer = EpsilonGreedy(schedule(1.0), policy=weighted_policy({"right": 3, "wait": 1}))
    explorer.start(Draws(0, 20_000), 1, 1)
    choice = explorer.choose(Proposal(np.tile([1.0, 0.0, 0.0], (20_000, 1))), "sample", MENU, Moment(0, 1))
    np.testing.assert_allclose(choice.law, np.tile([0, 0.75, 0.25], (20_000, 1)))
    assert abs((choice.index == 1).mean() - 0.75) < 0.02 and not (choice.index == 0).any()
    for wrong in ({"right": -1}, {"right": float("nan")}, {"right": "much"}):
        with pytest.raises(BadInput, match="'right'"):
            weighted_policy(wrong)
    with pytest.raises(BadInput, match="policy='p.json': it has no weight on the menu of step 1: give one of"):
        weighted_policy({"jump": 1}, "policy='p.json'")(MENU, Moment(0, 1), 2)


def test_schedules():
    assert schedule(0.3)(10_000) == 0.3
    assert schedule(1.0, 0.5)(3) == 0.5
    assert schedule(5.0, 1.0)(0) == 1.0
    for wrong in ((1.5, 0.0), (-0.1, 0.5), (0.5, -1.0)):
        with pytest.raises(BadInput):
            schedule(*wrong)
    with pytest.raises(BadInput, match="per='day'"):
        EpsilonGreedy(schedule(0.1), per="day")
