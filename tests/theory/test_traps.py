"""Traps: closed forms, the exact chain against enumeration and against the loop, and the sentence."""

import json

import numpy as np
import pytest

from parley import assemble
from parley.core.errors import BadInput
from parley.core.said import decode
from parley.core.tables import Tables
from parley.planners.exact import ExactPlanner
from parley.theory import escapes
from parley.theory.beliefs import Beliefs
from parley.theory.chains import chain, fate, total
from parley.theory.distinguishability import classes_of
from parley.theory.limits import lower_limit, upper_limit
from parley.theory.simulate import SETTLED, most_lost, simulate
from parley.theory.traps import traps
from parley.theory.tree import EpisodeTree
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run
from tests.theory import brute_force


def pays(mean: np.ndarray, prior: list[float]) -> Tables:
    """One step; subgoal g pays mean[z, g] for sure, and the planner sees what it paid."""
    values = np.unique(mean)
    num_z, num_g = mean.shape
    num = len(values) + 1
    transition = np.zeros((num_z, num, num_g, num))
    transition[np.arange(num_z)[:, None], :, np.arange(num_g), np.searchsorted(values, mean)] = 1
    initial = np.eye(num)[np.full(num_z, num - 1)]
    names = (*(f"it pays {v}" for v in values), "begin")
    return Tables(
        name="pays",
        horizon=1,
        states=names,
        observations=names,
        menus=(tuple(f"arm {g}" for g in range(num_g)),),
        latents=tuple(f"z{z}" for z in range(num_z)),
        instructions=("earn",),
        prior=np.array(prior),
        initial=initial,
        transition=transition,
        emission=np.tile(np.eye(num), (num_z, 1, 1)),
        reward=np.append(values, 0.0)[:, None],
    )


def one(found, latent: str, decoding: str, instruction="any"):
    rows = [e for e in found.escapes if (e.latent, e.decoding) == (latent, decoding)]
    return next(e for e in rows if instruction in ("any", e.instruction))


def traps_of(tables: Tables, episodes: int = 1000, seed: int = 0, **further):
    beliefs = Beliefs(tables)
    return traps(beliefs, classes_of(beliefs), episodes, seed, **further)


def exact_chain(tables: Tables, how: str, instructions=(0,)):
    beliefs = Beliefs(tables)
    classes = classes_of(beliefs)
    tree = EpisodeTree(beliefs, tuple(group[0] for group in classes.members), to_the_end=True)
    return chain(tree, classes, how, instructions)


@pytest.mark.parametrize("n", [2, 16, 64])
def test_treasure_in_closed_form(n):
    found, p, num = traps_of(treasure(n=n), 300), 1 / (2 * n), 300
    gold = treasure(n=n).latents[0]
    greedy, sample = one(found, gold, "greedy"), one(found, gold, "sample")
    assert greedy.method == sample.method == "exact"
    assert greedy.escape == np.inf and greedy.stuck == 1 and greedy.cost == pytest.approx(0.5 * num)
    # Sampled BAIL opens the first chest with probability p an episode, and until then loses 0.5 (1 - p) in expectation.
    missed = (1 - (1 - p) ** num) / p
    assert sample.stuck == 0 and sample.escape == pytest.approx(missed)
    assert sample.cost == pytest.approx(0.5 * (1 - p) * missed)


def test_a_trap_though_every_pair_of_latents_is_told_apart():
    """A belief spread over several latents: theory.md section 4."""
    mean = np.array([[0.5, 0.9, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]])
    found = traps_of(pays(mean, [0.1, 0.45, 0.45]))
    greedy = one(found, "z0", "greedy")
    assert greedy.escape == np.inf and greedy.late == pytest.approx(0.4) and greedy.believing == ("z1", "z2")
    assert one(found, "z0", "sample").stuck == 0 and found.reveals("sample") and not found.reveals("greedy")
    assert found.verdict.startswith(
        'pays does not reveal itself: believing "z1" or "z2", a greedy planner never learns "z0": 0.4 an episode, for '
    )


def test_shortcut_in_the_world_s_own_words():
    found = traps_of(shortcut())
    assert 'believing "the back door is locked", a greedy planner never learns "the back door is open": 0.22' in (
        found.verdict
    )
    assert one(found, "the back door is open", "greedy").late == pytest.approx(0.2248)
    assert one(found, "the back door is locked", "greedy").cost == 0
    assert one(found, "the back door is open", "sample").believing == ("the back door is locked",)


