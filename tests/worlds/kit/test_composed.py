"""The composed text environment, alone, vectorised, and as `gymnasium.make` returns it."""

import importlib

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import parley  # noqa: F401  (registers the environments)
from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.errors import BadInput
from parley.exploration.explorers import NoExploration
from parley.loop import Cohort, run_cohort
from parley.planners.exact import ExactPlanner
from parley.registration import ENVIRONMENTS
from parley.theory.beliefs import Beliefs
from parley.theory.regret import RegretMeter
from parley.worlds.household.environment import HouseholdGrid
from parley.worlds.household.world import household
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import SentenceSpace
from parley.worlds.kit.single import SingleRun
from parley.worlds.kit.vector import TextVectorEnv
from tests.helpers import Kept

pytestmark = pytest.mark.filterwarnings("error")
PLAN = ["look in the cupboard", "take the mug", "bring it to the sofa", "bring it to the sofa"]


def composed() -> PhysicalWorld:
    return household().low_level()


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("latent", [None, 0, "first name"])
def test_registered_environments_pass_the_checker(name, latent):
    env = gymnasium.make(name)
    if latent is not None:
        name_or_index = env.unwrapped.world.latents[0] if latent == "first name" else latent
        env = gymnasium.make(name, latent=name_or_index)
    check_env(env.unwrapped)


def test_the_levels_below_pass_the_checker_too():
    for env in (HouseholdGrid(), composed().text_env(4), SingleRun(household())):
        check_env(env, skip_render_check=True)  # render modes can be tried on registered environments only


def test_registering_twice_is_silent():
    importlib.reload(parley.registration)


def play(env, seed, actions, instruction="bring me the mug"):
    """Everything that is said in one episode, as text."""
    heard = [env.reset(seed=seed, options={"instruction": instruction})]
    heard += [env.step(action) for action in actions]
    return [repr(said) for said in heard]


@pytest.mark.parametrize("low_level", [True, False])
def test_nothing_but_the_reports_depends_on_the_latent(low_level):
    """Latents that differ in the place of the book, in episodes that never go near it: all that is heard is equal."""
    heard, other = [
        [play(gymnasium.make("parley/Household-v0", latent=z, low_level=low_level), seed, PLAN) for seed in range(20)]
        for z in ("mug@cupboard,book@drawer", "mug@cupboard,book@shelf")
    ]
    assert "\n".join(map(str, heard)).encode() == "\n".join(map(str, other)).encode()
    assert any("you hand over the mug" in line for episode in heard for line in episode)


def test_info_holds_menu_and_instruction_only():
    env = gymnasium.make("parley/Household-v0", latent=3)
    _, info = env.reset(seed=1)
    *_, later = env.step(info["menu"][0])
    assert set(info) == set(later) == {"menu", "instruction"}
    assert info["menu"] == household().tables.subgoals


def test_same_seed_same_run_and_other_seed_other_run():
    first, again, other = (
        [play(gymnasium.make("parley/Household-v0"), seed, PLAN) for seed in seeds]
        for seeds in (range(5), range(5), range(5, 10))
    )
    assert first == again
    assert first != other


def test_a_run_keeps_its_latent_and_takes_instructions_in_turn():
    env = gymnasium.make("parley/Household-v0", miss=0.0, slip=0.0).unwrapped
    seen, said = set(), []
    env.reset(seed=11)
    for _ in range(6):
        _, info = env.reset()
        said.append(info["instruction"])
        seen.add(tuple(env.step(look)[0] for look in env.world.tables.subgoals[:3]))
    assert len(seen) == 1
    assert said == ["bring me the book", "bring me the mug"] * 3


def test_single_run_is_run_0_of_the_vectorised_world():
    """The run that `parley run --seed 5` makes: the same latent, the same sentences."""
    world, draws = composed(), Draws(5, 3)
    latents = sample_rows(np.tile(world.prior, (3, 1)), draws.uniform(Purpose.LATENT))
    envs, single = world.make(latents, draws), SingleRun(world)
    for episode in range(4):
        instruction = world.instructions[episode % 2]
        said, _ = envs.reset(options={"episode": episode, "instructions": np.array([instruction] * 3, dtype=object)})
        heard, info = single.reset(seed=5 if episode == 0 else None)
        assert (heard, info["instruction"]) == (said[0], instruction)
        for subgoal in PLAN:
            said, rewards, _, truncated, _ = envs.step(np.array([[subgoal]] * 3, dtype=object))
            heard, reward, _, cut, _ = single.step(subgoal)
            assert (heard, reward, cut) == (said[0], rewards[0], truncated[0])


def test_rows_do_not_depend_on_their_neighbours():
    world, latents = composed(), np.array([0, 4, 8, 2])
    whole, part = world.make(latents, Draws(3, 4)), world.make(latents[2:], Draws(3, 2, first_run=2))
    for envs in (whole, part):
        envs.reset(options={"episode": 2})
    for subgoal in PLAN:
        a, b = (envs.step(np.full((envs.num_envs, 1), subgoal, dtype=object))[0] for envs in (whole, part))
        assert (a[2:] == b).all()


