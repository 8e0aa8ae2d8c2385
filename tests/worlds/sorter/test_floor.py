"""The icy table: pushing works on a rough one only, grasping on both."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from parley import assemble
from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs
from parley.worlds.sorter.floor.actor import PushActor
from parley.worlds.sorter.floor.environment import MATS, FloorArm, stored
from parley.worlds.sorter.floor.tables import (
    MENU,
    PUSHED,
    PUT,
    STATES,
    TABLE,
    Rules,
    after,
    floor_tables,
    mechanism,
    sentence,
)
from parley.worlds.sorter.floor.world import sorter_floor as sorter_floor_world
from parley.worlds.sorter.layout import BLOCK, TABLE_TOP

pytestmark = pytest.mark.filterwarnings("error")
ON_TABLE = (TABLE, TABLE, TABLE)


def test_the_low_level_passes_the_checker():
    check_env(FloorArm(Rules(), 1), skip_render_check=True)


@pytest.mark.parametrize("latent", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_push_ends_on_the_mat_of_a_rough_table_only_and_a_grasp_on_both(latent):
    """Random subgoals end as the tables say; at most one of some 12 that move the arm does not."""
    world, rng = sorter_floor_world(horizon=6), np.random.default_rng(latent)
    env, right, total, kinds = world.text_env(latent), 0, 0, set()
    for seed in range(3):
        env.reset(seed=seed)
        for verb in ("push", "put") * 3:
            before, subgoal = stored(env.raw), str(rng.choice([g for g in MENU if g.startswith(verb)]))
            said, *_ = env.step(subgoal)
            assert not env.event and bool(env.num_actions) == (mechanism(latent, before, subgoal)[:9] != "the block")
            if env.num_actions:
                kinds.add(mechanism(latent, before, subgoal))
                right, total = right + (said == sentence(after(latent, before, subgoal))), total + 1
    env.close()
    assert len(kinds) == 2 and total >= 8 and right >= total - 1


def test_tables():
    assert len(MENU) == 6 and len(STATES) == 27
    assert after(0, ON_TABLE, MENU[0]) == (PUSHED, TABLE, TABLE) and after(1, ON_TABLE, MENU[0]) == ON_TABLE
    assert after(1, ON_TABLE, MENU[3]) == (PUT, TABLE, TABLE) == after(0, (PUT, TABLE, TABLE), MENU[0])
    value = Beliefs(floor_tables(Rules(grip=0.6))).value
    assert value[0, :3] == pytest.approx(1) and value[1, :3] == pytest.approx(0.6)
    assert value[0, 3] == pytest.approx(9 / 12) and value[1, 3] == pytest.approx(0.6 * 9 / 12)


def test_what_a_raw_state_says():
    blocks = np.zeros((3, 6))
    blocks[:, :2], blocks[:, 2] = MATS, TABLE_TOP + BLOCK
    blocks[2, 0] += 0.06
    state = {"blocks": blocks, "lifted": np.array([0, 1, 1])}
    assert stored(state) == (PUSHED, PUT, TABLE)


def test_raw_states_do_not_hold_the_latent():
    arms = [FloorArm(Rules(), z) for z in (0, 1)]
    raws = [arm.reset(seed=3)[0] for arm in arms]
    assert all(np.allclose(raws[0][name], raws[1][name]) for name in raws[0])
    assert arms[0].render().shape[2] == 3


@pytest.mark.parametrize("setting", ["rough=1", "grip=0", "horizon=7", "noise=-1"])
def test_settings(setting):
    with pytest.raises(BadInput, match=setting.split("=")[0]):
        assemble.world(f"sorter-floor:{setting}")


def test_wrong_words():
    with pytest.raises(BadInput, match="means nothing to the Actor of sorter-floor"):
        PushActor().begin("fly")
