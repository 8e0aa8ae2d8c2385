"""The household: exact tables, and a low level whose simulated frequencies agree with them."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs
from parley.worlds.household import tables as hh
from parley.worlds.household.actor import GridActor
from parley.worlds.household.environment import CARRY_BACK, HANDED_OVER, IN_HAND, HouseholdGrid
from parley.worlds.household.grid import Grid
from parley.worlds.household.reporter import HouseholdReporter
from parley.worlds.household.tables import House, house_tables

MUG_CUPBOARD_BOOK_SHELF = hh.LATENTS.index("mug@cupboard,book@shelf")


def raw_state(house: House, latent: int, standing: hh.Standing) -> tuple[int, int, int, int]:
    """The low-level state at a subgoal boundary."""
    things = [
        {hh.KEPT: home, hh.HELD: IN_HAND, hh.GONE: HANDED_OVER}[status]
        for home, status in zip(hh.HOMES[latent], standing.things, strict=True)
    ]
    return house.cells[standing.place], things[0], things[1], 0 if standing.handed is None else 1 + standing.handed


def at_boundary(house: House, latent: int) -> dict[tuple[int, int, int, int], int]:
    """Low-level state -> index of the tables' state."""
    return {raw_state(house, latent, standing): s for s, standing in enumerate(hh.standings())}


def run_subgoal(env: HouseholdGrid, actor: GridActor, subgoal: str) -> tuple[tuple[int, int, int, int], int]:
    """The raw state at the end of a subgoal, and the number of low-level actions it took."""
    actor.begin(subgoal)
    state, used = np.array(env.state), 0
    while (action := actor.act(state)) is not None:
        state, *_ = env.step(action)
        used += 1
    return env.state, used


def test_sizes_names_and_rows():
    tables = house_tables(House())
    assert len(tables.states) == len(set(tables.states)) == 40
    assert len(tables.observations) == len(set(tables.observations)) == 30
    assert len(tables.subgoals) == 6 and tables.num_latents == 9 and 4 <= tables.horizon <= 6
    assert 20 <= len(House().grid.cells) <= 35
    for rows in (tables.prior, tables.initial, tables.transition, tables.emission):
        assert rows.min() >= 0
        np.testing.assert_allclose(rows.sum(axis=-1), 1, atol=1e-12)
    assert tables.prior[hh.LATENTS.index("mug@cupboard,book@shelf")] == pytest.approx(0.25)


def test_grid_moves_and_ways():
    grid = Grid(hh.ROWS, slip=0.1)
    np.testing.assert_allclose(grid.law.sum(axis=-1), 1)
    cells, certain = grid.places, Grid(hh.ROWS, slip=0.0)
    assert certain.arrival(cells["C"], 4)[cells["H"]] == 0 and certain.arrival(cells["C"], 5)[cells["H"]] == 1
    better = [grid.arrival(cells["S"], moves)[cells["H"]] for moves in range(0, 40, 5)]
    assert better == sorted(better) and better[0] == 0 and better[-1] > 0.999


def test_tables_are_the_exact_composition_of_the_low_level():
    """Every (state, subgoal): the law of its end, carrying a whole distribution through the real Actor and grid."""
    house, latent = House(), MUG_CUPBOARD_BOOK_SHELF
    tables, env, index = house_tables(house), HouseholdGrid(house, latent), at_boundary(house, latent)
    for state, s in index.items():
        for g, subgoal in enumerate(hh.MENU):
            actor = GridActor(house)
            actor.begin(subgoal)
            live, law = {(state, tuple(vars(actor).values())): (1.0, actor)}, np.zeros(len(tables.states))
            while live:
                later: dict = {}
                for (raw, _), (p, branch) in live.items():
                    branch = copy.copy(branch)
                    action = branch.act(np.array(raw))
                    if action is None:
                        law[index[raw]] += p
                        continue
                    for q, after in env.law(raw, action):
                        key = (after, tuple(vars(branch).values()))
                        later[key] = (later.get(key, (0.0, branch))[0] + p * q, branch)
                live = later
            np.testing.assert_allclose(law, tables.transition[latent, s, g], atol=1e-12, err_msg=f"{state} {subgoal}")


def low_level_counts(house: House, latent: int, num: int, seed: int) -> np.ndarray:
    """Simulated ends, shape (S, G, S'), `num` for each state and subgoal that the tables leave to chance."""
    tables, env, index = house_tables(house), HouseholdGrid(house, latent), at_boundary(house, latent)
    env.reset(seed=seed)
    actor = GridActor(house)
    counts = np.zeros(tables.transition.shape[1:])
    for state, s in index.items():
        for g, subgoal in enumerate(hh.MENU):
            for _ in range(num if tables.transition[latent, s, g].max() < 1 else 1):
                env.state = state
                end, _ = run_subgoal(env, actor, subgoal)
                counts[s, g, index[end]] += 1
    return counts


