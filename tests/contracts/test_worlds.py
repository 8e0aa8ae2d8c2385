"""What every world that `assemble` knows must keep."""

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.said import Menu

SPECS = [
    *assemble.WORLDS,
    *("random:actors=2", "random:horizon=1,latents=1,states=1", "household:low_level=true", "treasure:n=2"),
]


@pytest.fixture(params=SPECS)
def world(request):
    return assemble.world(request.param)


def walk(world, num_runs: int, first_run: int = 0, num_episodes: int = 2) -> list:
    """Everything said in `num_episodes` under a fixed rule for choosing subgoals."""
    draws = Draws(11, num_runs, first_run)
    latents = np.arange(first_run, first_run + num_runs) % len(world.latents)
    envs, said = world.make(latents, draws), []
    for t in range(num_episodes):
        instructions = np.full(num_runs, world.instructions[t % len(world.instructions)], dtype=object)
        observations, info = envs.reset(options={"episode": t, "instructions": instructions})
        said.append(list(observations))
        for h in range(1, world.horizon + 1):
            menus: list[Menu] = info["menus"]
            parts = [m.say((np.arange(first_run, first_run + num_runs) + h) % m.sentences.shape[1]) for m in menus]
            observations, rewards, terminated, truncated, info = envs.step(np.stack(parts, axis=1))
            assert ((rewards >= 0) & (rewards <= 1)).all()
            said += [list(observations), list(map(float, rewards))]
            over = np.asarray(terminated) | np.asarray(truncated)
        assert over.all()
    envs.close()
    return said


def test_rows_sum_to_one(world):
    t = world.tables
    for rows in (t.prior, t.initial, t.transition, t.emission):
        assert (rows >= 0).all()
        np.testing.assert_allclose(rows.sum(axis=-1), 1, atol=1e-9)
    assert ((t.reward >= 0) & (t.reward <= 1)).all()
    for names in (t.states, t.observations, t.latents, t.instructions, *t.menus):
        assert len(set(names)) == len(names)


def test_docstring_says_what_the_issue_asks(world):
    for word in ("atent", "ubgoal", "nstruction", "orizon", "planner sees"):
        assert word in world.tables.doc


def test_same_seed_same_run(world):
    assert walk(world, 6) == walk(world, 6)


def test_a_run_does_not_depend_on_its_cohort(world):
    whole, part = walk(world, 6), walk(world, 2, first_run=3)
    assert [row[3:5] for row in whole] == part


def test_sentences_are_the_tables_sentences(world):
    said = walk(world, 6)
    heard = {sentence for row in said for sentence in row if isinstance(sentence, str)}
    assert heard <= set(world.tables.observations)