@pytest.mark.parametrize("how", ["greedy", "sample"])
@pytest.mark.parametrize("seed", range(3))
def test_the_first_move_of_the_chain_agrees_with_enumeration(how, seed):
    t = random_family(latents=2, states=2, observations=2, subgoals=2, instructions=2, concentration=0.2, seed=seed)
    beliefs = Beliefs(t)
    classes = classes_of(beliefs)
    tree = EpisodeTree(beliefs, (0, 1), to_the_end=True)
    for w in range(2):

        def law(observations, subgoals, w=w):
            past = [(w, list(observations), list(subgoals))]
            return decode(brute_force.bail(t, past)[None], how)[0]

        paid, at = episode_from_the_prior(tree, classes, how, w)
        for z in range(2):
            assert paid[z] == pytest.approx(brute_force.regret(t, law, z, w), abs=1e-9)
            expected = 0.0  # of the posterior of latent 1 after the episode
            for (observations, subgoals), p in brute_force.trajectories(t, z).items():
                played = np.prod([law(observations[: h + 1], subgoals[:h])[g] for h, g in enumerate(subgoals)])
                if p * played > 0:
                    expected += p * played * brute_force.posterior(t, [(w, list(observations), list(subgoals))])[1]
            likelihood = tree.ends**2
            weight = at * likelihood[:, z] * 2
            after = likelihood * classes.prior
            assert weight.sum() == pytest.approx(1, abs=1e-9)
            assert weight @ (after[:, 1] / after.sum(axis=1)) == pytest.approx(expected, abs=1e-9)


def episode_from_the_prior(tree, classes, how, w):
    from parley.theory.chains import _episode, _experts

    return _episode(tree, classes.prior, how, _experts(tree, w), tree.loss(w))


def test_doubling_is_adding_up():
    rng = np.random.default_rng(0)
    move, loss = rng.dirichlet(np.ones(5), size=5), rng.random(5)
    for episodes in (1, 2, 7, 64, 100):
        slow = sum(np.linalg.matrix_power(move, t) @ loss for t in range(episodes))
        np.testing.assert_allclose(total(move, loss, episodes), slow, rtol=1e-12)


@pytest.mark.parametrize("how", ["greedy", "sample"])
@pytest.mark.parametrize("z", [0, 1])
def test_what_the_chain_predicts_is_what_the_loop_measures(how, z):
    tables = shortcut(open=0.2)
    predicted = fate(exact_chain(tables, how), z, 40).cost
    measured = run(tables, lambda b, _: ExactPlanner(b, decode=how), [z] * 4000, 40).expected().sum(axis=1)
    assert abs(measured.mean() - predicted) < 4 * measured.std() / np.sqrt(4000) + 1e-9
    beliefs = Beliefs(tables)
    simulated = simulate(beliefs, classes_of(beliefs), how, (0,), 2000, 40).loss[z].sum(axis=1)
    assert abs(simulated.mean() - predicted) < 4 * simulated.std() / np.sqrt(2000) + 1e-9


def test_simulation_agrees_with_the_loop_where_the_chain_is_infinite():
    tables = random_family(latents=3, horizon=2, instructions=1, seed=3)
    assert exact_chain(tables, "sample") is None
    beliefs = Beliefs(tables)
    simulated = simulate(beliefs, classes_of(beliefs), "sample", (0,), 1500, 10)
    np.testing.assert_allclose(simulated.belief.sum(axis=2), 1)
    for z in range(3):
        measured = run(tables, lambda b, _: ExactPlanner(b), [z] * 1500, 10).expected().sum(axis=1)
        mine = simulated.loss[z].sum(axis=1)
        assert abs(mine.mean() - measured.mean()) < 4 * np.hypot(mine.std(), measured.std()) / np.sqrt(1500)


def test_worlds_that_reveal_themselves_say_so_and_planted_ones_do_not():
    beliefs = assemble.beliefs_of(assemble.world("household").tables)
    found = traps(beliefs, classes_of(beliefs), 60)
    assert (
        found.verdict.startswith("household reveals itself: ") and found.reveals("greedy") and found.reveals("sample")
    )
    assert {e.method for e in found.escapes} == {"simulated"} and max(found.late_interval("sample")) <= 0.01
    assert min(e.runs for e in found.escapes) > 1000  # fewer would prove nothing, where 3.6 can be lost
    assert {e.instruction for e in found.escapes} == {"bring me the mug", "bring me the book", None}
    for planted in ("true", "false"):
        assert traps_of(assemble.world(f"traps:planted={planted}").tables, 200).reveals("greedy") == (
            planted == "false"
        )


