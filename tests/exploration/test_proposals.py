"""Exploration from proposals alone: what it sees is what it acts on, whatever the order of the menu."""

from dataclasses import replace

import numpy as np
import pytest

from parley.core.draws import Draws
from parley.core.said import Menu, Moment, Opening, Outcome, Proposal
from parley.exploration.proposals import ProposalsExplorer
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.worlds.household.tables import House, house_tables
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.traps import traps
from parley.worlds.tabular.treasure import treasure
from tests.helpers import run

MENU = Menu.shared(("stay", "go left", "go right"))


def sentences(text: str, num: int = 2) -> np.ndarray:
    return np.full(num, text, dtype=object)


def drive(probs: list[list[float]], order: tuple[int, ...] = (0, 1, 2), num_episodes: int = 1000) -> list[np.ndarray]:
    """The laws of one-step episodes with these proposals, in the order of MENU."""
    explorer = ProposalsExplorer()
    explorer.start(Draws(0, 2), num_episodes, 1)
    menu, laws = Menu(MENU.sentences[:, list(order)], MENU.legal), []
    for t, row in enumerate(probs):
        explorer.hear(Opening(t, sentences("task"), sentences("here")))
        choice = explorer.choose(Proposal(np.tile(np.array(row)[list(order)], (2, 1))), "sample", menu, Moment(t, 1))
        law = np.empty_like(choice.law)
        law[:, list(order)] = choice.law
        laws.append(law)
        said = menu.say(choice.index)[:, None]
        explorer.hear(Outcome(t, 1, said, sentences("there"), np.zeros(2), np.ones(2, dtype=bool)))
    return laws


def test_nothing_is_tried_while_the_proposals_move():
    probs = [[1 - p, p / 2, p / 2] for p in 0.3 * 0.2 ** np.arange(8)]
    assert all((law[:, 0] == 1).all() for law in drive(probs))


def test_a_share_that_does_not_move_is_tried_once_and_given_up_where_that_tells_nothing():
    laws = drive([[0.9, 0.1, 0.0]] * 8)
    assert (laws[0][:, 0] == 1).all(), "the first visit tells nothing about what moves"
    assert (laws[1][:, 1] == 1).all(), "what the proposals leave open is tried"
    assert all((law[:, 0] == 1).all() for law in laws[2:]), "the trial told nothing: it is not repeated"


def test_shares_too_small_for_what_remains_are_left():
    assert all((law[:, 0] == 1).all() for law in drive([[0.9, 0.1, 0.0]] * 8, num_episodes=12))


def test_what_is_tried_is_drawn_from_the_proposal():
    law = drive([[0.7, 0.2, 0.1]] * 2)[1]
    np.testing.assert_allclose(law, [[0, 2 / 3, 1 / 3]] * 2)


def test_the_order_of_the_menu_does_not_matter():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet([3.0, 0.2, 0.2], size=3).tolist() * 6
    for order in ((2, 0, 1), (1, 0, 2)):
        first = drive(probs)[0], drive(probs, order)[0]
        np.testing.assert_allclose(*first)
    same = [[0.9, 0.1, 0.0]] * 6  # deterministic choices: the whole course must be the same
    np.testing.assert_allclose(drive(same), drive(same, (2, 1, 0)))


@pytest.mark.parametrize("tables", [treasure(16), shortcut(), traps(), traps(planted=False)], ids=lambda t: t.name)
def test_it_costs_little_more_than_knowing_the_posterior_and_nothing_is_stuck(tables):
    """Per latent, so without luck: far below greedy decoding where that is trapped, and never far above."""
    for latent in (0, tables.num_latents - 1):
        latents = np.full(32, latent)
        greedy = run(tables, ExactPlanner(Beliefs(tables), decode="greedy"), latents, 300).expected().sum(axis=1).mean()
        mine = run(tables, ExactPlanner(Beliefs(tables)), latents, 300, ProposalsExplorer()).expected().sum(axis=1)
        assert mine.mean() <= 0.15 * greedy + 4.0


def test_a_permuted_world_costs_the_same():
    t = shortcut()
    flipped = replace(
        t,
        menus=(t.menus[0][::-1],),
        transition=t.transition[:, :, ::-1],
        preference=None if t.preference is None else t.preference[:, ::-1],
    )
    for latent in (0, 1):
        costs = [
            run(x, ExactPlanner(Beliefs(x)), np.full(64, latent), 100, ProposalsExplorer()).expected().sum(axis=1)
            for x in (t, flipped)
        ]
        spread = np.hypot(*(cost.std() / 8 for cost in costs))
        assert abs(costs[0].mean() - costs[1].mean()) <= 4 * spread + 1e-9


