"""Every proposal of an exact run can be recomputed from the log and the world file alone."""

import json
import sqlite3
from itertools import groupby

import numpy as np

from parley.execute import RunConfig, run
from parley.worlds.kit.tabular.world_file import dump_world, load_world
from parley.worlds.tabular.random_family import random_family
from tests.theory import brute_force


def test_proposals_follow_from_the_log_and_the_world_file(tmp_path):
    path = tmp_path / "world.json"
    path.write_text(dump_world(random_family(latents=3, states=2, observations=3, subgoals=2, horizon=2, seed=8)))
    run(RunConfig(str(path), "exact", "epsilon-greedy:epsilon=0.5", episodes=3, runs=4), tmp_path / "r")
    world = load_world(path)
    db = sqlite3.connect(tmp_path / "r" / "run.sqlite")
    rows = db.execute(
        "SELECT s.run, s.episode, e.instruction, s.observation, s.subgoal, s.next_observation, s.proposal FROM steps s "
        "JOIN episodes e ON s.run = e.run AND s.episode = e.episode ORDER BY s.run, s.episode, s.step"
    ).fetchall()
    db.close()
    checked = 0
    for _, steps in groupby(rows, key=lambda row: row[0]):
        history: list[brute_force.Episode] = []
        for (_, _, instruction), episode in groupby(steps, key=lambda row: row[:3]):
            for i, (*_, observation, subgoal, heard, proposal) in enumerate(episode):
                if i == 0:
                    first = world.observations.index(observation)
                    history.append((world.instructions.index(instruction), [first], []))
                np.testing.assert_allclose(json.loads(proposal), brute_force.bail(world, history), atol=1e-9)
                history[-1][1].append(world.observations.index(heard))
                history[-1][2].append(world.subgoals.index(subgoal))
                checked += 1
    assert checked == 4 * 3 * 2