@pytest.mark.parametrize("seed", [0, 2])
def test_the_third_answer_where_runs_cannot_tell(seed, monkeypatch):
    """The mean of 32 runs is below 0.01 with seed 0 and above with seed 2: neither says anything."""
    monkeypatch.setattr(escapes, "RUNS", 1024)
    tables = assemble.world("traps").tables
    beliefs = Beliefs(tables)
    few = simulate(beliefs, classes_of(beliefs), "sample", (0,), 32, 150, seed).loss[:, :, -15:].mean(axis=(1, 2))
    assert (few.max() > 0.01) == (seed == 2)
    found = traps_of(tables, 150, seed)
    assert found.reveals("sample") is None and found.reveals("greedy") is False
    low, high = found.late_interval("sample")
    assert low < 0.01 < high and one(found, "rare", "sample").pays is None
    assert found.verdict.startswith('traps does not reveal itself: believing "usual 0" or "usual 1", a greedy planner')
    assert "; cannot tell from 1,024 runs of 150 episodes whether a sampling planner stops paying" in found.verdict
    alone = traps_of(tables, 150, seed, name="traps:seed=0", decodings=("sample",))
    assert alone.verdict.startswith("traps:seed=0: cannot tell from 1,024 runs of 150 episodes whether a sampling ")
    assert "reveal" not in alone.verdict and 'where "rare", an episode at the end costs 0.00' in alone.verdict
    told = found.as_json()
    assert told["reveals_itself"] == {"greedy": False, "sample": None}
    assert told["late_interval"]["sample"] == [low, high]
    json.dumps(told, allow_nan=False)


def test_a_simulation_is_cut_and_says_so():
    tables = assemble.world("traps").tables
    found = traps_of(tables, 10_000, name="traps")
    assert found.verdict.endswith("; simulated: the first 200 of T = 10,000 episodes")
    assert {e.decoding: e.episodes for e in found.escapes} == {"greedy": 10_000, "sample": 200}
    assert "simulated" not in traps_of(tables, 150, decodings=("greedy",)).verdict


def test_who_stands_for_several_latents_is_said():
    said = traps_of(treasure(n=8), name="treasure:n=8").verdict
    others = 'believing "nothing in chest 1, taste for chest 2" (and 6 that cannot be told from it), a greedy planner '
    assert said.startswith("treasure:n=8 does not reveal itself: " + others + 'never learns "gold in chest 1": 0.5 ')


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 1.0])
def test_limits_hold_though_large_numbers_are_rare(share):
    rng, wrong = np.random.default_rng(0), np.zeros(2)
    for _ in range(200):
        numbers = (rng.random(150) < share) * 0.9
        low, high = lower_limit(numbers, 0.025), upper_limit(numbers, 0.025)
        assert 0 <= low <= numbers.mean() <= high <= 1
        wrong += (low > 0.9 * share, high < 0.9 * share)
    assert (wrong <= 200 * 0.025 + 7).all()
    assert high - low < 0.25


def test_no_interval_without_width_from_runs_that_lost_nothing():
    assert 0.09 < upper_limit(np.zeros(32), 0.025) < 0.13  # exactly, at level 0.025: 1 - 0.025 ** (1 / 32) = 0.109
    assert upper_limit(np.zeros(400), 0.025) < 0.01


def test_no_episode_is_charged_more_than_the_most():
    for tables in (assemble.world("household").tables, random_family(latents=3, horizon=2, instructions=2, seed=3)):
        beliefs = Beliefs(tables)
        classes = classes_of(beliefs)
        asked = tuple(range(len(tables.instructions)))
        most = most_lost(beliefs, classes, asked)
        seen = simulate(beliefs, classes, "sample", asked, 200, 3).loss.max(axis=(1, 2))
        assert (seen <= most + 1e-12).all() and (most <= tables.horizon**2).all()


def test_the_most_is_the_same_where_the_last_beliefs_go_unstored():
    tables = random_family(latents=3, horizon=3, instructions=2, seed=1)
    stored, unstored = Beliefs(tables), Beliefs(tables, max_edges=200)
    assert len(unstored.levels) < len(stored.levels)
    classes = classes_of(stored)
    by_belief, by_state = (most_lost(b, classes, (0, 1)) for b in (stored, unstored))
    assert (by_state >= by_belief - 1e-12).all()


def test_a_run_that_is_over_is_left_alone():
    tables = assemble.world("household").tables
    beliefs = Beliefs(tables)
    done = simulate(beliefs, classes_of(beliefs), "sample", (0,), 16, 100)
    sure = np.array([done.belief[z, :, z] for z in range(9)]) > 1 - SETTLED
    assert sure.mean() > 0.8 and (done.loss[:, :, -1][sure] == 0).all()
    assert done.work < 0.3 * 9 * 9 * 16 * 100 * 4


def test_the_same_seed_the_same_answer_in_plain_json():
    tables = random_family(instructions=1, seed=5)
    first, again, other = (traps_of(tables, 50, seed).as_json() for seed in (1, 1, 2))
    assert json.loads(json.dumps(first, allow_nan=False)) == json.loads(json.dumps(again, allow_nan=False))
    assert first != other
    json.dumps(traps_of(treasure(4)).as_json(), allow_nan=False)


def test_no_episodes():
    with pytest.raises(BadInput, match="episodes=0"):
        traps_of(treasure(4), 0)
