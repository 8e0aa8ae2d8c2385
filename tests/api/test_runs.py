"""Runs from Python: named parts and objects, tables, comparisons, one step at a time, and going on."""

import json
import sqlite3
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import parley
from parley.planners.scripted import RandomPlanner
from tests.helpers import tables_of
from tests.worlds.odd import doors

SMALL = dict(episodes=6, runs=4, seed=3, progress=False)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    greedy = parley.run("shortcut", "exact:decode=greedy", out=folder / "greedy", episodes=10, runs=4, seed=3)
    exploring = parley.run("shortcut", "exact", "epsilon-greedy:epsilon=0.3", out=str(folder / "exploring"), **SMALL)
    return greedy, exploring


def test_names_specs_paths_and_objects_give_the_same_run(tmp_path):
    world = parley.make("household", miss=0.1)
    named = parley.run("household:miss=0.1", "random", "none", out=tmp_path / "named", **SMALL)
    given = parley.run(world, RandomPlanner(), "none", out=tmp_path / "given", **SMALL)
    made = parley.run(world, RandomPlanner, "none", out=tmp_path / "made", cohort=2, **SMALL)
    assert tables_of(named.out) == tables_of(given.out) == tables_of(made.out)
    assert given.manifest["given"] == ["world", "planner"] and len(given.manifest["code"]["planner"]["sha256"]) == 64


def test_a_run_without_out_is_told_where_it_is(capsys):
    run = parley.run("treasure", episodes=2, runs=2)
    assert f"the run is kept in {run.out}" in capsys.readouterr().err.replace("\n", "")
    assert run.status == "finished" and repr(run) == f"Run({run.out})"


def test_frames_hold_what_the_log_holds(two):
    for run in two:
        db = sqlite3.connect(run.out / "run.sqlite")
        for table in ("episodes", "steps", "calls", "cuts"):
            count = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            assert run.frame(table).num_rows == count
        steps = run.frame("steps").to_pylist()
        logged = db.execute("SELECT run, episode, step, subgoal, proposal, reward FROM steps ORDER BY rowid").fetchall()
        for row, (number, episode, step, subgoal, proposal, reward) in zip(steps, logged, strict=True):
            assert (row["run"], row["episode"], row["step"], row["reward"]) == (number, episode, step, reward)
            assert row["subgoal"] == [subgoal] and row["proposal"] == [json.loads(proposal)]
            assert subgoal in row["menu"][0] and isinstance(row["explored"], bool)
        db.close()
    with pytest.raises(parley.BadInput, match="table='stairs': expected episodes, steps, calls, cuts"):
        two[0].frame("stairs")


def test_several_runs_are_one_table(two):
    both = parley.open(two[0].out.parent / "*")
    assert len(both) == 2 and both[1].out == two[0].out  # in the order of their names
    frame = both.frame("episodes")
    assert frame.num_rows == sum(run.frame("episodes").num_rows for run in two)
    assert set(frame["source"].to_pylist()) == {str(run.out) for run in two}
    assert "<script" not in both._repr_html_() and both._repr_html_().count("<tr>") == 3
    assert len(both.plot().axes) == 1  # one world, one panel
    with pytest.raises(parley.BadInput, match="these are 2 runs"):
        both.summary()


def test_with_several_actors_every_column_has_one_entry_an_actor(tmp_path):
    run = parley.run("team", "exact", out=tmp_path / "run", **SMALL)
    row = run.frame("steps").to_pylist()[0]
    assert len(row["subgoal"]) == len(row["proposal"]) == len(row["menu"]) == 2
    first = run.episode(0, 0)[0]
    assert isinstance(first.choice, tuple) and isinstance(first.proposal, list) and len(first.proposal) == 2


def test_an_episode_as_it_was_said(two):
    episode = two[1].episode(1, 2)
    assert len(episode) == 3 and episode.instruction == "go to the garden" and "> " in str(episode)
    assert abs(sum(episode[0].proposal.values()) - 1) < 1e-9 and episode[0].choice in episode[0].proposal
    assert episode[0].heard == episode[1].observation and "<pre>" in episode._repr_html_()
    with pytest.raises(parley.BadInput, match="no steps are recorded of run 9"):
        two[1].episode(9, 0)


