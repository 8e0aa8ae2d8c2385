"""The house: the physics does what the abstract tables say."""

import tempfile
from collections import Counter
from itertools import product

import numpy as np
import pytest

from parley import assemble
from parley.core.errors import BadInput, MissingExtra
from parley.theory.beliefs import Beliefs
from parley.worlds.house.environment import HouseMaze, middle, place
from parley.worlds.house.tables import (
    AGAINST,
    DOORS,
    LOCKED,
    ROOMS,
    Mansion,
    Plan,
    mansion_tables,
    neighbours,
    sentence,
)
from parley.worlds.house.world import house as house_world


def reachable(plan: Plan, start: int) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        room = waiting.pop()
        new = {near for near in neighbours(room) if plan.mechanism(room, near).startswith("it passes")} - found
        found |= new
        waiting += new
    return found


def test_every_room_can_be_reached_from_every_room_in_every_latent():
    assert len(set(LOCKED)) == 8 and len(set(AGAINST)) == 4 and len(DOORS) == 12
    for plan in Mansion().plans:
        assert all(reachable(plan, room) == set(range(len(ROOMS))) for room in range(len(ROOMS)))


def test_latents_and_prior():
    tables = mansion_tables(Mansion(usual=0.9))
    assert tables.num_latents == 32 and tables.prior.sum() == pytest.approx(1)
    assert tables.prior[:4].sum() == pytest.approx(0.9)
    assert mansion_tables(Mansion(locks=1, draughts=1)).num_latents == 1


def test_who_arrives_with_step_k_and_stays_has_09_less_k_tenths():
    """The optimal value, for every latent and every room, from the shortest way through what can be passed."""
    tables, plans = mansion_tables(Mansion(locks=3, draughts=2)), Mansion(locks=3, draughts=2).plans
    value = Beliefs(tables).value
    for z, plan in enumerate(plans):
        for goal in range(1, len(ROOMS)):
            ring, steps = {0}, 0
            while goal not in ring:
                ring |= {n for r in ring for n in neighbours(r) if plan.mechanism(r, n).startswith("it passes")}
                steps += 1
            assert value[z, goal - 1] == pytest.approx(0.9 - steps / 10)


@pytest.fixture(scope="module")
def world():
    return house_world()


def drive(world, latent: int, seed: int, subgoals: int, rng: np.random.Generator) -> Counter:
    """A chained walk of random subgoals: (mechanism, how likely the tables hold what came of it)."""
    env, tables, found = world.text_env(latent), world.tables, Counter()
    env.reset(seed=seed)
    states, menu = list(tables.states), tables.subgoals
    for _ in range(subgoals):
        env._left = 2  # no horizon: the walk goes on
        before = world.abstraction.state(env.raw)
        room = place(env.raw)[0]
        near = [menu[n] for n in neighbours(room)]
        goal = str(rng.choice(near if rng.random() < 0.9 else menu))
        env.step(goal)
        after = world.abstraction.state(env.raw)
        law = tables.transition[latent, states.index(before), menu.index(goal), states.index(after)]
        found[world.abstraction.mechanism(latent, before, goal), float(law)] += 1
        assert env.num_actions < env.max_actions and not env.event
    env.close()
    return found


def test_the_actor_passes_open_doors_and_nothing_else(world):
    """Chained walks in all kinds of houses: what happens is what the tables say, without exception."""
    found, rng = Counter(), np.random.default_rng(0)
    for z in range(0, 32, 5):
        found += drive(world, z, z, 50, rng)
    assert set(found) <= {
        ("it passes an open door", 1.0),
        ("it passes with the draught", 1.0),
        ("a locked door stops it", 1.0),
        ("the draught drives it back", 1.0),
        ("no door leads there", 1.0),
        ("it is there already", 1.0),
    }
    assert found["it passes an open door", 1.0] >= 200
    assert found["a locked door stops it", 1.0] >= 20


@pytest.mark.parametrize("start, goal", AGAINST)
def test_the_draught_closes_one_way_of_its_doorway(world, start, goal):
    z = AGAINST.index((start, goal)) + 4  # the second set of locks leaves all these doors open
    env = world.text_env(z)
    for room, towards, there in ((start, goal, start), (goal, start, start)):
        env.reset(seed=7)
        state = np.array([*middle(room), 0.0, 0.0])
        env.low.maze.point_env.set_state(state[:2], state[2:])
        env.raw = env.low._raw = state
        said, *_ = env.step(f"go to the {ROOMS[towards]}")
        stuck = ROOMS[towards] if there == room else "middle"
        assert said == sentence(there, stuck)
    env.close()


def test_latents_of_equal_reports_are_heard_alike(world):
    """Two latents that differ at a door which is never tried: all that is heard is equal byte for byte."""
    a, b = 0, 4  # hall|study is locked in one and open in the other
    route = ("kitchen", "lounge", "nursery", "library")
    heard = []
    for z in (a, b):
        env, said = world.text_env(z), []
        for seed in range(3):
            said.append(repr(env.reset(seed=seed)))
            said += [repr(env.step(f"go to the {room}")) for room in route]
        heard.append("\n".join(said).encode())
        env.close()
    assert heard[0] == heard[1] and world.latents[a] != world.latents[b]


@pytest.mark.parametrize(
    "setting", ["usual=1", "usual=0", "locks=9", "locks=0", "draughts=5", "horizon=0", "noise=-1", "noise=nan"]
)
def test_settings(setting):
    with pytest.raises(BadInput, match=setting.split("=")[0]):
        assemble.world(f"house:{setting}")


def test_tables_alone_and_alterations():
    assert assemble.world("house:low_level=false").tables.name == "house"
    with pytest.raises(BadInput, match="reporter belongs to its tables: add low_level=false"):
        assemble.world("house:reporter=x")
    assert assemble.world("house:floor=0.1").altered  # for Actors that end where the tables say that nobody can
    with pytest.raises(BadInput, match="low_level='perhaps'"):
        assemble.world("house:low_level=perhaps")


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gymnasium_robotics.envs.maze.point_maze", None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[mujoco\]"):
        HouseMaze(Mansion(), Mansion().plans[0])


def test_nothing_is_left_among_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    HouseMaze(Mansion(), Mansion().plans[0]).close()
    assert tempfile.tempdir == str(tmp_path) and not list(tmp_path.iterdir())


def test_coordinates():
    for room, (dx, dy) in product(range(9), ((0.3, -0.4), (0, 0))):
        found, off = place(middle(room) + np.array([dx, dy]))
        assert found == room and off == pytest.approx([dx, dy])
