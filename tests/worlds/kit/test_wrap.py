"""`parley.wrap`: other people's environments as worlds, and what used to break in them."""

import json
import sqlite3
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest

import parley
from parley import assemble
from parley.cli import main
from parley.core.draws import Draws
from parley.core.errors import BadInput, RunDamaged
from parley.core.latents import Numbered
from parley.core.said import Menu, Opening, Outcome
from parley.execute import RunConfig, resume, run
from parley.planners.scripted import ScriptedPlanner
from parley.report.diagnosis import diagnose
from parley.report.summary import Curves
from parley.runs.hooks import Hook, Hooks
from parley.runs.log import StepsLog
from parley.view.answers import Answers
from parley.view.found import Found
from parley.view.texts import encoded
from parley.worlds.kit.conformance import check_world, walk
from parley.worlds.kit.describe import in_words
from tests.worlds.odd import Doors, browser, doors, restless

SPEC = "tests.worlds.odd:doors"
TABLES = ("run, episode, step, observation, subgoal, explored, proposal, law, menu, next_observation, reward", "steps")


def rows(out, columns=TABLES[0], table=TABLES[1], order="1, 2, 3"):
    db = sqlite3.connect(out / "run.sqlite")
    return db.execute(f"SELECT {columns} FROM {table} ORDER BY {order}").fetchall()


class Killed(Hook):
    """Ends the run in the midst of an episode."""

    def __init__(self, episode, step):
        self.at = (episode, step)

    def step(self, record, first_run):
        if (record.episode, record.step) == self.at:
            raise Stop


class Stop(BaseException):
    pass


def broken_off(config, out, episode=2, step=2, parts=None):
    with pytest.raises(Stop):
        run(config, out, parts=parts, hooks=Hooks({"kill": Killed(episode, step)}))


def test_a_text_environment_conforms_and_a_blackjack_of_two_lines_too():
    assert check_world(doors()) == []
    blackjack = parley.wrap(lambda: gym.make("Blackjack-v1"), skills={"hit": 1, "stick": 0}, horizon=10)
    assert check_world(blackjack) == []


def test_the_reward_is_told():
    """A win and a loss read the same otherwise: whoever plans hears nothing but the report."""
    world = parley.wrap(lambda: gym.make("Blackjack-v1"), skills={"hit": 1, "stick": 0}, horizon=10, name="blackjack")
    heard = [s.heard for s in parley.stepthrough(world, "random", seed=3, episodes=20)]
    assert any("Reward: 1." in said for said in heard) and any("Reward: -1." in said for said in heard)
    silent = parley.wrap(lambda: gym.make("Blackjack-v1"), skills={"hit": 1}, horizon=10, says_reward=False)
    assert not any("Reward" in s.heard for s in parley.stepthrough(silent, "random", episodes=3))


def test_templates_are_told_the_reward(tmp_path):
    from parley.core.told import Told
    from parley.memory.window import Window
    from parley.prompting.prompter import Prompter, Prompting, Words
    from parley.prompting.template import PromptTemplate, as_text

    path = tmp_path / "paid.jinja"
    path.write_text('{% extends "chat" %}{% block observation %}{{ observation }} (paid {{ reward }})\n{% endblock %}')
    prompter = Prompter(Prompting(PromptTemplate(str(path)), Words((), 3)), Window(0))
    prompter.retell([Told("task", ("here",)).after(("go",), "there", 0.5)])
    assert "there (paid 0.5)" in as_text(prompter.turns((), ("go",)))


def test_the_task_comes_from_the_environment_episode_by_episode(tmp_path):
    run(RunConfig(SPEC, "random", episodes=3, runs=2), tmp_path / "r")
    assert {row[0] for row in rows(tmp_path / "r", "instruction, 1, 1", "episodes")} == {"find it, in 4 steps"}
    with pytest.raises(BadInput, match="every episode brings its own"):
        run(RunConfig(SPEC, "random", episodes=3, runs=2, instructions="random"), tmp_path / "s")


