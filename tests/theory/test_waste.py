"""When exploring does not pay."""

import pytest

from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of
from parley.theory.traps import traps
from parley.theory.waste import Greedy, waste
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.treasure import treasure

ALWAYS = {"uniform": 1.0, "designed": None}


@pytest.mark.parametrize(
    ("greedy", "epsilon", "cost", "expected"),
    [
        pytest.param(Greedy(10, 0.9, 0.05), ALWAYS, {"uniform": 0.1, "designed": None}, "uniform", id="less in all"),
        pytest.param(Greedy(10, 1.1, 0.05), ALWAYS, {"uniform": 0.1, "designed": None}, None, id="more in all"),
        pytest.param(Greedy(10, 0.9, 0.11), ALWAYS, {"uniform": 0.1, "designed": None}, None, id="more at the end"),
        pytest.param(Greedy(10, 0.9, 0.05), {"a": 1.0, "b": 0.5}, {"a": 0.1, "b": 0.1}, None, id="against the cheaper"),
        pytest.param(Greedy(10, 0.0, 0.0), {"designed": None}, {"designed": None}, None, id="nothing known"),
    ],
)
def test_by_hand(greedy, epsilon, cost, expected):
    found = waste(greedy, epsilon, cost)
    assert (found and found[0]) == expected


def greedy_of(tables, episodes: int) -> Greedy:
    beliefs = Beliefs(tables)
    return Greedy.of(traps(beliefs, classes_of(beliefs), episodes, decodings=("greedy",)).escapes)


def test_the_worst_latent_of_a_trap_decides():
    """Half of an episode for ever, under the one latent that is never looked for."""
    found = greedy_of(treasure(4), 40)
    assert (found.episodes, found.most, found.late) == pytest.approx((40, 20.0, 0.5))


def test_instructions_come_in_random_order():
    tables = random_family(instructions=2, seed=3)
    beliefs = Beliefs(tables)
    escapes = traps(beliefs, classes_of(beliefs), 20, decodings=("greedy",)).escapes
    mixed = [e for e in escapes if e.instruction is None]
    assert mixed and Greedy.of(escapes).most == max(e.interval[1] for e in mixed)
