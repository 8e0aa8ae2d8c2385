"""What every planner that `assemble` knows must keep, on every world it can plan in."""

from contextlib import ExitStack

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.said import Opening, Outcome
from parley.exploration.explorers import EpsilonGreedy, schedule
from parley.loop import Cohort, run_cohort
from tests.helpers import Kept
from tests.talker import Talker
from tests.tiny import tiny_language_model

CASES = [
    *(
        (w, p)
        for w in ("shortcut", "household")
        for p in assemble.PLANNERS
        if p not in ("scripted", "with-expert", "decentralised", "world-model", "hf", "endpoint")
    ),
    ("shortcut", "world-model:budget=8"),
    ("household", "world-model:model=exact,budget=8"),
    ("shortcut", "hf"),
    ("shortcut", "hf:context=300"),  # cut in the midst of it
    ("random:actors=2", "hf:normalise=length"),
    ("shortcut", "endpoint:way=echo"),
    ("household", "endpoint:way=letters"),
    ("shortcut", "endpoint:way=constrained,answers=2,memory=window,size=1"),
    ("shortcut", "endpoint:way=parse,memory=summary,think=true,keep_thoughts=true"),
    ("random:actors=2", "endpoint:way=parse,memory=retrieval,size=2"),
    ("random:actors=2", "exact"),
    ("team", "exact"),
    ("team:actors=3,late=1", "exact"),
    ("team", "posterior-sampling"),
    ("team", "decentralised"),
    ("team", "world-model:model=exact,budget=8"),
    ("team:actors=3", "world-model:model=exact,budget=8"),
    ("team", "hf"),
    ("team", "endpoint:way=letters"),
    ("team", "endpoint:way=parse"),
    ("team", "endpoint:way=echo,memory=window,size=2"),
    ("team:actors=3", "with-expert:actor=2"),
    ("treasure", "scripted:script=open chest 3|open chest 1"),
    ("treasure:n=4", "exact:evidence=environment+demonstrator,rho=0.5"),
]
NUM_EPISODES = 3


def play(case: tuple[str, str], num_runs: int, first_run: int = 0) -> Kept:
    spec, planner_spec = case
    world, draws, kept = assemble.world(spec), Draws(2, num_runs, first_run), Kept()
    latents = np.arange(first_run, first_run + num_runs) % len(world.latents)
    scene = assemble.Scene(spec, world, latents, NUM_EPISODES)
    cohort = Cohort(
        draws=draws,
        envs=world.make(latents, draws),
        planner=assemble.planner(planner_spec, scene),
        explorer=EpsilonGreedy(schedule(0.5)),
        recorder=kept,
        instructions=assemble.Schedule("cyclic", world.instructions, draws),
        num_episodes=NUM_EPISODES,
        horizon=world.horizon,
        forbidden=world.tables.forbidden,
    )
    with scene.closing:
        run_cohort(cohort)
    return kept


@pytest.fixture
def closing():
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def talker():
    with Talker() as talker:
        yield talker


@pytest.fixture(params=CASES, ids="/".join, scope="module")
def case(request, tmp_path_factory):
    world, planner = request.param
    kind, _, rest = planner.partition(":")
    if kind == "hf":
        return world, f"hf:{tiny_language_model(tmp_path_factory.mktemp('tiny'))},{rest}"
    if kind == "endpoint":
        talker = request.getfixturevalue("talker")
        return world, f"endpoint:model=vllm/m,base_url={talker.base_url},{rest}"
    return request.param


def test_proposals_are_distributions_over_the_legal_menu(case):
    forbidden = assemble.world(case[0]).tables.forbidden
    for record in play(case, 5).steps:
        for k, (proposal, whole) in enumerate(zip(record.proposals, record.menus, strict=True)):
            menu = whole.given(record.subgoals[:, :k], forbidden)
            legal = np.broadcast_to(menu.legal, proposal.probs.shape)
            assert (proposal.probs >= 0).all() and not proposal.probs[~legal].any()
            np.testing.assert_allclose(proposal.probs.sum(axis=1), 1, atol=1e-6)


def test_proposals_do_not_depend_on_the_batch(case):
    if case[1] == "transformer":
        tolerance = 1e-5
    else:
        tolerance = 1e-12
    whole, part = play(case, 7), play(case, 3, first_run=2)
    for a, b in zip(whole.steps, part.steps, strict=True):
        for p, q in zip(a.proposals, b.proposals, strict=True):
            np.testing.assert_allclose(p.probs[2:5], q.probs, atol=tolerance)


def test_hearing_the_log_again_gives_the_same_proposals(case, closing):
    kept = play(case, 4)
    spec, planner_spec = case
    world = assemble.world(spec)
    scene = assemble.Scene(spec, world, np.arange(4) % len(world.latents), NUM_EPISODES, closing=closing)
    planner = assemble.planner(planner_spec, scene)
    planner.start(Draws(2, 4))

    for record in kept.steps:
        if record.step == 1:
            instructions = kept.episodes[record.episode].instructions
            planner.hear(Opening(record.episode, instructions, record.observations))
        for k, (whole, proposal) in enumerate(zip(record.menus, record.proposals, strict=True)):
            menu = whole.given(record.subgoals[:, :k], world.tables.forbidden)
            again = planner.propose(menu, record.subgoals[:, :k]).probs
            np.testing.assert_array_equal(again, proposal.probs)
        planner.hear(
            Outcome(
                record.episode, record.step, record.subgoals, record.next_observations, record.rewards, record.active
            )
        )


def test_a_snapshot_continues_bit_identically(case, closing):
    spec, planner_spec = case
    world = assemble.world(spec)
    scene = assemble.Scene(spec, world, np.arange(4) % len(world.latents), NUM_EPISODES, closing=closing)
    kept, states = play(case, 4), None
    planners = [assemble.planner(planner_spec, scene) for _ in range(2)]
    for planner in planners:
        planner.start(Draws(2, 4))

    for record in kept.steps:
        if record.step == 1:
            if record.episode == 2:
                states = planners[0].snapshot()
                planners[1].restore({name: value.copy() for name, value in states.items()})
            said = Opening(record.episode, kept.episodes[record.episode].instructions, record.observations)
            for planner in planners[: 1 if states is None else 2]:
                planner.hear(said)
        live = planners[: 1 if states is None else 2]
        for k, whole in enumerate(record.menus):
            menu = whole.given(record.subgoals[:, :k], world.tables.forbidden)
            proposals = [planner.propose(menu, record.subgoals[:, :k]).probs for planner in live]
            np.testing.assert_array_equal(proposals[0], proposals[-1])
        said = Outcome(
            record.episode, record.step, record.subgoals, record.next_observations, record.rewards, record.active
        )
        for planner in live:
            planner.hear(said)