def test_numbers_are_those_of_the_command_line(two):
    summary = two[0].summary()
    assert summary.measure == "expected regret" and summary.runs == 4 and summary.episodes == 10
    assert two[0].curve().values.shape == (4, 10)
    diagnosis = two[0].diagnose()
    assert diagnosis.signature and two[0].diagnose(tables=False).signature


def test_runs_that_share_their_luck_are_compared_in_pairs(two, tmp_path):
    found = parley.compare(*two)
    assert found.paired and (found.runs, found.episodes) == (4, 6)
    by_hand = two[0].curve().values[:, :6].sum(axis=1) - two[1].curve().values.sum(axis=1)
    assert found.difference == pytest.approx(by_hand.mean())
    assert found.half_width == pytest.approx(1.96 * by_hand.std(ddof=1) / 2)
    assert parley.compare(two[1], two[0]).difference == pytest.approx(-found.difference)
    other = parley.run("shortcut", out=tmp_path / "other", episodes=6, runs=4, seed=4)
    apart = parley.compare(two[0], other)
    assert not apart.paired and "not paired" in str(apart)
    assert apart.half_width >= 0 and apart.interval[0] <= apart.difference <= apart.interval[1]
    alone = parley.run("shortcut", out=tmp_path / "alone", episodes=6, runs=1, seed=4)
    for found in (parley.compare(alone, other), parley.compare(two[0], alone)):
        assert not found.decided and "1 run of 6 episodes" in str(found) and "no interval" in str(found)
    mine, yours = (
        parley.run(replace(doors(), name=name), "random", out=tmp_path / name, episodes=2, runs=2)
        for name in ("mine", "yours")
    )
    with pytest.raises(parley.BadInput, match="run_a is of world 'mine', run_b of 'yours'"):
        parley.compare(mine, yours)
    elsewhere = parley.run("treasure", out=tmp_path / "elsewhere", episodes=2, runs=2)
    with pytest.raises(parley.BadInput, match="run_a is of world 'shortcut', run_b of 'treasure'"):
        parley.compare(two[0], elsewhere)


@pytest.mark.parametrize("world, explorer", [("household", "none"), ("team", "epsilon-greedy:epsilon=0.4")])
def test_stepping_through_is_the_run(world, explorer, tmp_path):
    run = parley.run(world, "exact", explorer, out=tmp_path / "run", **(SMALL | {"runs": 1}))
    logged = [step for episode in range(6) for step in run.episode(0, episode)]
    walked = list(parley.stepthrough(world, "exact", explorer, seed=3, episodes=6))
    assert len(walked) == len(logged)
    for ours, theirs in zip(walked, logged, strict=True):
        for name in ("observation", "choice", "explored", "heard", "reward"):
            assert getattr(ours, name) == getattr(theirs, name)
        assert ours.proposal == theirs.proposal and abs(sum(ours.belief.values()) - 1) < 1e-9
    regret = run.curve().values[0]
    for episode in range(6):
        assert sum(s.regret for s in walked if s.episode == episode) == pytest.approx(regret[episode], abs=1e-9)


def test_the_belief_is_that_before_the_choice():
    steps = list(parley.stepthrough("household", "exact", seed=5, episodes=4, latent=0))
    assert max(steps[-1].belief.values()) > max(steps[0].belief.values())
    assert steps[0].belief == pytest.approx(dict(zip(*_prior("household"), strict=True)), abs=1e-9)


def _prior(name):
    world = parley.make(name)
    return world.latents, world.prior.tolist()  # the first observation says nothing of where things are


def test_a_caller_changes_its_objects_on_the_way():
    def plan(episodes, menu):
        return menu[choose[0]]

    choose = [0]
    steps = parley.stepthrough("shortcut", parley.FunctionPlanner(plan), seed=1, episodes=2)
    first = next(steps)
    choose[0] = 1
    assert (first.choice, next(steps).choice) == ("walk on along the corridor", "try the back door")


