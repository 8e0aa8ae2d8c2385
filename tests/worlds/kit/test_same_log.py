"""Physical worlds: what is logged is a function of the seed, and what a planner hears tells nothing but the reports."""

import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.execute import RunConfig, run
from parley.exploration.explorers import NoExploration
from parley.loop import Cohort, run_cohort
from parley.planners.scripted import ScriptedPlanner
from tests.helpers import Kept

QUERY = "SELECT run, episode, step, observation, subgoal, next_observation, reward FROM steps ORDER BY 1, 2, 3"
LOW_LEVEL = "SELECT * FROM low_level ORDER BY 1, 2, 3"


def logged(out) -> list:
    db = sqlite3.connect(out / "run.sqlite")
    return [db.execute(query).fetchall() for query in (QUERY, LOW_LEVEL)]


@pytest.mark.parametrize(
    "world, size",
    [
        pytest.param("house:horizon=4", (2, 2), marks=pytest.mark.slow),
        pytest.param("keys", (3, 2), marks=pytest.mark.slow),
        pytest.param("sorter:horizon=3", (2, 1), marks=pytest.mark.slow),
        ("quest", (2, 1)),
    ],
)
def test_same_seed_same_log_in_a_new_process_and_with_workers(world, size, tmp_path):
    runs, episodes = size
    run(RunConfig(world, "random", episodes=episodes, runs=runs, seed=5), tmp_path / "here")
    spread = f"{world}{',' if ':' in world else ':'}workers=2"
    run(RunConfig(spread, "random", episodes=episodes, runs=runs, seed=5), tmp_path / "spread")
    command = [sys.executable, "-m", "parley", "run", "--world", world, "--planner", "random", "--seed", "5"]
    command += ["--runs", str(runs), "--episodes", str(episodes), "--out", str(tmp_path / "there")]
    assert subprocess.run(command, capture_output=True).returncode == 0
    here = logged(tmp_path / "here")
    assert here == logged(tmp_path / "there") == logged(tmp_path / "spread")
    assert len(here[0]) == len(here[1]) > 0


class Overhearing(ScriptedPlanner):
    """Keeps all that a planner is ever given, as bytes."""

    def __init__(self, script: tuple[str, ...]) -> None:
        super().__init__(script)
        self.heard: list[bytes] = []

    def hear(self, said):
        self.heard.append(repr(said).encode())
        super().hear(said)

    def propose(self, menu, parts):
        self.heard.append(repr((menu, parts)).encode())
        return super().propose(menu, parts)


@pytest.mark.parametrize(
    "world, latents, script, episodes",
    [
        (
            "house:horizon=4",
            (0, 4),
            ("go to the kitchen", "go to the lounge", "go to the nursery", "go to the library"),
            3,
        ),
        ("keys", (0, 3), ("pick up the blue key", "go to the west room", "pick up the red key"), 3),
        ("sorter:horizon=3", (0, 1), ("put the red block on the wool mat", "put the green block on the straw mat"), 1),
        ("quest", (1, 2), ("try the brass key in the iron door", "go to the vault", "take the gold coin"), 3),
        ("examples.bring_your_own_world:lake", (0, 1), ("go home",), 3),
    ],
)
def test_a_planner_is_given_the_same_bytes_where_reports_are_equal(world, latents, script, episodes):
    """The latents differ in what this script never tries; everything that the planner is given is equal."""
    made, heard = assemble.world(world, trust=True), []
    names = np.array(made.instructions, dtype=object)
    for latent in latents:
        draws, planner = Draws(3, 2), Overhearing(script)
        parts = dict(draws=draws, envs=made.make(np.full(2, latent), draws), planner=planner, explorer=NoExploration())
        parts |= dict(instructions=lambda t: np.full(2, names[t % len(names)], dtype=object), recorder=Kept())
        run_cohort(Cohort(**parts, num_episodes=episodes, horizon=made.horizon))
        heard.append(b"\n".join(planner.heard))
        parts["envs"].close()
    assert heard[0] == heard[1] and len(heard[0]) > 1000
    assert not any(name.encode() in text for name in made.latents for text in heard)
