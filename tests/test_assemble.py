"""Names to parts: what is wrong with a name or an argument is said in one sentence."""

import json

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Menu, Moment


def scene(spec: str = "shortcut", num_episodes: int = 1000) -> assemble.Scene:
    world = assemble.world(spec)
    return assemble.Scene(spec, world, np.zeros(3, dtype=int), num_episodes)


@pytest.mark.parametrize(
    "spec, said",
    [
        ("shortcutt", "did you mean 'shortcut'"),
        ("treasure:m=3", "no argument 'm'"),
        ("treasure:n=1", "n=1"),
        ("treasure:n=two", "n='two': expected a whole number$"),
        ("treasure:p=x", "p='x': expected a number$"),
        ("traps:planted=maybe", "planted='maybe': expected true or false$"),
        ("treasure:p=1.5", "p=1.5"),
        ("shortcut:open", "key=value"),
        ("random:states=0", "states=0"),
        ("traps:rare=0", "rare=0"),
        ("household:miss=2", "miss"),
        ("nowhere.json", "nowhere.json"),
    ],
)
def test_worlds(spec, said):
    with pytest.raises(BadInput, match=said):
        assemble.world(spec)


@pytest.mark.parametrize(
    "spec, said",
    [
        ("exakt", "did you mean 'exact'"),
        ("exact:decode=best", "decode='best'"),
        ("exact:rho=0.5", "rho=0.5"),
        ("exact:evidence=all", "evidence='all'"),
        ("scripted", "'script' is required"),
        ("scripted:script=|", "script is empty"),
        ("transformer:checkpoint=nowhere", "nowhere"),
    ],
)
def test_planners(spec, said):
    with pytest.raises(BadInput, match=said):
        assemble.planner(spec, scene())


def test_no_checkpoint_ships_for_this_world(monkeypatch):
    monkeypatch.setattr("parley.assemble.planners.checkpoint_of", lambda name: None)
    with pytest.raises(BadInput, match="parley pretrain"):
        assemble.planner("transformer", scene("random"))


@pytest.mark.parametrize(
    "spec, said",
    [
        ("epsilon-greed", "did you mean 'epsilon-greedy'"),
        ("epsilon-greedy:epsilon=2", "epsilon=2"),
        ("epsilon-greedy:epsilon=theory,power=0.5", "contradicts"),
        ("epsilon-greedy:epsilon=abc", "epsilon='abc': expected a number or 'theory'$"),
        ("epsilon-greedy:power=abc", "power='abc': expected a number$"),
        ("epsilon-greedy:policy=designd", "is neither 'uniform', 'designed' or 'cheapest' nor a file"),
        ("epsilon-greedy:per=day", "per='day'"),
        ("epsilon-greedy:policy=wild", "policy='wild'"),
        ("none:epsilon=1", "no argument 'epsilon'"),
        ("adaptive:prudence=nan", "prudence=nan"),
        ("adaptive:prudence=inf", "prudence=inf"),
        ("adaptive:caution=1.5", "caution=1.5"),
        ("adaptive:caution=nan", "caution=nan"),
        ("adaptive:between=times", "between='times'"),
        ("adaptive-proposals:patience=0", "patience=0"),
        ("adaptive-proposals:patience=nan", "patience=nan"),
    ],
)
def test_explorers(spec, said):
    with pytest.raises(BadInput, match=said):
        assemble.explorer(spec, scene())


def test_an_exploration_policy_from_a_file(tmp_path):
    path = tmp_path / "policy.json"
    path.write_text('{"try the back door": 1}')
    assert assemble.explorer(f"epsilon-greedy:epsilon=0.1,policy={path}", scene()).policy is not None
    assert 0 < assemble.explorer(f"epsilon-greedy:policy={path}", scene()).epsilon(0) < 1
    path.write_text('{"walk on along the corridor": 1}')
    confused = "policy='.*policy.json' cannot tell .*is locked' and 'the back door is open' apart.*policy=designed"
    with pytest.raises(BadInput, match=confused):
        assemble.explorer(f"epsilon-greedy:policy={path}", scene())
    nothing = "no subgoal has a positive weight: give one to at least one of 'walk on.*need not sum to 1"
    for text, said in (
        ('{"try the bakc door": 1}', "did you mean 'try the back door'"),
        ("[]", "expected a JSON object"),
        ("{", "is no JSON .*expected a JSON object"),
        ("{}", "expected a JSON object.*need not sum to 1"),
        ('{"try the back door": 0, "walk on along the corridor": 0}', nothing),
        ('{"try the back door": -1}', "the weight of 'try the back door' is -1"),
    ):
        path.write_text(text)
        with pytest.raises(BadInput, match=f"policy='.*policy.json'.*{said}"):
            assemble.explorer(f"epsilon-greedy:epsilon=0.1,policy={path}", scene())
    path.write_text('{"actor 0 subgoal 0": 1, "actor 1 subgoal 0": 0}')
    with pytest.raises(BadInput, match="no subgoal of Actor 2 has a positive weight.*'actor 1 subgoal 1'"):
        assemble.explorer(f"epsilon-greedy:policy={path}", scene("random:actors=2,subgoals=2"))


