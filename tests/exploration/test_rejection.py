"""The sequential test of the model: rarely wrong, soon right; and the forced exploration that follows it."""

from dataclasses import replace

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Menu, Moment, Opening, Outcome, Proposal
from parley.exploration.adaptive import AdaptiveExplorer
from parley.exploration.explorers import NoExploration, uniform_policy
from parley.exploration.proposals import ProposalsExplorer
from parley.exploration.rejection import FALSE_ALARM, Bets, GuardedExplorer
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of
from parley.theory.trials import Trials
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut
from tests.helpers import run


def words(index: np.ndarray) -> np.ndarray:
    return np.array([f"word {i}" for i in index], dtype=object)


def bet(law: np.ndarray, believed: np.ndarray, num_runs: int, num_episodes: int, seed: int = 0) -> Bets:
    """Observations drawn from `law`, one an episode, against the hypotheses `believed` (Z, O)."""
    rng, bets = np.random.default_rng(seed), Bets()
    bets.start(num_runs)
    for t in range(num_episodes):
        seen = rng.choice(len(law), size=num_runs, p=law)
        bets.hear(Opening(t, words(np.zeros(num_runs, int)), words(seen)), np.log(believed[:, seen]).T)
    return bets


def test_wealth_is_a_martingale_under_the_hypothesis():
    """Its mean over all sequences of three observations, by enumeration, is at most 1 (less by what is never seen)."""
    p, mean = np.array([0.7, 0.3]), 0.0
    for sequence in np.ndindex(2, 2, 2):
        bets = Bets()
        bets.start(1)
        for t, o in enumerate(sequence):
            bets.hear(Opening(t, words(np.zeros(1, int)), words([o])), np.log([[p[o]]]))
        mean += np.prod(p[list(sequence)]) * (np.exp(bets.log_wealth[0, 0]) + 1 / (bets.moments + 1))
    assert 0.2 < mean <= 1 + 1e-12


def test_false_alarms_are_rare():
    """4,000 runs of 300 observations under the model: the bound allows 4 alarms in expectation."""
    p = np.array([0.5, 0.3, 0.2])
    assert bet(p, p[None], 4000, 300).rejected.sum() <= 4000 * FALSE_ALARM + 6


def test_a_wrong_model_is_rejected_when_all_its_hypotheses_are():
    truth, wrong = np.array([0.2, 0.8]), np.array([[0.9, 0.1], [0.6, 0.4]])
    assert bet(truth, wrong, 50, 100).rejected.all()
    assert not bet(truth, np.array([[0.9, 0.1], [0.2, 0.8]]), 50, 100).rejected.any()


def test_a_change_that_comes_late_is_still_found():
    rng, bets, p = np.random.default_rng(1), Bets(), np.array([0.9, 0.1])
    bets.start(20)
    for t in range(1100):
        seen = rng.choice(2, size=20, p=p if t < 1000 else p[::-1])
        bets.hear(Opening(t, words(np.zeros(20, int)), words(seen)), np.log(p[seen])[:, None])
        assert t >= 1000 or not bets.rejected.any()
    assert bets.rejected.all()


def test_what_the_model_holds_impossible_rejects_it():
    bets = Bets()
    bets.start(1)
    for t in range(2):
        bets.hear(Opening(t, words([0]), words([0])), np.array([[-np.inf]]))
    assert bets.rejected.all()


def guarded(tables, planner) -> GuardedExplorer:
    beliefs = Beliefs(tables)
    classes = classes_of(beliefs)
    inner = AdaptiveExplorer(beliefs, classes, Trials(beliefs, classes), ExactPlanner(beliefs))
    return GuardedExplorer(inner, inner, uniform_policy)


def guarded_proposals(tables, planner) -> GuardedExplorer:
    return GuardedExplorer(ProposalsExplorer(), planner, uniform_policy)


@pytest.mark.parametrize("spec", ["adaptive", "adaptive-proposals"])
@pytest.mark.parametrize("planner", ["exact", "transformer"])
def test_by_name_too_the_model_is_watched(spec, planner):
    """Runs put together by name; where reports are noisier than the model believes, it is soon rejected."""
    world, rows = assemble.world("shortcut"), np.zeros(16, dtype=int)
    for noise, wrong in ((0.1, False), (0.9, True)):
        scene = assemble.Scene("shortcut", world, rows, 30)
        made = assemble.planner(planner, scene)
        explorer = assemble.explorer(spec, scene)
        run(shortcut(noise=noise), made, rows, 30, explorer)
        assert (explorer.since >= 0).mean() == float(wrong)