def test_scores_stand_in_the_log_and_regret_is_unknown(tmp_path):
    run(RunConfig(SPEC, "random", episodes=8, runs=4), tmp_path / "r")
    for paid, score, regret in rows(tmp_path / "r", '"return", score, regret', "episodes"):
        assert score == paid and regret is None
    summary = Curves.read(tmp_path / "r").summary()
    assert summary.measure == "score" and 0 < summary.scores.success < 1
    assert summary.scores.mean == pytest.approx(summary.mean_return)
    assert main(["report", str(tmp_path / "r")]) == 0


class Scored(Doors):
    """Says its highest score in some variations only."""

    def _info(self):
        info = super()._info()
        return info if self.treasure else {**info, "max_score": None}


def test_scores_that_are_known_of_some_runs_only(tmp_path):
    """The return is told instead; nobody divides by what is not known. The world, an object, need not be made again."""
    world = parley.wrap(Scored, variations=range(2), horizon=4, instruction="find it")
    found = parley.run(world, "habit", episodes=16, runs=4, latent="each", out=tmp_path / "r", progress=False)
    assert found.summary().measure == "return" and "success" not in str(found.summary().scores)
    assert found.diagnose().signature == found.diagnose(tables=False).signature
    runs = Found(tmp_path)
    runs.look()
    numbers = json.loads(encoded(Answers(runs, None, None).answer("run", {"id": "r"})))["numbers"]
    known = [score for (score,) in rows(tmp_path / "r", "score", "episodes WHERE run IN (1, 3)", "1")]
    assert numbers["score"] == pytest.approx(np.mean(known))


def test_menus_that_differ_in_width_are_logged_and_read_again(tmp_path):
    run(RunConfig(SPEC, "random", episodes=8, runs=6, cohort=3), tmp_path / "r")
    menus = [
        json.loads(text)
        for (text,) in sqlite3.connect(tmp_path / "r" / "run.sqlite").execute("SELECT subgoals FROM menus")
    ]
    assert sorted(map(len, menus)) == [3, 4] and all(None not in menu and "" not in menu for menu in menus)
    for _, _, _, _, said, _, proposal, _, _menu, _, _ in rows(tmp_path / "r"):
        listed = next(m for m in menus if said in m and len(m) == len(json.loads(proposal)))
        assert said in listed
    assert main(["report", str(tmp_path / "r")]) == 0
    assert diagnose(tmp_path / "r", None).signature
    episode = StepsLog(tmp_path / "r" / "run.sqlite", 0, 6).episode(0)
    assert episode.steps[0].menus[0].sentences.shape[1] == 4


def test_a_run_that_was_broken_off_goes_on_bit_by_bit(tmp_path):
    config = RunConfig(SPEC, "random", "epsilon-greedy:epsilon=0.3", episodes=6, runs=5, seed=4)
    run(config, tmp_path / "whole")
    broken_off(config, tmp_path / "broken")
    resume(tmp_path / "broken", trust=True)
    assert rows(tmp_path / "whole") == rows(tmp_path / "broken")


@pytest.mark.parametrize(
    "spec", ["restless", "browser", "fickle:what=opening", "fickle:what=menu", "fickle:what=reward"]
)
def test_an_environment_that_cannot_repeat_itself_goes_on_at_the_end_of_an_episode(spec, tmp_path):
    """It used to be RunDamaged for ever. What is not known is found out; what ended before stays as it is."""
    config = RunConfig(f"tests.worlds.odd:{spec}", "random", episodes=4, runs=3, seed=2)
    broken_off(config, tmp_path / "r")
    before = [row for row in rows(tmp_path / "r") if row[1] < 2]
    assert resume(tmp_path / "r", trust=True)["status"] == "finished"
    after = rows(tmp_path / "r")
    assert before == [row for row in after if row[1] < 2] and len({row[:3] for row in after}) == len(after)
    events = rows(tmp_path / "r", "episode, step, run, event", "low_level")
    told = [row for row in events if row[3] and "begun anew" in row[3]]
    assert {(row[0], row[1]) for row in told} == {(2, 1)} and len(told) == 3
    paid = rows(tmp_path / "r", "run, episode, SUM(reward) AS paid", "steps GROUP BY run, episode")
    assert paid == rows(tmp_path / "r", 'run, episode, "return"', "episodes")