def test_household_reveals_itself_so_little_is_tried():
    t = house_tables(House())
    kept = run(t, ExactPlanner(Beliefs(t)), np.arange(36) % 9, 24, ProposalsExplorer())
    greedy = run(t, ExactPlanner(Beliefs(t), decode="greedy"), np.arange(36) % 9, 24)
    assert kept.expected().sum(axis=1).mean() <= greedy.expected().sum(axis=1).mean() + 0.1


def test_a_run_that_is_over_makes_no_visit():
    """What it is offered then is not in the log, and depends on how long the other runs of its cohort last."""
    explorer = ProposalsExplorer()
    explorer.start(Draws(0, 2), 1000, 2)
    here, active = sentences("here"), np.ones(2, dtype=bool)
    explorer.hear(Opening(0, sentences("task"), here))
    said = MENU.say(explorer.choose(Proposal(np.tile([0.9, 0.1, 0.0], (2, 1))), "sample", MENU, Moment(0, 1)).index)
    explorer.hear(Outcome(0, 1, said[:, None], here, np.zeros(2), active))
    said = MENU.say(explorer.choose(Proposal(np.tile([0.2, 0.3, 0.5], (2, 1))), "sample", MENU, Moment(0, 2)).index)
    explorer.hear(Outcome(0, 2, said[:, None], here, np.zeros(2), np.array([True, False])))
    np.testing.assert_array_equal(explorer.visits[:4], [1, 1, 1, 0])  # both runs at step 1, then both at step 2
    assert not np.isnan(explorer.odds[2]).all() and np.isnan(explorer.odds[3]).all()


def test_the_parts_of_several_actors_follow_the_latents_on_trial():
    """After the part on trial the others are drawn as proposed; later the first part that departs is sought by odds."""
    explorer = ProposalsExplorer()
    explorer.start(Draws(0, 2), 1000, 2)
    laws, asked = [], [[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.99, 0.01, 0.0], [0.8, 0.15, 0.05]]
    for t in range(2):
        explorer.hear(Opening(t, sentences("task"), sentences("here")))
        for step in (1, 2):
            parts = np.empty((2, 0), dtype=object)
            for actor in (0, 1):
                probs = asked[2 * (step - 1) + actor] if t else [1.0, 0.0, 0.0]
                if t == 0 and (step, actor) == (1, 0):
                    probs = asked[0]  # the same share as in the next episode: it does not move
                moment = Moment(t, step, actor)
                choice = explorer.choose(Proposal(np.tile(probs, (2, 1))), "sample", MENU, moment)
                parts = np.column_stack([parts, MENU.say(choice.index)])
                laws.append(choice.law[0].tolist())
            explorer.hear(Outcome(t, step, parts, sentences("there"), np.zeros(2), np.ones(2, dtype=bool)))
    tried, after, first, then = laws[4:]
    assert tried == [0, 1, 0], "what does not move is tried"
    assert after == pytest.approx([0.4, 0.6, 0]), "given that part, the proposal is that of the latents on trial"
    assert first == pytest.approx([0.9, 0.1, 0]), "of the share of 0.1 that is on trial, 0.01 departs here"
    assert then == [0, 1, 0], "the last Actor's part: the odds of 0.15 are nearest"


def test_what_is_kept_grows_with_what_is_met_and_not_with_all_words_times_all_decisions():
    """In text environments hardly a sentence comes twice: 30 episodes of BabyAI took 172 ms a step."""
    explorer, words = ProposalsExplorer(), 40
    explorer.start(Draws(0, 8), 100, 10)
    for t in range(12):
        explorer.hear(Opening(t, np.full(8, "task", dtype=object), np.full(8, f"begin {t}", dtype=object)))
        for h in range(1, 11):
            menu = Menu.of_each([[f"do {t} {h} {run} {i}" for i in range(words + run % 2)] for run in range(8)])
            legal = menu.legal / menu.legal.sum(axis=1, keepdims=True)
            choice = explorer.choose(Proposal(legal), "sample", menu, Moment(t, h))
            said = np.array([f"heard {t} {h} {run}" for run in range(8)], dtype=object)
            explorer.hear(Outcome(t, h, menu.say(choice.index)[:, None], said, np.zeros(8), np.ones(8, dtype=bool)))
    assert explorer.odds.shape[1] == words + 1 and explorer.odds.size <= 2 * 12 * 10 * 8 * (words + 1)
    again = ProposalsExplorer()
    again.start(Draws(0, 8), 100, 10)
    again.restore(explorer.snapshot())
    assert len(again._decisions) == 12 * 10 * 8