def test_a_policy_that_is_neither_a_name_nor_a_file(tmp_path):
    for name in ("best", str(tmp_path)):
        with pytest.raises(BadInput, match="neither 'uniform', 'designed' or 'cheapest' nor a file") as caught:
            assemble.explorer(f"epsilon-greedy:epsilon=0.1,policy={name}", scene())
        assert "Errno" not in str(caught.value)


def test_weights_need_not_sum_to_one(tmp_path):
    path, laws = tmp_path / "policy.json", []
    for total in (0.3, 1.0):
        path.write_text(json.dumps({"try the back door": total * 2 / 3, "walk on along the corridor": total / 3}))
        policy = assemble.explorer(f"epsilon-greedy:epsilon=0.1,policy={path}", scene()).policy
        laws.append(policy(Menu.shared(assemble.world("shortcut").tables.menus[0]), Moment(0, 1), 1))
    np.testing.assert_allclose(laws, [[[1 / 3, 2 / 3]]] * 2)


def test_theory_epsilon_uses_eta_and_merged_classes():
    epsilon = assemble.explorer("epsilon-greedy", scene("treasure:n=4", 10**6)).epsilon(0)
    # Uniform exploration of 4 chests: eta = 1/4; two classes, p = 1/8, so c_Z = 7.
    expected = np.sqrt(1 * np.log(7 * 2 * 1000) / (10**6 / 4))
    assert epsilon == pytest.approx(expected, rel=1e-9)


def test_instruction_schedules():
    draws, names = Draws(0, 500), ("mug", "book", "cup")
    cyclic = assemble.Schedule("cyclic", names, draws)
    assert [cyclic(t)[0] for t in range(4)] == ["mug", "book", "cup", "mug"]
    doubling = assemble.Schedule("doubling", names, draws)
    assert [doubling(t)[0] for t in range(8)] == ["mug", *["book"] * 2, *["cup"] * 4, "mug"]
    assert set(assemble.Schedule("fixed:book", names, draws)(5)) == {"book"}
    assert [assemble.Schedule("list:2|mug", names, draws)(t)[0] for t in range(3)] == ["cup", "mug", "cup"]
    assert set(assemble.Schedule("random", names, draws)(0)) == set(names)
    for wrong in ("cyclical", "fixed", "fixed:plate", "random:1", "list:"):
        with pytest.raises(BadInput):
            assemble.Schedule(wrong, names, draws)


def test_latents_are_drawn_from_the_prior_or_named():
    world = assemble.world("shortcut:open=0.3")
    drawn = assemble.draw_latents(world, Draws(0, 20_000), None)
    assert abs(drawn.mean() - 0.3) < 0.015
    assert assemble.draw_latents(world, Draws(0, 3), "the back door is open").tolist() == [1, 1, 1]
    assert assemble.draw_latents(world, Draws(0, 3), "0").tolist() == [0, 0, 0]
    with pytest.raises(BadInput, match="latent '2'"):
        assemble.draw_latents(world, Draws(0, 3), "2")


@pytest.mark.parametrize("policy, eta", [("uniform", 1 / 64), ("designed", 1.0), ("cheapest", 1.0)])
def test_the_theory_s_epsilon_takes_the_eta_of_the_policy(policy, eta):
    explorer = assemble.explorer(f"epsilon-greedy:policy={policy}", scene("treasure:n=64", 10**6))
    expected = np.sqrt(np.log(127 * 2 * 1000) / (10**6 * eta))
    assert explorer.epsilon(0) == pytest.approx(expected, rel=1e-9)


def test_too_few_episodes_for_the_theory_s_epsilon():
    with pytest.raises(BadInput, match="episodes=20 are too few.*at least 34.*epsilon=0.1"):
        assemble.explorer("epsilon-greedy", scene("shortcut", 20))
    assert assemble.explorer("epsilon-greedy", scene("shortcut", 34)).epsilon(0) < 1