def test_an_episode_that_ends_elsewhere_is_begun_anew(tmp_path):
    """Whichever step its runs end at the second time, the log holds one episode, not halves of two."""
    for seed in range(6):
        out = tmp_path / str(seed)
        config = RunConfig("tests.worlds.odd:fickle:what=end", "random", episodes=4, runs=3, seed=seed)
        try:
            run(config, out, hooks=Hooks({"kill": Killed(2, 2)}))
        except Stop:
            assert resume(out, trust=True)["status"] == "finished"
        assert len(parley.open(out).summary().label) and {row[1] for row in rows(out)} == {0, 1, 2, 3}


def test_who_says_that_it_repeats_itself_and_does_not_is_damaged(tmp_path):
    from dataclasses import replace

    world = replace(restless(), deterministic=True)
    parts = assemble.parts_of(world, "random", "none")
    config = RunConfig(parts.world_part.spec, "random", episodes=4, runs=2)
    broken_off(config, tmp_path / "r", parts=parts)
    with pytest.raises(RunDamaged, match="another observation"):
        resume(tmp_path / "r", parts=parts)
    assert "same seed, same run" in "; ".join(check_world(browser()))


def test_rows_that_are_over_are_not_asked(tmp_path):
    asked = []

    def choose(history, menu):
        asked.append(history)
        return menu[0]

    class Counting(ScriptedPlanner):
        def propose(self, menu, parts):
            asked.append(self.num_runs if menu.asked is None else int(menu.asked.sum()))
            return super().propose(menu, parts)

    world = doors(variations=2)
    steps = 0
    planner = Counting(("open the blue door",))
    result = parley.run(world, planner, episodes=2, runs=4, latent="each", out=tmp_path / "r", progress=False)
    steps = len(rows(result.out))
    assert sum(asked) == steps < 2 * 4 * 4


def test_scripted_says_which_menu_lacks_its_words():
    planner = ScriptedPlanner(("c",))
    planner.start(Draws(0, 2))
    none = np.empty((2, 0), dtype=object)
    planner.hear(Opening(0, np.array(["", ""], dtype=object), np.array(["", ""], dtype=object)))
    menu = Menu.of_each([("a", "c"), ("b",)])
    with pytest.raises(BadInput, match="not in the menu: b"):
        planner.propose(menu, none)
    over = Menu(menu.sentences, menu.legal, asked=np.array([True, False]))
    assert planner.propose(over, none).probs.tolist() == [[0, 1], [1, 0]]


def test_workers_tell_each_run_its_own_menu(tmp_path):
    config = dict(planner="random", episodes=4, runs=5, seed=1)
    run(RunConfig(SPEC, **config), tmp_path / "one")
    run(RunConfig(f"{SPEC}:workers=2", **config), tmp_path / "two")
    assert rows(tmp_path / "one") == rows(tmp_path / "two")


def test_module_name_takes_arguments(tmp_path):
    world = assemble.world(f"{SPEC}:length=2,variations=7", trust=True)
    assert len(world.latents) == 7
    assert (
        main(
            [
                "run",
                "--world",
                f"{SPEC}:length=2",
                "--planner",
                "random",
                "--episodes",
                "2",
                "--runs",
                "2",
                "--out",
                str(tmp_path / "r"),
            ]
        )
        == 0
    )
    assert max(row[2] for row in rows(tmp_path / "r")) <= 2
    with pytest.raises(BadInput, match=r"a Doors is an environment: make a world of it, parley.wrap"):
        assemble.world("tests.worlds.odd:Doors", trust=True)


def sized(size: int | str = 3, more: "float | None" = None):
    """Arguments of several types."""
    return wrap_of(f"{size!r}, {more!r}")


