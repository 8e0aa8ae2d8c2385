"""The learned way of reaching: what ships, what is refused, and that it drops in where the script was."""

import json
import sys

import numpy as np
import pytest

from parley import assemble
from parley.cli import main
from parley.core.errors import BadInput, MissingExtra
from parley.worlds.sorter.reach_task import EPISODE, HIGH, LOW, ReachTask
from parley.worlds.sorter.reach_training import EVALUATION_SEEDS, ReachRecipe, features, train_reach
from parley.worlds.sorter.reaching import FORMAT, SHIPPED, ReachPolicy, successes
from parley.worlds.sorter.tables import MENU


def small(width: int = 4) -> ReachPolicy:
    rng = np.random.default_rng(0)
    shapes = {"w0": (width, 13), "b0": (width,), "w1": (width, width), "b1": (width,), "w2": (3, width), "b2": (3,)}
    return ReachPolicy({"format": FORMAT}, {k: rng.standard_normal(s).astype(np.float32) for k, s in shapes.items()})


def test_what_is_saved_acts_as_before(tmp_path):
    policy = small()
    policy.save(tmp_path)
    arm, goal = np.linspace(-1, 1, 10), np.array([1.2, 0.7, 0.5])
    x, w = np.array([*arm, *goal]), policy.weights
    by_hand = w["w2"] @ np.maximum(w["w1"] @ np.maximum(w["w0"] @ x + w["b0"], 0) + w["b1"], 0) + w["b2"]
    assert ReachPolicy.load(tmp_path)(arm, goal) == pytest.approx(np.tanh(by_hand))


def test_damage_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no learned reaching"):
        ReachPolicy.load(tmp_path / "nowhere")
    policy = small()
    policy.save(tmp_path)
    for spoil in ({"w1": np.zeros((4, 5), np.float32)}, {"b2": np.full(3, np.nan, np.float32)}):
        ReachPolicy(policy.about, {**policy.weights, **spoil}).save(tmp_path)
        with pytest.raises(BadInput, match="no learned reaching"):
            ReachPolicy.load(tmp_path)
    policy.save(tmp_path)
    (tmp_path / "actor.json").write_text(json.dumps({"format": "another"}))
    with pytest.raises(BadInput, match="expected the format"):
        ReachPolicy.load(tmp_path)


def test_features():
    """The way to go, the place from the middle of the box, and the speed."""
    matrix, shift = features()
    arm, goal = np.arange(10.0), np.array([3.0, 3.0, 3.0])
    seen = matrix @ np.array([*arm, *goal]) + shift
    assert seen[:3] == pytest.approx([30, 20, 10]) and seen[6:] == pytest.approx([250, 300, 350])
    assert seen[3:6] == pytest.approx(5 * (arm[:3] - (LOW + HIGH) / 2))


def test_the_task():
    task = ReachTask()
    first, _ = task.reset(seed=1)
    assert task.observation_space.contains(first) and (LOW <= first["desired_goal"]).all()
    for i in range(EPISODE):
        seen, reward, over, cut, info = task.step(np.clip(10 * (first["desired_goal"] - task._raw[:3]), -0.5, 0.5))
        assert cut == (i == EPISODE - 1) and not over and info["is_success"] == (reward == 0)
    assert reward == 0
    goals = np.stack([seen["achieved_goal"], seen["achieved_goal"] + 0.1])
    assert task.compute_reward(goals, seen["achieved_goal"][None], {}).tolist() == [0, -1]
    again, _ = task.reset()
    assert np.array_equal(again["achieved_goal"], seen["achieved_goal"])  # the arm stays where it is
    assert np.array_equal(task.reset(seed=1)[0]["desired_goal"], first["desired_goal"])
    task.close()


def test_what_ships_reaches_its_goals():
    about = ReachPolicy.load().about
    assert all(about["successes"][str(seed)] >= 18 for seed in EVALUATION_SEEDS) and about["goals"] == 20
    assert successes(ReachPolicy.load(), EVALUATION_SEEDS[0], goals=6) >= 5
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 100_000


@pytest.mark.slow
def test_what_ships_reaches_18_of_20_goals_with_every_evaluation_seed():
    policy = ReachPolicy.load()
    assert {str(seed): successes(policy, seed) for seed in EVALUATION_SEEDS} == policy.about["successes"]


def test_it_drops_in_where_the_script_was():
    """Two subgoals end as with the script, though the arm takes another way."""
    said, actions = [], []
    for spec in ("sorter:actor=reach", "sorter"):
        env = assemble.world(spec).text_env(0)
        env.reset(seed=2)
        said.append([env.step(MENU[g])[0] for g in (0, 5)])
        actions.append(env.num_actions)
        env.close()
    assert said[0] == said[1] and actions[0] != actions[1]


def test_wrong_actors():
    with pytest.raises(BadInput, match="expected reach or reach:PATH"):
        assemble.world("sorter:actor=cloned")
    with pytest.raises(BadInput, match="no learned reaching"):
        assemble.world("sorter:actor=reach:nowhere")
    with pytest.raises(BadInput, match="has no other Actor than its own"):
        assemble.world("sorter-floor:actor=reach")


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[reach\]"):
        train_reach(ReachRecipe())


@pytest.mark.parametrize("wrong", [{"steps": 10}, {"width": 0}, {"rate": 0.0}, {"discount": 1.0}])
def test_recipes(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        ReachRecipe(**wrong)


@pytest.mark.slow
def test_training_by_the_command(tmp_path, capsys):
    """Too short to learn much: what is written can be loaded, and is the policy that was trained."""
    pytest.importorskip("stable_baselines3", reason="needs the extra reach")
    assert main(["pretrain-reach", "--out", str(tmp_path), "--steps", "1000", "--width", "16", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    policy = ReachPolicy.load(tmp_path)
    assert policy.about["recipe"]["width"] == 16 and told["successes"] == policy.about["successes"]