@pytest.mark.parametrize("spec", ["adaptive", "adaptive-proposals"])
def test_the_share_of_false_alarms_is_an_argument(spec):
    """Where none is allowed, nothing is watched, however wrong; what is no share is refused."""
    world, rows = assemble.world("shortcut"), np.zeros(16, dtype=int)
    scene = assemble.Scene("shortcut", world, rows, 30)
    made = assemble.planner("exact", scene)
    assert not isinstance(assemble.explorer(f"{spec}:false_alarm=0", scene), GuardedExplorer)
    rejected = []
    for share in (1e-3, 0.5):
        explorer = assemble.explorer(f"{spec}:false_alarm={share}", scene)
        run(shortcut(noise=0.9), made, rows, 30, explorer)
        rejected.append(np.where(explorer.since < 0, 99, explorer.since).mean())
    assert 99 > rejected[0] > rejected[1]
    for bad in ("1", "-0.1", "nan"):
        with pytest.raises(BadInput, match=r"false_alarm=.*expected the share of runs"):
            assemble.explorer(f"{spec}:false_alarm={bad}", scene)


def test_a_snapshot_of_before_the_test_is_refused_in_a_sentence():
    explorer, bare = GuardedExplorer(ProposalsExplorer(), None, uniform_policy), ProposalsExplorer()
    for one in (explorer, bare):
        one.start(Draws(0, 2), 10, 3)
    with pytest.raises(BadInput, match="Start it anew"):
        explorer.restore(bare.snapshot())


def test_a_planner_that_foretells_nothing_is_not_watched():
    scene = assemble.Scene("shortcut", assemble.world("shortcut"), np.zeros(1, dtype=int), 30)
    assemble.planner("random", scene)
    assert isinstance(assemble.explorer("adaptive-proposals", scene), ProposalsExplorer)


@pytest.mark.parametrize("make", [guarded, guarded_proposals])
def test_forced_exploration_only_after_the_model_is_rejected(make):
    """The world is as the model says, or its reports are less noisy than the model believes."""
    believed, other = shortcut(noise=0.4), shortcut(noise=0.02)
    for tables, wrong in ((believed, False), (other, True)):
        planner = ExactPlanner(Beliefs(believed), decode="greedy")
        explorer = make(believed, planner)
        run(tables, planner, np.zeros(32, dtype=int), 300, explorer)
        assert (explorer.since >= 0).mean() == float(wrong)


def test_a_latent_without_prior_is_no_hypothesis():
    """The prior excludes the true latent: the model is wrong, although the tables of that latent are not."""
    tables = replace(random_family(seed=4, latents=3), prior=np.array([0.5, 0.5, 0.0]))
    for latent, wrong in ((0, False), (2, True)):
        planner = ExactPlanner(Beliefs(tables))
        explorer = guarded(tables, planner)
        run(tables, planner, np.full(8, latent), 250, explorer)
        assert (explorer.since >= 0).mean() == float(wrong)


def test_the_floor_explores_at_the_theorys_rate():
    explorer = GuardedExplorer(NoExploration(), None, uniform_policy)
    explorer.start(Draws(0, 2000), 100, 1)
    explorer.since = np.where(np.arange(2000) < 1000, 4, -1)
    menu, shares = Menu.shared(("a", "b")), []
    for t in (4, 7, 12):
        choice = explorer.choose(Proposal(np.tile([1.0, 0.0], (2000, 1))), "sample", menu, Moment(t, 1))
        shares.append(choice.explored[:1000].mean())
        assert not choice.explored[1000:].any() and (choice.law[1000:, 0] == 1).all()
        np.testing.assert_allclose(choice.law[:1000, 1], 0.5 * (t - 3) ** -0.5)
    np.testing.assert_allclose(shares, [1, 0.5, 1 / 3], atol=0.05)


def test_a_step_in_which_a_run_is_over_is_no_evidence():
    bets = Bets()
    bets.start(2)
    bets.hear(Opening(0, words([0, 0]), words([0, 0])), np.zeros((2, 1)))
    before = bets.log_wealth.copy()
    said = Outcome(0, 1, words([0, 0])[:, None], words([1, 1]), np.zeros(2), np.array([True, False]))
    bets.hear(said, np.log([[0.5], [0.5]]))
    assert bets.counts.sum() == 3  # two openings and one step
    # Nor a moment: how long the other runs of a cohort last changes nothing.
    np.testing.assert_array_equal(bets.moments, [2, 1])
    np.testing.assert_array_equal(bets.log_wealth[1], before[1])