async def later():
    return doors()


def wrap_of(name):
    return parley.wrap(lambda z: Doors(z), variations=range(2), horizon=2, name=name)


def test_arguments_of_several_types():
    spec = "tests.worlds.kit.test_wrap:sized"
    for told, name in (("", "3, None"), (":size=4,more=2", "4, 2.0"), (":size=large", "'large', None")):
        assert assemble.world(spec + told, trust=True).name == name
    with pytest.raises(BadInput, match="more='large': expected a number"):
        assemble.world(f"{spec}:more=large", trust=True)
    with pytest.raises(BadInput, match="it is async"):
        assemble.world("tests.worlds.kit.test_wrap:later", trust=True)


def test_a_million_latents_are_a_range():
    world = parley.wrap(lambda z: Doors(z % 3), variations=range(10**6), horizon=4)
    assert isinstance(world.latents, Numbered) and len(world.latents) == 10**6 and world.latents[7] == "7"
    assert world.prior.strides == (0,)  # one number, not a million
    drawn = assemble.draw_latents(world, Draws(1, 1000), None)
    assert len(set(drawn.tolist())) > 990 and drawn.max() < 10**6
    assert assemble.draw_latents(world, Draws(1, 2), "123456").tolist() == [123456, 123456]
    assert check_world(world, 2, 1) == []


def test_seeds_are_latents_where_nobody_lists_any():
    class Seeded(Doors):
        def reset(self, *, seed=None, options=None):
            self.treasure = seed % 3
            return super().reset(seed=seed)

    world = parley.wrap(lambda: Seeded(), seeded_by="variation", horizon=4)
    latents = assemble.draw_latents(world, Draws(5, 8), None)
    assert len(world.latents) == 2**31 and len(set(latents.tolist())) == 8
    env = world.text_env(int(latents[0]))
    env.reset(seed=1)
    first = env.low.treasure
    env.reset(seed=2)
    assert env.low.treasure == first == int(latents[0]) % 3


@pytest.mark.parametrize("variations", [range(7, 9), [7, 8], np.arange(7, 9), {"one": 7, "two": 8}])
def test_a_variation_that_is_a_number_is_the_seed(variations):
    """The place of a number in its list was the seed, so that other games were played than those that were named."""
    world, seeds = parley.wrap(Doors, variations=variations, seeded_by="variation", horizon=4), []
    for latent in (0, 1):
        env = world.text_env(latent)
        env.low.reset = lambda seed, env=env: seeds.append(seed) or Doors.reset(env.low, seed=seed)
        env.reset(seed=3)
    assert seeds == [7, 8]


def test_sets_have_an_order_that_is_the_same_in_every_process():
    names = {f"game {i}" for i in range(20)}
    world = parley.wrap(Doors, variations=names, menu=names, instruction=names, horizon=4)
    assert world.latents == world.script.subgoals == world.instructions == tuple(sorted(names))


def test_runs_that_share_one_environment_are_refused():
    """They would move each other: a factory must make a new one each time. One run alone may have it, as a robot is."""
    from examples.several_agents import STAND, Corridor

    env, corridor = Doors(), Corridor(1)
    for make in (lambda: env, lambda: gym.wrappers.OrderEnforcing(env)):
        world = parley.wrap(make, horizon=4, name="shared")
        for cohort in (0, 1):  # side by side, or in threads of their own
            with pytest.raises(BadInput, match="two runs share one environment"):
                parley.run(world, "random", episodes=1, runs=2, cohort=cohort, progress=False)
        assert walk(world, 1)
    with pytest.raises(BadInput, match="two runs share one environment"):
        skills = dict.fromkeys(Corridor.possible_agents, {"stand": STAND})
        walk(parley.wrap(lambda: corridor, skills=skills, rest=dict.fromkeys(skills, STAND), horizon=2), 2)


def test_a_highest_score_that_is_given_is_the_one_that_counts():
    for told, highest in ((10, 10.0), (None, 1.0), (lambda info: 2 * info["max_score"], 2.0)):
        env = parley.wrap(Doors, horizon=4, max_score=told).text_env(0)
        env.reset(seed=1)
        assert env.max_score == highest