def standardised(counts: np.ndarray, law: np.ndarray) -> float:
    """Sum over all two-way rows of z^2, centred and scaled: standard normal where the counts follow the law."""
    n, p = counts.sum(axis=-1), law.max(axis=-1)
    chance = p < 1
    hits = np.take_along_axis(counts, law.argmax(axis=-1)[..., None], -1)[..., 0][chance]
    n, p = n[chance], p[chance]
    pq = p * (1 - p)
    z2 = (hits - n * p) ** 2 / (n * pq)
    return float((z2 - 1).sum() / np.sqrt((2 + (1 / pq - 6) / n).sum()))


def test_simulated_frequencies_agree_with_the_tables():
    """False-alarm rate 0.001 (two-sided normal, seed fixed); a slip of 0.11 in place of 0.10 is found out."""
    house, latent = House(), MUG_CUPBOARD_BOOK_SHELF
    law = house_tables(house).transition[latent]
    counts = low_level_counts(house, latent, num=150, seed=7)
    assert not counts[law == 0].any()
    assert abs(standardised(counts, law)) < 3.3
    other = house_tables(House(slip=0.11)).transition[latent]
    assert standardised(counts, other) > 3.3


@settings(max_examples=30)
@given(
    st.integers(2, 20),
    st.sampled_from([0.0, 0.1, 0.3]),
    st.integers(0, 8),
    st.integers(0, 2**31),
    st.lists(st.sampled_from(hh.MENU), max_size=12),
)
def test_actor_never_exceeds_its_actions_and_ends_at_a_boundary(max_actions, slip, latent, seed, subgoals):
    house = House(slip=slip, max_actions=max_actions)
    env, actor, index = HouseholdGrid(house, latent), GridActor(house), at_boundary(house, latent)
    env.reset(seed=seed)
    for subgoal in subgoals:
        end, used = run_subgoal(env, actor, subgoal)
        assert used <= max_actions
        assert end in index


def test_actor_that_is_late_is_carried_back_with_what_it_holds():
    house = House(max_actions=4)
    env, actor = HouseholdGrid(house, 0), GridActor(house)
    env.state = raw_state(house, 0, hh.Standing(0, (hh.HELD, hh.KEPT)))
    actor.begin("bring it to the sofa")
    actions = []
    while (action := actor.act(np.array(env.state))) is not None:
        actions.append(action)
        env.step(action)
    assert len(actions) == 4 and actions[-1] == CARRY_BACK
    assert env.state == raw_state(house, 0, hh.Standing(hh.DOCK, (hh.HELD, hh.KEPT)))


def test_reports_follow_the_emission_table():
    """Counts of 2,000 reports of a state with two visible things: each within 4 standard errors (rate below 0.001)."""
    house, latent = House(), hh.LATENTS.index("mug@drawer,book@drawer")
    tables, reporter, rng = house_tables(house), HouseholdReporter(house), np.random.default_rng(3)
    for state, s in at_boundary(house, latent).items():
        law = tables.emission[latent, s]
        num = 2000 if (law > 0).sum() == 4 else 20
        said = [tables.observations.index(reporter.report(np.array(state), rng)) for _ in range(num)]
        share = np.bincount(said, minlength=len(law)) / num
        assert not share[law == 0].any()
        assert (np.abs(share - law) <= 4 * np.sqrt(law * (1 - law) / num) + 1e-12).all() or num == 20


def test_handing_over_is_said_and_paid_once():
    house = House(slip=0.0, grip=1.0, miss=0.0)
    env, actor, reporter = HouseholdGrid(house, MUG_CUPBOARD_BOOK_SHELF), GridActor(house), HouseholdReporter(house)
    env.reset(seed=0)
    said = []
    for subgoal in ("look in the cupboard", "take the mug", *["bring it to the sofa"] * 2, "take the mug"):
        end, _ = run_subgoal(env, actor, subgoal)
        said.append(reporter.report(np.array(end), np.random.default_rng(0)))
    assert said == [
        "at the cupboard, empty hand, you see the mug",
        "at the cupboard, the mug in hand, you see nothing",
        "you hand over the mug",
        "at the sofa, empty hand",
        "at the sofa, empty hand",
    ]
    tables = house_tables(House())
    paid = {(tables.observations[o], tables.instructions[w]) for o, w in np.argwhere(tables.reward)}
    assert paid == {("you hand over the mug", "bring me the mug"), ("you hand over the book", "bring me the book")}
    assert Beliefs(tables).value.max() <= 1


def test_knowing_the_place_is_worth_a_lot():
    """Every task is feasible for whoever knows z, and acting for the wrong latent costs."""
    beliefs = Beliefs(house_tables(House()))
    assert beliefs.value.min() > 0.9
    assert Beliefs(house_tables(House(horizon=2))).value.max() == 0


@pytest.mark.parametrize(
    "wrong",
    [{"miss": 1.0}, {"slip": 0.5}, {"grip": 0.0}, {"miss": -0.1}, {"horizon": 0}, {"max_actions": 1}, {"slip": np.nan}],
)
def test_bad_settings_are_refused_by_name(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        house_tables(House(**wrong))


def test_unknown_subgoal_and_latent_are_refused():
    with pytest.raises(BadInput, match="sing"):
        GridActor(House()).begin("sing")
    with pytest.raises(BadInput, match="latent=9"):
        HouseholdGrid(House(), 9)
