"""The kernel of whole subgoals under a cloned Actor, against the tables and the low level."""

import numpy as np
import pytest

from parley.worlds.household.cloned_actor import ClonedActor, clone, optimal_law
from parley.worlds.household.composed import composed_kernel
from parley.worlds.household.environment import HANDED_OVER, IN_HAND, HouseholdGrid
from parley.worlds.household.tables import GONE, HELD, HOMES, KEPT, MENU, House, Standing, house_tables, standings

HOUSE = House()


def test_the_optimal_actor_has_the_kernel_of_the_tables():
    np.testing.assert_allclose(composed_kernel(HOUSE, optimal_law(HOUSE)), house_tables(HOUSE).transition, atol=1e-12)


@pytest.mark.parametrize("share", [0.9, 0.0])
def test_a_clone_ends_where_its_kernel_says(share):
    """20,000 subgoals on the low level from drawn states; a chi-squared statistic (false alarms: one in 100,000)."""
    policy, z, number = clone(HOUSE, share), 4, {s: i for i, s in enumerate(standings())}
    kernel, rng = composed_kernel(HOUSE, policy.law), np.random.default_rng(0)
    low, actor = HouseholdGrid(HOUSE, z), ClonedActor(HOUSE, policy)
    low.reset(seed=0)
    counts = np.zeros(kernel.shape[1:])
    starts = [s for s in standings() if s.handed is None]
    for _ in range(20_000):
        start, subgoal = starts[rng.integers(len(starts))], int(rng.integers(len(MENU)))
        where = {KEPT: None, HELD: IN_HAND, GONE: HANDED_OVER}
        things = [HOMES[z][i] if s == KEPT else where[s] for i, s in enumerate(start.things)]
        low.state = (HOUSE.cells[start.place], *things, 0)
        actor.begin(MENU[subgoal])
        while (action := actor.act(low.state)) is not None:
            low.step(action)
        counts[number[start], subgoal, number[standing(low.state)]] += 1
    expected = counts.sum(axis=2, keepdims=True) * kernel[z]
    assert (counts[expected == 0] == 0).all()
    likely = expected >= 5
    statistic = float(((counts - expected)[likely] ** 2 / expected[likely]).sum())
    degrees = float((1 - kernel[z][likely]).sum())  # the mean of the statistic
    assert statistic < degrees + 5 * np.sqrt(2 * degrees)


def standing(raw: tuple[int, ...]) -> Standing:
    cell, *things, handed = raw
    status = tuple({IN_HAND: HELD, HANDED_OVER: GONE}.get(at, KEPT) for at in things)
    return Standing(HOUSE.cells.index(cell), status, handed - 1 if handed else None)


def test_the_actor_is_not_the_chain_of_another():
    """The kernels of two clones differ by more than the experiment forgives."""
    kernels = [composed_kernel(HOUSE, clone(HOUSE, share).law) for share in (0.98, 0.95)]
    assert np.abs(kernels[0] - kernels[1]).sum(axis=3).max() > 0.1