def test_rewards_may_be_any_finite_number():
    class Costly(Doors):
        def step(self, action):
            said, paid, *rest = super().step(action)
            return said, 100 * paid - 7, *rest

    assert check_world(parley.wrap(lambda z: Costly(z), variations=range(2), horizon=5)) == []


def test_skills_run_to_their_end():
    """Generators, policies, lists and single actions, on a line of ten cells."""

    class Line(gym.Env):
        observation_space, action_space = gym.spaces.Discrete(10), gym.spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.x = 4
            return self.x, {}

        def step(self, action):
            self.x = min(max(self.x + 2 * action - 1, 0), 9)
            return self.x, float(self.x == 9), False, False, {}

    def ahead(see):
        while see() < 9:
            yield 1

    skills = {"ahead": ahead, "home": lambda x: 0 if x else None, "jump": [1, 1, 1], "back": 0}
    world = parley.wrap(Line, skills=skills, horizon=4, instruction="go to the end", max_score=1)
    env = world.text_env(0)
    env.reset(seed=0)
    seen = [env.step(one)[0] for one in ("ahead", "home", "jump", "back")]
    assert [said.partition(".")[0] for said in seen] == ["state 9", "state 0", "state 3", "state 2"]
    assert env.num_actions == 1 and world.instructions == ("go to the end",)


def test_several_agents_have_skills_of_their_own():
    from examples.several_agents import CRATE, LEFT, LIFT, RIGHT, STAND, Corridor

    def fetch(see):
        while see()[0] < CRATE:
            yield RIGHT
        yield LIFT

    def wait(see):
        while see()[0] > 0:
            yield LEFT

    agents = Corridor.possible_agents
    world = parley.wrap(
        Corridor,
        variations={"one can lift it": 1, "it takes two": 2},
        skills=dict.fromkeys(agents, {"fetch it": fetch, "wait": wait}),
        rest=dict.fromkeys(agents, STAND),
        describe=lambda state: "I carry it" if state[1] else f"I am at {state[0]}",
        horizon=3,
    )
    assert world.num_actors == 2 and check_world(world, 2, 1) == []


@pytest.mark.parametrize(
    "more, said",
    [
        ({"skills": {"ann": {"go": 1}, "zoe": {"go": 1}}}, "skills are those of .'ann', 'zoe'.: expected those of"),
        ({"skills": {"ann": {"go": 1}}}, "skills are those of .'ann'.: expected those of"),
        ({"skills": {"go": 1}}, "skills are those of ..: expected those of"),
        ({"describe": {"zoe": str}}, "describe names 'zoe': expected ann, bob"),
    ],
)
def test_agents_that_are_not_there_are_named(more, said):
    from examples.several_agents import STAND, Corridor

    told = {"skills": {"ann": {"go": 1}, "bob": {"go": 1}}, **more}
    rest = dict.fromkeys(told["skills"], STAND)
    with pytest.raises(BadInput, match=said):
        parley.wrap(lambda: Corridor(1), rest=rest, horizon=3, **told).text_env(0)


