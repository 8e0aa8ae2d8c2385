"""What every explorer that `assemble` knows must keep, on every kind of world."""

from itertools import product

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.loop import Cohort, run_cohort
from tests.helpers import Kept

NUM_EPISODES = 12
SPECS = {"epsilon-greedy": "epsilon-greedy:epsilon=0.3"}
WORLDS = ("shortcut", "household", "traps")
DEAR = {("household", "bayes-adaptive"), ("traps", "bayes-adaptive")}  # refused: four latents and more
CASES = [
    (world, SPECS.get(name, name)) for world, name in product(WORLDS, assemble.EXPLORERS) if (world, name) not in DEAR
]
CASES += [
    (world, spec)
    for world in ("random:actors=2", "team")
    for spec in ("none", "epsilon-greedy:epsilon=0.3", "adaptive", "adaptive-proposals")
]
CASES += [("team", "epsilon-greedy:epsilon=0.3,policy=designed"), ("team", "posterior-sampling")]


@pytest.fixture(params=CASES, ids="/".join)
def case(request):
    return request.param


def cohort(case: tuple[str, str], num_runs: int, first_run: int = 0, num_episodes: int = NUM_EPISODES) -> Cohort:
    spec, explorer_spec = case
    world, draws = assemble.world(spec), Draws(3, num_runs, first_run)
    latents = np.arange(first_run, first_run + num_runs) % len(world.latents)
    scene = assemble.Scene(spec, world, latents, NUM_EPISODES)
    return Cohort(
        draws=draws,
        envs=world.make(latents, draws),
        planner=assemble.planner("exact", scene),
        explorer=assemble.explorer(explorer_spec, scene),
        recorder=Kept(),
        instructions=assemble.Schedule("cyclic", world.instructions, draws),
        num_episodes=num_episodes,
        horizon=world.horizon,
        forbidden=world.tables.forbidden,
    )


def play(case: tuple[str, str], num_runs: int, first_run: int = 0) -> Kept:
    made = cohort(case, num_runs, first_run)
    run_cohort(made)
    return made.recorder


def test_laws_are_distributions_and_what_is_chosen_has_weight(case):
    for record in play(case, 6).steps:
        for k, (law, menu) in enumerate(zip(record.laws, record.menus, strict=True)):
            assert (law >= 0).all() and not law[:, ~menu.legal[0]].any()
            np.testing.assert_allclose(law.sum(axis=1), 1, atol=1e-9)
            index = [list(menu.sentences[0]).index(said) for said in record.subgoals[:, k]]
            assert (law[np.arange(len(law)), index] > 0).all()


def test_choices_do_not_depend_on_the_batch(case):
    whole, part = play(case, 7), play(case, 3, first_run=2)
    for a, b in zip(whole.steps, part.steps, strict=True):
        assert (a.subgoals[2:5] == b.subgoals).all() and (a.explored[2:5] == b.explored).all()


class Snapshots(Kept):
    """Keeps the state after every episode."""

    def __init__(self) -> None:
        super().__init__()
        self.states = []

    def episode(self, record, snapshot=None) -> None:
        super().episode(record)
        self.states.append([{name: np.copy(array) for name, array in state.items()} for state in snapshot])

    def wants_snapshot(self) -> bool:
        return True


class FromSnapshot:
    """A log that holds nothing but a snapshot."""

    def __init__(self, first_episode: int, states) -> None:
        self.first_episode, self.states = first_episode, states

    def episode(self, episode: int) -> None:
        return None


def test_a_snapshot_continues_alike(case):
    whole = cohort(case, 5)
    whole.recorder = Snapshots()
    run_cohort(whole)
    half = NUM_EPISODES // 2
    rest = cohort(case, 5)
    run_cohort(rest, FromSnapshot(half, whole.recorder.states[half - 1]))
    assert [record.episode for record in rest.recorder.episodes] == list(range(half, NUM_EPISODES))
    again = [record for record in whole.recorder.steps if record.episode >= half]
    for a, b in zip(again, rest.recorder.steps, strict=True):
        assert (a.subgoals == b.subgoals).all() and (a.explored == b.explored).all()
        for p, q in zip(a.laws, b.laws, strict=True):
            np.testing.assert_array_equal(p, q)
