"""What the comparison of explorers leaves out by stopping early, and its lower bounds, against whole runs."""

from functools import partial

import numpy as np
import pytest

from parley import assemble
from parley.execute import RunConfig
from parley.experiments.base import expected_regret
from parley.experiments.claims import adaptive_lines as lines
from parley.theory.design import uniform_cost
from parley.theory.distinguishability import classes_of


def silent(record, runs):
    pass


@pytest.mark.parametrize("key", [lines.ADAPTIVE, lines.PROPOSALS, lines.GREEDY, lines.SAMPLING])
@pytest.mark.parametrize("world", ["shortcut", "treasure", "traps:horizon=2", "random:concentration=0.3,seed=1"])
def test_a_run_at_rest_loses_what_is_said(world, key, monkeypatch):
    """Run by run, so each with its own class only."""
    monkeypatch.setattr(lines, "shared", own)
    if key == lines.SAMPLING and lines.by_chain(world, key, 500) is not None:
        key = lines.DECAY  # what is known without a run needs no rest
    latents = np.array(lines.apart(world)[0])
    config = RunConfig(world, *key, episodes=500, latent="each", runs=4 * len(latents))
    shown = []
    early = lines.totals_of(config, lambda record, runs: shown.append(record.episode))[:, 0]
    around = partial(lines.Shuffled, seed=config.seed) if key == lines.PROPOSALS else None
    whole = expected_regret(config, silent, turns=latents, around=around).sum(axis=1)
    np.testing.assert_allclose(early, whole, atol=1e-5)
    if key not in (lines.SAMPLING, lines.DECAY):
        assert len(shown) < 500  # so that the comparison means something


def own(loss, posterior, prior):
    each = np.arange(len(prior))
    return loss.reshape(-1, len(prior), len(prior))[:, each, each].ravel()


def test_what_is_shared_in_a_round_is_right_on_average():
    """All histories of three classes, one of them without prior, enumerated; two rounds side by side."""
    rng, prior = np.random.default_rng(0), np.array([0.9, 0.1, 0.0])
    law, loss = rng.dirichlet(np.ones(4), 3), rng.random((4, 3))  # class, history
    posterior = (prior * law.T) / (prior * law.T).sum(axis=1, keepdims=True)
    mean = np.zeros(3)
    for histories in np.ndindex(4, 4, 4):
        h = np.array(histories)
        mean += law[np.arange(3), h].prod() * lines.shared(loss[h], posterior[h], prior)
    np.testing.assert_allclose(mean, np.einsum("ch,hc->c", law, loss), atol=1e-12)
    both = lines.shared(loss[[0, 1, 2, 3, 3, 0]], posterior[[0, 1, 2, 3, 3, 0]], prior)
    np.testing.assert_array_equal(both[3:], lines.shared(loss[[3, 3, 0]], posterior[[3, 3, 0]], prior))


def test_what_is_given_up_once_in_thousands_of_runs_is_in_the_estimate():
    """`traps` with its rare latent, `adaptive`: give-ups cost 3,000 each, and none is among the runs of 32 rounds.

    Charged to its own class alone no run loses anything at rest; the posterior of every round says what is expected.
    """
    config = RunConfig("traps", *lines.ADAPTIVE, episodes=10_000, latent="each", runs=32 * len(lines.apart("traps")[1]))
    totals = lines.totals_of(config, silent).reshape(32, -1)
    assert totals[:, -1].max() < 100 and totals[:, -1].mean() > 0.2


@pytest.mark.parametrize("world", ["shortcut", "traps", "team"])
def test_a_shuffled_menu_costs_the_same(world):
    """Proposals do not depend on the menu's order, and neither does what is drawn from them, on average."""
    num = len(lines.apart(world)[1])
    config = RunConfig(world, *lines.PROPOSALS, episodes=60, latent="each", runs=96 * num)
    turns, costs, seed = np.array(lines.apart(world)[0]), [], 3
    for size in (len(menu) for menu in assemble.world(world).tables.menus):
        assert (np.random.default_rng(seed).permutation(size) != np.arange(size)).any()
    for around in (None, partial(lines.Shuffled, seed=seed)):
        costs.append(expected_regret(config, silent, turns=turns, around=around).sum(axis=1).reshape(-1, num))
    spread = np.hypot(*(cost.std(axis=0) / np.sqrt(96) for cost in costs))
    assert (np.abs(costs[0].mean(axis=0) - costs[1].mean(axis=0)) <= 4.5 * spread + 1e-9).all()


@pytest.mark.parametrize("key", [lines.GREEDY, lines.SAMPLED, lines.SAMPLING])
@pytest.mark.parametrize("world", ["shortcut", "treasure:n=4"])
def test_a_line_that_only_learns_loses_what_its_chain_says(world, key):
    config = RunConfig(world, *key, episodes=40, latent="each", runs=2 * 4096)
    found = expected_regret(config, silent, turns=np.array(lines.apart(world)[0])).sum(axis=1).reshape(-1, 2)
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    gap = np.abs(found.mean(axis=0) - lines.by_chain(world, key, 40))
    assert (gap <= 4.5 * error + 1e-9).all()  # false alarm: 1 in 10,000 a cell
    assert lines.by_chain("random", key, 40) is None  # too many beliefs
    assert lines.by_chain(world, lines.DECAY, 40) is None


@pytest.mark.parametrize("world", ["shortcut", "treasure", "random"])
def test_the_first_exploration_episode_costs_its_floor(world):
    beliefs = assemble.beliefs_of(assemble.world(world).tables)
    prior = lines.apart(world)[1]
    first = lines.floor(world, lines.DECAY, 1)  # 1 / t is 1 in the first episode
    if len(beliefs.tables.instructions) == 1:
        assert prior @ first == pytest.approx(uniform_cost(beliefs, classes_of(beliefs)), abs=1e-9)
    config = RunConfig(world, *lines.DECAY, episodes=1, latent="each", runs=4096 * len(prior))
    found = expected_regret(config, silent, turns=np.array(lines.apart(world)[0]))[:, 0].reshape(-1, len(prior))
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - first) <= 4.5 * error + 1e-9).all()  # false alarm: 1 in 10,000 a world


def test_no_line_falls_below_its_floor():
    """The policy with the largest eta, and uniform: what the exploration episodes alone cost."""
    config = RunConfig("shortcut", *lines.DESIGNED, episodes=2_000, latent="each", runs=64)
    totals = lines.totals_of(config, silent).reshape(-1, 2)
    error = totals.std(axis=0, ddof=1) / 8
    assert (totals.mean(axis=0) >= lines.floor("shortcut", lines.DESIGNED, 2_000) - 4 * error).all()
    assert lines.floor("shortcut", lines.UNIFORM, 10) is None  # the theory's epsilon would be 1