@pytest.mark.parametrize(
    "more, said",
    [
        ({"menu": "any"}, "expected a list, a function"),
        ({"name": 5}, "name=5: expected a text"),
        ({"menu": ["a", "a"]}, "expected different texts"),
        ({"skills": {}}, "skills is empty"),
        ({"skills": 3}, "expected a mapping from names to skills"),
        ({"seeded_by": "luck"}, "expected 'episode' or 'variation'"),
        ({"variations": []}, "expected at least one"),
        ({"variations": range(0)}, "is empty"),
        ({"variations": ["a", "a"]}, "each of them once"),
        ({"horizon": 0}, "at least 1"),
        ({"horizon": 2.5}, "at least 1"),
        ({"describe": 3}, "expected a function of the raw state"),
        ({"prior": [0.5, 0.7], "variations": range(2)}, "prior of 2 probabilities"),
        ({"skills": {"ann": {"a": 0}, "bob": {"b": 1}}}, "need `rest=`.*a dictionary, stands in a list"),
        ({"skills": {"ann": {"a": 0}}, "rest": {"zoe": 0}}, "rest names .'zoe'.: expected what each of .'ann'."),
        ({"skills": {"ann": {}}, "rest": {"ann": 0}}, "skills is empty"),
        (
            {"skills": {"ann": {"a": 0}, "bob": {"b": 1}}, "rest": {"ann": 0, "bob": 1}, "menu": ["a / b"]},
            "leave it out",
        ),
        ({"skills": {"": 0}}, "skills: '' is no name"),
        ({"skills": {1: 0}}, "skills: 1 is no name"),
        ({"skills": {"a": iter([0])}}, "skill 'a' can run only once"),
        ({"skills": {"a": 0}, "menu": ["a", "fly"]}, "there is no skill 'fly': expected some of a"),
        ({"skills": {"a": 0}, "menu": "free"}, "expected the names of skills"),
        ({"menu": []}, "different texts, at least one"),
        ({"menu": 3}, "menu=3: expected a list, a function"),
        ({"menu": {"a": 0}}, "names and what they do are `skills=`"),
        ({"variations": 3}, "variations=3: expected a range, a list or a mapping"),
        ({"variations": [object(), object()]}, "is no name: give a mapping"),
        ({"variations": ["x" * 300 + "a", "x" * 300 + "b"]}, "a mapping gives them names"),
        ({"prior": ["a", "b"], "variations": range(2)}, "expected 2 probabilities"),
        ({"prior": [float("nan"), 1.0], "variations": range(2)}, "prior of 2 probabilities"),
        ({"instruction": 3}, "instruction=3: expected texts"),
        ({"observations": "a"}, "observations='a': expected a list"),
        ({"horizon": True}, "horizon=True"),
        ({"max_actions": 0}, "max_actions=0: expected a whole number"),
        ({"success_at": "1"}, "success_at='1': expected a score"),
        ({"references": {"random": "x"}}, "random='x': expected a score"),
        ({"references": [1.0]}, "references=.1.0.: expected a score"),
        ({"deterministic": "no"}, "expected True, False or None"),
        ({"max_scores": 1}, "no argument 'max_scores'; did you mean 'max_score'"),
    ],
)
def test_what_cannot_be_used_is_said(more, said):
    with pytest.raises(BadInput, match=said):
        parley.wrap(lambda *z: Doors(), **{"horizon": 4, **more})


def test_what_make_env_does_wrong_is_said():
    def fails(z):
        raise OSError("no display")

    world = parley.wrap(fails, variations=range(2), horizon=3)
    with pytest.raises(BadInput, match=r"make_env\(1\) raised OSError: no display"):
        world.text_env(1)
    for made, kind in ((3, "int"), (Doors, "type")):
        with pytest.raises(BadInput, match=f"make_env gave a {kind}"):
            parley.wrap(lambda made=made: made, horizon=3).text_env(0)
    with pytest.raises(BadInput, match="make_env='FrozenLake-v1': expected a function"):
        parley.wrap("FrozenLake-v1")
    with pytest.raises(BadInput, match="nobody says what can be told"):
        walk(parley.wrap(lambda: gym.make("FrozenLake-v1"), horizon=3), 1)


@pytest.mark.parametrize("limit", [None, -1, 0, float("inf"), "50", RuntimeError("no spec"), 7])
def test_the_environments_own_limit_counts_where_it_is_one(limit):
    class Limited(Doors):
        @property
        def spec(self):
            if isinstance(limit, Exception):
                raise limit
            return SimpleNamespace(max_episode_steps=limit)

    assert parley.wrap(Limited).horizon == (7 if limit == 7 else 100)


