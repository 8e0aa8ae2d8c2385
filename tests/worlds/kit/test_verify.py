"""Tables against physics: tables that are right hold, tables that are wrong are found out, by mechanism."""

import json
from dataclasses import replace

import numpy as np
import pytest

from parley.cli import main
from parley.core.errors import BadInput
from parley.worlds.keys.world import keys as keys_world
from parley.worlds.kit.driver import BEGINNING, Ways
from parley.worlds.kit.tabular.env import TabularWorld
from parley.worlds.kit.verify import SPEECH, Cell, _verdict, limits, verify
from parley.worlds.tabular.shortcut import shortcut
from tests.worlds.toy import toy


def pooled(verdicts):
    return {v.mechanism: v for v in verdicts if not v.before}


@pytest.fixture(scope="module")
def sound():
    return verify(keys_world(), 25)


def test_right_tables_hold(sound):
    found = pooled(sound)
    assert sum(not name.startswith(SPEECH) for name in found) == 10
    assert all(v.lower < 0.002 for v in found.values())
    assert found["it walks to a room"].visits >= 175 and found["it walks to a room"].verdict(0.03) == "holds"
    heard = sum(v.visits for v in sound if v.before and v.mechanism.startswith(SPEECH))
    carried_out = sum(v.visits for v in sound if v.before and not v.mechanism.startswith(SPEECH))
    assert heard == 9 * 25 * 6 and 0 < heard - carried_out < 200  # the rest brought an unlikely outcome about


def test_every_pair_of_mechanisms_is_met_about_as_often(sound):
    """Those that can follow each other at all; without a lead towards rare pairs some are not met even once."""
    visits = [v.visits for v in sound if v.before and not v.mechanism.startswith(SPEECH)]
    assert len(visits) > 80 and min(visits) >= 5


def test_what_follows_an_outcome_that_hardly_ever_comes(sound):
    """The right key does not open once in a thousand times; the tries that were made to fail are in no count."""
    after = {v.mechanism: v for v in sound if v.before == "the right key opens"}
    assert min(after[name].visits for name in ("the right key opens", "the shut door keeps it out")) >= 5
    pooled_tries = pooled(sound)["the right key opens"]
    assert pooled_tries.tv < 0.01 and pooled_tries.visits > 50


def test_ways_that_only_an_unlikely_outcome_opens():
    """ "try" nearly always leads to the end; "again" is possible only where it did not."""
    then = np.zeros((3, 2, 3))
    then[0] = [[0, 0.999, 0.001], [1, 0, 0]]
    then[1, :, 1] = then[2, :, 2] = 1
    names = [["try", "wait"], ["done", "done"], ["again", "wait"]]
    often = {(a, b): 99 for a in (BEGINNING, "try", "wait", "done", "again") for b in ("try", "wait", "done", "again")}
    met = {**often, ("try", "again"): 0}
    plain, led = Ways(names, then), Ways(names, then, frozenset({"try"}))
    assert plain.worth(met, 3)[2][0, plain.index[BEGINNING]] < 0.01
    worth = led.worth(met, 3)
    assert worth[2][0, led.index[BEGINNING]] == pytest.approx(1, abs=1e-3)
    assert led.best(0, BEGINNING, met, worth[1]).tolist() == [2]  # "try", made to fail
    assert led.best(2, "try", met, worth[0]).tolist() == [0]
    assert led.best(0, BEGINNING, often, np.zeros((3, len(led.index)))).max() < 2


def test_ways_lead_to_the_pair_that_was_met_least():
    """Three states in a row; "on" leads on, "wait" stays; after the last "on" comes "end"."""
    then = np.zeros((3, 2, 3))
    for s, (wait, on) in enumerate([(0, 1), (1, 2), (2, 2)]):
        then[s, 0, wait] = then[s, 1, on] = 1
    ways = Ways([["wait", "on"], ["wait", "on"], ["wait", "end"]], then)
    often = {(a, b): 99 for a in (BEGINNING, "wait", "on", "end") for b in ("wait", "on", "end")}
    met = {**often, ("on", "end"): 0, ("end", "wait"): 9}
    worth = ways.worth(met, 4)
    assert worth[0].max() == 0 and worth[3][0, ways.index[BEGINNING]] == pytest.approx(2e-4 + 1, abs=1e-4)
    assert worth[1][2, ways.index["on"]] == 1 and worth[2][2, ways.index["on"]] == pytest.approx(1.01)
    assert worth[2][0, ways.index[BEGINNING]] < 0.01  # too far off
    for s, before in ((0, BEGINNING), (1, "on"), (2, "on")):
        assert ways.best(s, before, met, worth[2]).tolist() == [1]
    assert ways.best(2, "end", met, worth[0]).tolist() == [0]


def test_wrong_tables_are_found_out():
    """Tables in which a wrong key opens twice in five times, and in which the Reporter never misses."""
    world = keys_world()
    t = world.tables
    stuck = [i for i, name in enumerate(t.states) if name == "hall, holds blue, door shut"][0]
    freed = [i for i, name in enumerate(t.states) if name == "hall, holds blue, door open"][0]
    transition = t.transition.copy()
    transition[:6, stuck, 3, stuck], transition[:6, stuck, 3, freed] = 0.6, 0.4
    emission = np.eye(t.emission.shape[2])[t.emission.argmax(axis=2)]
    wrong = replace(t, transition=transition, emission=emission)
    found = pooled(verify(replace(world, tables=wrong), 12))
    shut = found["without the right key the door stays shut"]
    assert 0.01 < shut.tv < 0.4 and "in the tables" in shut.worst
    said = next(v for v in found.values() if v.mechanism.startswith(SPEECH))
    assert said.lower > 0
    assert found["it picks up a key"].tv == 0


def test_a_limit_that_covers():
    """Counts drawn from a law 0.05 away from the tables': the limit is above that in at least 95 of 100 repetitions."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(100):
        cell, seen = Cell(), rng.choice(3, size=400, p=[0.75, 0.15, 0.1])
        for i in seen:
            cell.add(np.array([0.8, 0.15, 0.05]), int(i))
        covered += _verdict("m", "", cell, 0.95).upper >= 0.05
    assert covered >= 95


def test_a_limit_without_any_deviation_is_that_of_no_events():
    cell = Cell()
    for _ in range(2000):
        cell.add(np.array([0.0, 1.0]), 1)
    assert limits(cell, 0.99) == (0, pytest.approx(1 - 0.005 ** (1 / 2000), rel=1e-6))
    verdict = _verdict("m", "", cell, 0.99)
    assert (verdict.tv, verdict.verdict(0.03), verdict.verdict(0.001)) == (0, "holds", "undecided")


def test_many_outcomes_are_grouped():
    cell = Cell()
    for i in range(600):
        cell.add(np.full(12, 1 / 12), i % 12)
    assert 0 < limits(cell, 0.99)[1] < 0.15


def test_on_the_command_line(capsys):
    assert main(["world", "verify", "keys", "--episodes", "2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["differs"] == 0 and len(answer["mechanisms"]) == answer["holds"] + answer["undecided"]
    assert main(["world", "verify", "keys", "--episodes", "1"]) == 0
    assert "it picks up a key" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("world", [toy(), TabularWorld(shortcut())])
def test_worlds_that_declare_no_model(world):
    with pytest.raises(BadInput, match="declares no abstract model"):
        verify(world, 3)
    with pytest.raises(BadInput, match="episodes=0"):
        verify(keys_world(), 0)