def test_functions_plan(tmp_path):
    def weighing(episodes, menu):
        return {menu[0]: 1, menu[1]: 3}

    def talking(episodes, menu):
        return "I think it is best to try the back door. Answer: B"

    def silent(episodes, menu):
        return "no idea"

    weighed, talked, silenced = (
        parley.run("shortcut", parley.FunctionPlanner(f), out=tmp_path / f.__name__, **SMALL)
        for f in (weighing, talking, silent)
    )
    assert weighed.frame("steps")["proposal"].to_pylist()[0] == [[0.25, 0.75]]
    assert set(step.choice for step in talked.episode(0, 0)) == {"try the back door"}
    assert set(silenced.frame("steps")["proposal_source"].to_pylist()) == {"invalid"}
    for wrong, said in (({"fly": 1}, "'fly' has a weight"), ({}, "expected numbers"), (3, "a int was returned")):
        with pytest.raises(parley.BadInput, match=said):
            parley.run("shortcut", parley.FunctionPlanner(lambda e, m: wrong), out=tmp_path / said, **SMALL)  # noqa: B023


def test_hooks_hear_everything_and_one_that_fails_loses_nothing(tmp_path):
    class Counting(parley.Hook):
        def __init__(self):
            self.heard = []

        def begin(self, out, manifest):
            self.heard.append(("begin", manifest["status"]))

        def step(self, record, first_run):
            self.heard.append(("step", first_run))

        def episode(self, record, first_run):
            self.heard.append(("episode", first_run))

        def end(self, manifest):
            self.heard.append(("end", manifest["status"]))

    class Failing(Counting):
        def step(self, record, first_run):
            raise RuntimeError("the tracker is down")

    counting, failing = Counting(), Failing()
    run = parley.run("shortcut", out=tmp_path / "run", cohort=2, hooks=[counting, failing], **SMALL)
    kinds = [kind for kind, _ in counting.heard]
    assert (kinds.count("step"), kinds.count("episode")) == (2 * 6 * 3, 2 * 6)
    assert counting.heard[0] == ("begin", "started") and counting.heard[-1] == ("end", "finished")
    assert {first for kind, first in counting.heard if kind == "step"} == {0, 2}
    said = run.manifest["totals"]["hooks_failed"]
    assert list(said.values()) == ["raised in `step`: RuntimeError: the tracker is down"]
    assert run.frame("steps").num_rows == 4 * 6 * 3


def test_objects_are_given_again_to_go_on(tmp_path):
    class Stopping(RandomPlanner):
        def __init__(self, until):
            super().__init__()
            self.until = until

        def hear(self, said):
            if said.episode >= self.until:
                raise KeyboardInterrupt

    whole = parley.run("shortcut", Stopping(99), out=tmp_path / "whole", **SMALL)
    with pytest.raises(KeyboardInterrupt):
        parley.run("shortcut", Stopping(3), out=tmp_path / "stopped", **SMALL)
    stopped = parley.open(tmp_path / "stopped")
    assert stopped.status == "interrupted"
    with pytest.raises(parley.BadInput, match="its planner was a Python object"):
        stopped.resume()
    assert stopped.resume(planner=Stopping(99)).status == "finished"
    assert tables_of(stopped.out) == tables_of(whole.out)


def plan(episodes, menu):
    return menu[0]


WRONG = [  # arguments of `parley.run`, and what is said
    ({"world": "shortcutt"}, "did you mean 'shortcut'"),
    ({"world": None}, "a NoneType is no world"),
    ({"world": lambda: 1 / 0}, "cannot be loaded: ZeroDivisionError"),
    ({"world": dict}, "expected a class or function whose arguments Python can name"),
    ({"world": plan}, "the argument 'episodes' is required"),
    ({"planner": 3}, "planner=3 has no method 'start'"),
    ({"planner": lambda: None}, "planner=None has no method 'start'"),
    ({"planner": plan}, "FunctionPlanner makes one of it"),
    ({"explorer": RandomPlanner()}, "has no method 'choose'"),
    ({"memory": "window"}, "planner 'exact' remembers in its own way"),
    ({"planner": "endpoint:model=a/b", "memory": object()}, "expected a class or function that makes a memory"),
    ({"on": "moon"}, "on='moon'"),
    ({"episodes": "10"}, "episodes='10': expected a whole number, found str"),
    ({"runs": 2.5}, "runs=2.5: expected a whole number"),
    ({"seed": None}, "seed=None: expected a whole number"),
    ({"latent": 1.0}, "latent=1.0: expected a text or a whole number or None"),
    ({"instructions": ["a"]}, "instructions=.*expected a text"),
    ({"out": 3}, "out=3: expected a text or a path or None"),
    ({"out": "x" * 300}, "cannot write to '.*File name too long"),
    ({"hooks": "wandb"}, "hooks='wandb': expected a list"),
    ({"hooks": [3]}, "hook 'builtins:int' has no method 'begin'"),
    ({"cost_limit": float("nan")}, "cost_limit=nan"),
]