def test_a_skill_that_does_nothing_leaves_the_info_as_it_was():
    """A menu made of it is still there; what went wrong before is not told again."""

    class Corridor(Doors):
        def _info(self):
            return {"can": ["rest", "wait"], "event": "it creaks"}

    skills = {"rest": [], "wait": "wait"}
    env = parley.wrap(Corridor, skills=skills, menu=lambda state, info: info["can"], horizon=4).text_env(0)
    env.reset(seed=0)
    told = [(env.step(skill)[4]["menu"], env.event) for skill in ("rest", "wait", "rest")]
    assert told == [(("rest", "wait"), event) for event in ("", "it creaks", "")]


def test_several_agents_need_an_environment_of_them():
    skills = {"ann": {"go": 1}, "bob": {"go": 1}}
    with pytest.raises(BadInput, match="make_env gave a Doors, no environment of agents"):
        parley.wrap(Doors, skills=skills, rest=dict.fromkeys(skills, 0), horizon=3).text_env(0)


def test_texts_that_are_not_plain_are_logged_as_they_are_said(tmp_path):
    """Those of NumPy, of enumerations, and with half a character."""
    half = "wait \ud800"

    class Odd(Doors):
        def _info(self):
            return {}

    told = {"menu": np.array(["open", "wait"])}, {"menu": [half, "open"]}, {"skills": {half: "wait", np.str_("a"): "b"}}
    for i, more in enumerate(told):
        world = parley.wrap(Odd, **more, instruction=np.array([half]), horizon=3, name="odd")
        out, parts = tmp_path / str(i), assemble.parts_of(world, "random", "none")
        broken_off(RunConfig("odd", "random", "none", episodes=3, runs=2), out, 1, 2, parts=parts)
        assert resume(out, parts=parts)["status"] == "finished"
        assert parley.open(out).frame("steps").num_rows == 18


def test_words_for_what_is_no_text():
    assert in_words(3) == "state 3"
    assert in_words({"a": np.arange(3), "b": ("x", True)}) == "a: 0, 1, 2; b: x, yes"
    with pytest.raises(BadInput, match="give `describe=`"):
        in_words(np.zeros((84, 84, 3)))


def test_maps_keep_their_lines_and_no_line_pretends_to_be_another():
    from parley.prompting.transcript import observation_line

    assert observation_line("###\n#@#\n> lie\n") == "  ###\n  #@#\n  > lie\n"
    assert observation_line("one line\n") == "one line\n"


def test_show_cuts_nothing_and_leaves_colons_alone(tmp_path, capsys):
    class Long(Doors):
        def step(self, action):
            return "press :unlock: " + "x" * 900 + "\n  #@#", *super().step(action)[1:]

    result = parley.run(
        parley.wrap(lambda: Long(), horizon=2), "random", episodes=1, runs=1, out=tmp_path / "r", progress=False
    )
    assert main(["show", str(result.out), "--episode", "0"]) == 0
    shown = capsys.readouterr().out
    assert ":unlock:" in shown and shown.replace("\n", "").count("x" * 900) >= 1 and "#@#" in shown


def test_any_words_where_there_is_no_menu(tmp_path):
    world = parley.wrap(lambda z: Doors(z), variations=range(3), menu="free", horizon=4, name="free")
    assert check_world(world) == []
    result = parley.run(
        world,
        ScriptedPlanner(("open the red door",)),
        episodes=2,
        runs=3,
        latent="each",
        out=tmp_path / "r",
        progress=False,
    )
    assert {row[4] for row in rows(result.out)} == {"open the red door"}
    with pytest.raises(BadInput, match="takes any words"):
        parley.run(world, "random", episodes=1, runs=1, out=tmp_path / "s", progress=False)


def test_outcomes_say_who_was_active():
    """Runs end at different steps; what ended is not heard again."""
    heard = []

    class Hears(ScriptedPlanner):
        def hear(self, said):
            heard.append(said)
            super().hear(said)

    list(parley.stepthrough(doors(variations=1), Hears(("open the blue door",)), episodes=1))
    assert [one.active.tolist() for one in heard if isinstance(one, Outcome)] == [[True]]