def test_rows_that_have_ended_rest_and_pay_nothing():
    world = composed()
    envs = world.make(np.array([0, 0]), Draws(1, 2))
    assert isinstance(envs, TextVectorEnv)
    envs.reset(options={"episode": 0})
    low = envs.envs[0].low
    low.step = lambda action: (np.array(low.state), 0.0, True, False, {})  # row 0 ends with its first low-level action
    said, _, terminated, truncated, _ = envs.step(np.array([["look in the drawer"]] * 2, dtype=object))
    assert terminated.tolist() == [True, False] and not truncated.any()
    for _ in range(world.horizon - 1):
        later, rewards, terminated, truncated, _ = envs.step(np.array([["look on the shelf"]] * 2, dtype=object))
        assert later[0] == said[0] and rewards[0] == 0 and terminated[0] and not truncated[0]
    assert truncated[1]
    envs.close()


def chi_square_normal(counts: np.ndarray, law: np.ndarray) -> float:
    """Pearson's statistic (categories expected below 5 pooled) as a standard normal, after Wilson and Hilferty."""
    assert not counts[law == 0].any()
    expected, small = counts.sum() * law, counts.sum() * law < 5
    counts, expected = (
        np.append(counts[~small], counts[small].sum()),
        np.append(expected[~small], expected[small].sum()),
    )
    counts, expected = counts[expected > 0], expected[expected > 0]
    degrees = len(counts) - 1
    chi = ((counts - expected) ** 2 / expected).sum()
    return float(((chi / degrees) ** (1 / 3) - (1 - 2 / (9 * degrees))) / np.sqrt(2 / (9 * degrees)))


LOOKS = 3


def law_of_last_observation(world) -> np.ndarray:
    """P(o_{H+1}) when subgoals are drawn uniformly, the last one among the looks, and latents from the prior."""
    t = world.tables
    state = t.initial * t.prior[:, None]
    for step in range(t.horizon):
        moves = t.transition[:, :, :LOOKS] if step == t.horizon - 1 else t.transition
        state = np.einsum("zs,zst->zt", state, moves.mean(axis=2))
    return np.einsum("zs,zso->o", state, t.emission)


def test_what_is_said_in_the_loop_follows_the_tables():
    """4,000 runs of the real low level, last sentence: false-alarm rate 0.001; a miss rate of 0.3 is found out."""
    world, num = composed(), 4000
    draws, rng = Draws(17, num), np.random.default_rng(17)
    latents = sample_rows(np.tile(world.prior, (num, 1)), draws.uniform(Purpose.LATENT))
    envs, menu = world.make(latents, draws), np.array(world.tables.subgoals, dtype=object)
    envs.reset(options={"episode": 0})
    for step in range(world.horizon):
        among = LOOKS if step == world.horizon - 1 else len(menu)
        said, rewards, *_ = envs.step(menu[rng.integers(among, size=(num, 1))])
        index = world.tables.observation_words.encode(said)
        assert (rewards == world.tables.reward[index, 0]).all()
    counts = np.bincount(index, minlength=len(world.tables.observations))
    assert chi_square_normal(counts, law_of_last_observation(world)) < 3.1
    assert chi_square_normal(counts, law_of_last_observation(household(miss=0.3))) > 3.1


def test_the_real_low_level_runs_in_the_loop():
    """Exact BAIL, 300 runs: expected regret (from the tables) is the mean of realised regret, to 4 standard errors."""
    world, num, num_episodes = composed(), 300, 4
    draws = Draws(2, num)
    latents = sample_rows(np.tile(world.prior, (num, 1)), draws.uniform(Purpose.LATENT))
    beliefs, kept = Beliefs(world.tables), Kept()
    names = np.array(world.instructions, dtype=object)
    run_cohort(
        Cohort(
            draws=draws,
            envs=world.make(latents, draws),
            planner=ExactPlanner(beliefs),
            explorer=NoExploration(),
            recorder=kept,
            instructions=lambda t: np.full(num, names[t % 2], dtype=object),
            num_episodes=num_episodes,
            horizon=world.horizon,
            meter=RegretMeter(beliefs, latents),
        )
    )
    difference = (kept.realised() - kept.expected()).mean(axis=1)  # one number a run
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(num)
    regret = kept.expected().mean(axis=0)
    assert regret[0] > 0.2 > regret[1] > regret[-1]  # it learns where things are, and remembers


def test_wrong_words_are_refused():
    env = gymnasium.make("parley/Household-v0").unwrapped
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step("look in the drawer")
    with pytest.raises(BadInput, match="bring me tea"):
        env.reset(seed=0, options={"instruction": "bring me tea"})
    env.reset(seed=0)
    with pytest.raises(BadInput, match="sing"):
        env.step("sing")
    text = composed().text_env(0)
    with pytest.raises(BadInput, match="bring me tea"):
        text.reset(options={"instruction": "bring me tea"})
    text.reset(seed=0)
    with pytest.raises(BadInput, match="sing"):
        text.step("sing")
    for latent in ("mug@cupboard,book@drawr", 9, -1):
        with pytest.raises(BadInput, match="mug@cupboard,book@"):
            gymnasium.make("parley/Household-v0", latent=latent)


def test_sentence_space():
    space = SentenceSpace(("walk on", "stop"), seed=1)
    assert {space.sample() for _ in range(50)} == {"walk on", "stop"}
    assert "stop" in space and "stops" not in space and 3 not in space
    assert space == SentenceSpace(("walk on", "stop")) != SentenceSpace(("stop",))