@pytest.mark.parametrize("given, said", WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_one_sentence(given, said, tmp_path):
    with pytest.raises(parley.BadInput, match=said) as raised:
        parley.run(**{"world": "shortcut", "out": tmp_path / "none", **given})
    assert "\n" not in str(raised.value) and not (tmp_path / "none").exists()


def test_what_cannot_be_opened_made_or_compared(two, tmp_path):
    (tmp_path / "empty").mkdir()
    sure = parley.make("shortcut")
    for does, said in (
        (lambda: parley.open(tmp_path / "*"), "no run directory matches"),
        (lambda: parley.open(tmp_path / "nowhere"), "there is no such run directory"),
        (lambda: parley.open(tmp_path / "empty"), "has no manifest.json"),
        (lambda: parley.open([tmp_path]), "path=.*expected a text or a path"),
        (lambda: parley.make(3), "a int is no world"),
        (lambda: parley.make(sure, open=0.3), "open=...: the world is an object already"),
        (lambda: parley.compare(two[0], "runs/first"), "run_b='runs/first': expected a Run"),
        (lambda: two[0].episode("a"), "run='a': expected a whole number"),
        (lambda: next(parley.stepthrough(sure, seed=-1)), "seed=-1: expected at least 0"),
        (lambda: list(parley.stepthrough(sure, episodes=0)), "episodes=0: expected at least 1"),
        (lambda: parley.check("planner", "exact", "nowhere"), "unknown world 'nowhere'"),
    ):
        with pytest.raises(parley.BadInput, match=said):
            does()


def test_one_run_each_shows_no_interval(tmp_path):
    one, other = (parley.run("shortcut", name, episodes=3, runs=1, out=tmp_path / name) for name in ("exact", "random"))
    found = parley.compare(one, other)
    assert np.isnan(found.half_width) and not found.decided and "of one run there is no interval" in str(found)


def test_worlds_and_parts_whichever_way_they_are_named(tmp_path):
    makes = partial(RandomPlanner, decode="greedy")
    run = parley.run(Path("shortcut"), makes, out=tmp_path / "a[1]", **SMALL)
    assert run.manifest["config"]["planner"] == "parley.planners.scripted:RandomPlanner"
    assert parley.open(tmp_path / "a[1]").out == run.out and len(parley.open(tmp_path / "a*")[0:1]) == 1
    assert next(parley.stepthrough(Path("shortcut"), RandomPlanner)).step == 1
    assert parley.make("gym:FrozenLake-v1", horizon=5).horizon == 5
    assert parley.make("tests.api.test_runs:sure", open=0.3).prior[1] == pytest.approx(0.3)


def sure(open: float = 0.5):
    """A world by module:name, with a setting."""
    return parley.make("shortcut", open=open)


def test_settings_join_those_of_any_spec():
    assert parley.make("tests.worlds.odd:doors", variations=7).latents[6] == "6"
    assert len(parley.make("gym:FrozenLake-v1", variations=5).latents) == 5
    assert parley.make("tests.worlds.odd:doors:variations=7", workers=2).workers == 2


def test_gym_is_the_run(tmp_path):
    env = parley.gym("shortcut", latent="the back door is open")
    observation, info = env.reset(seed=3)
    assert observation == "you stand in the hall" and "try the back door" in info["menu"]
    _, reward, terminated, truncated, _ = env.step("try the back door")
    assert isinstance(reward, float) and not terminated and isinstance(truncated, bool)
    assert np.isclose(parley.make("shortcut", open=0.2).prior[1], 0.2)
