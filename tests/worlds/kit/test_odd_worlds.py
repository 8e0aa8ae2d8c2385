"""What a user gives besides an environment may be odd too: experts, rewards, words, or a whole world by protocol."""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import torch

import parley
from parley import assemble
from parley.core.errors import BadInput, ParleyError
from parley.core.said import Menu
from parley.report.films import frames_of
from parley.worlds.kit.conformance import check_world
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import Script
from tests.worlds.kit.test_odd_environments import MENU, Odd, later, pays, raises
from tests.worlds.odd import Doors


def wrapped(make=Odd, **more):
    return parley.wrap(make, **{"horizon": 3, "instruction": "do it", "menu": MENU, "name": "odd", **more})


def told(*args: Any) -> Any:
    raise ValueError("not \x1b[31mtoday")


def always(answer: Any) -> Any:
    return lambda *args: answer


class Varied(Odd):
    def __init__(self, variation):
        super().__init__()


class Aimed(Odd):
    def __init__(self, goal):
        super().__init__(("a room", {"admissible_commands": MENU, "goal": goal}))


# What is given to `wrap`, and what the run says of it; nothing: it is right.
GIVEN = {
    "a reward that is an int": ({"reward": always(1)}, ""),
    "a reward that is numpy's": ({"reward": always(np.float32(0.5))}, ""),
    "a reward in an array": ({"reward": always(np.array([0.5]))}, ""),
    "no reward": ({"reward": always(None)}, "a reward of None: expected a finite number"),
    "a reward in words": ({"reward": always("much")}, "a reward of 'much'"),
    "a reward in a list": ({"reward": always([1.0])}, "expected a finite number"),
    "a complex reward": ({"reward": always(1 + 2j)}, "expected a finite number"),
    "a NaN reward": ({"reward": always(float("nan"))}, "expected a finite number"),
    "an infinite reward": ({"reward": always(float("-inf"))}, "expected a finite number"),
    "a reward of Python's decimals": ({"reward": always(Decimal("1.5"))}, ""),
    "a reward in a tensor": ({"reward": always(torch.tensor(1.0))}, ""),
    "a reward too large for a float": ({"reward": always(10**400)}, "expected a finite number"),
    "a reward function that raises": ({"reward": told}, r"`reward=` raised ValueError: not \\x1b\[31mtoday"),
    "a reward that is no function": ({"reward": 3}, r"expected a function of \(observation, instruction\)"),
    "a describer that raises": ({"describe": told}, "`describe=` raised ValueError"),
    "a describer that says nothing": ({"describe": always(None)}, "said None"),
    "a describer that says bytes": ({"describe": always(b"T\xc3\xbcr")}, ""),
    "a describer of halves of characters": ({"describe": always("a \ud800")}, ""),
    "a describer of Python's own": ({"describe": str}, ""),
    "a describer that does not tell what it takes": ({"describe": "{}".format}, ""),
    "what makes no Reporter": ({"describe": lambda: "a"}, r"describe\(\) gave 'a': expected a Reporter"),
    "bytes though texts are listed": ({"describe": always(b"a"), "observations": ("a", "b")}, ""),
    "None though texts are listed": ({"describe": always(None), "observations": ("a", "b")}, "said None"),
    "half a character though texts are listed": ({"describe": always("\udc80"), "observations": ("a",)}, ""),
    "a task that is a number": ({"instruction": always(3)}, r"said 3 \(int\)"),
    "a task that is None": ({"instruction": always(None)}, "give `instruction=`"),
    "tasks from a generator": ({"instruction": (task for task in ("a", "b"))}, ""),
    "tasks that are equal": ({"instruction": ["a", "a"]}, "expected a text, different texts"),
    "tasks that are numbers": ({"instruction": [1, 2]}, "expected a text, different texts"),
    "a highest score of 0": ({"max_score": 0}, ""),
    "a negative highest score": ({"max_score": -1.0}, "a max_score of -1.0: expected a number above 0"),
    "a highest score in words": ({"max_score": "10"}, "a max_score of '10'"),
    "a NaN highest score": ({"max_score": float("nan")}, "a max_score of nan"),
    "a menu function that raises": ({"menu": told}, "`menu=` raised ValueError"),
    "a menu from a generator": ({"menu": (entry for entry in MENU)}, ""),
    "a menu in an array": ({"menu": np.array(MENU)}, ""),
    "variations from a generator": ({"make": Varied, "variations": (one for one in (1, 2))}, ""),
    "a prior from a generator": ({"make": Varied, "variations": [1, 2], "prior": (p for p in (0.5, 0.5))}, ""),
    "a goal that is an array": ({"make": lambda: Aimed(np.zeros(2)), "instruction": None}, ""),
    "a goal of no words": ({"make": lambda: Aimed(""), "instruction": None}, ""),
    "a skill that raises": (
        {"menu": None, "skills": {"go": told}},
        "`skills=` .told 'go'. raised ValueError.*mend `sk",
    ),
    "a skill that takes nothing": (
        {"menu": None, "skills": {"go": lambda: 1}},
        "`skills=` .told 'go'. raised TypeError",
    ),
    "a skill that is async": ({"menu": None, "skills": {"go": later}}, "skill 'go' is async"),
    "a skill that gives what is async": ({"menu": None, "skills": {"go": lambda see: later()}}, "gave a coroutine"),
    "a describer that is async": ({"describe": later}, "said a coroutine"),
    "a reward that is async": ({"reward": later}, "reward of <coroutine"),
    "an async make_env": ({"make": later}, "gave a coroutine, which an async function does"),
    "a task that raises": ({"instruction": told}, "`instruction=` raised ValueError"),
    "a highest score that raises": ({"max_score": told}, "`max_score=` raised ValueError"),
    "a highest score of next to nothing": ({"max_score": 1e-320}, "a max_score of 1e-320: expected a number above 0"),
    "a skill that gives a generator": (
        {"menu": None, "skills": {"go": lambda see: (a for a in [1])}},
        "functools.partial",
    ),
    "a skill that never ends": ({"menu": None, "skills": {"go": always(1)}, "max_actions": 20}, ""),
    "an environment that cannot be made": ({"make": lambda: 1 / 0}, r"make_env\(\) raised ZeroDivisionError"),
    "an expert": ({"expert": always("go")}, ""),
    "an expert that raises": ({"expert": told}, r"its expert raised ValueError: not \\x1b"),
    "an expert that is no function": ({"expert": "go"}, r"expected a function of \(latent, instruction, said\)"),
    "an expert that tells None": ({"expert": always(None)}, "its expert told None"),
    "an expert that tells what is on no menu": ({"expert": always("fly")}, "'fly' is not on the menu"),
    "an expert without tasks": ({"expert": always("go"), "instruction": None}, "tasks that only its episodes tell"),
    "an expert of 2**31 latents": ({"expert": always("go"), "seeded_by": "variation"}, ""),
    "an expert in what raises": ({"make": lambda: Odd(None, raises), "expert": always("go")}, "its expert in .*raised"),
    "an expert in what pays NaN": (
        {"make": lambda: pays(float("nan")), "expert": always("go")},
        "not finite",
    ),
    "an expert in what pays nothing": ({"make": lambda: pays(None), "expert": always("go")}, "a reward of None"),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_what_is_given_to_wrap(kind, tmp_path):
    more, said = GIVEN[kind]
    if "expert" in more:
        more = {**more, "expert_episodes": 3}
    if not said:
        run = parley.run(wrapped(**more), "random", episodes=2, runs=2, out=tmp_path / "r", progress=False)
        summary = run.summary()
        assert run.status == "finished" and np.isfinite(summary.mean_return)
        return
    with pytest.raises(ParleyError, match=said) as wrong:
        parley.run(wrapped(**more), "random", episodes=1, runs=1, out=tmp_path / "r", progress=False)
    assert "\n" not in str(wrong.value) and len(str(wrong.value)) < 500


@dataclass
class ByProtocol:
    """A world that is none of the kit's; `reset` and `step` are what its environments answer, where they are given."""

    reset: Any = None
    step: Any = None
    name = "theirs"
    latents = ("one", "two")
    prior = np.array([0.5, 0.5])
    instructions = ("do it",)
    horizon = 2
    num_actors = 1
    tables = None

    def make(self, latents, draws):
        world, num = self, len(latents)
        info = {"menus": [Menu.shared(("go", "stay"))]}

        class Envs:
            num_envs = num

            def reset(self, *, seed=None, options=None):
                self.steps = 0
                return world.reset if world.reset is not None else (np.full(num, "a room", dtype=object), info)

            def step(self, actions):
                self.steps += 1
                if not {*actions[:, 0]} <= {"go", "stay"}:
                    raise BadInput("that is not on the menu")
                if callable(world.step):
                    return world.step()
                said = np.full(num, "on", dtype=object)
                answer = (said, np.ones(num), np.zeros(num, bool), np.full(num, self.steps == 2), info)
                return tuple(answer[i] if part is KEPT else part for i, part in enumerate(world.step or [KEPT] * 5))

            def close(self):
                pass

        return Envs()


KEPT = object()  # of an answer: what it should be
ANSWERS = {
    "four things": ({"step": [KEPT] * 4}, "`step` gave .*expected \\(observations, rewards"),
    "nothing": ({"step": always(None)}, "`step` gave None"),
    "it raises": ({"step": told}, "`step` raised ValueError"),
    "rewards None": ({"step": [KEPT, None, KEPT, KEPT, KEPT]}, "rewards of None: expected 2 finite numbers"),
    "a reward None": ({"step": [KEPT, [None, 1.0], KEPT, KEPT, KEPT]}, "rewards of .None"),
    "a NaN reward": ({"step": [KEPT, np.array([np.nan, 0]), KEPT, KEPT, KEPT]}, "expected 2 finite numbers"),
    "an infinite reward": ({"step": [KEPT, [1, float("inf")], KEPT, KEPT, KEPT]}, "expected 2 finite numbers"),
    "rewards in words": ({"step": [KEPT, ["1", "0"], KEPT, KEPT, KEPT]}, "expected 2 finite numbers"),
    "one reward for two": ({"step": [KEPT, np.zeros(1), KEPT, KEPT, KEPT]}, "expected 2 finite numbers"),
    "bytes": ({"step": [[b"a", b"b"], KEPT, KEPT, KEPT, KEPT]}, "said b'a' \\(bytes\\): expected a text"),
    "a report None": ({"step": [["a", None], KEPT, KEPT, KEPT, KEPT]}, "said None"),
    "half a character": ({"step": [["a", "\ud800"], KEPT, KEPT, KEPT, KEPT]}, "half a character"),
    "one sentence for two": ({"step": ["on", KEPT, KEPT, KEPT, KEPT]}, "a sentence for each of 2 runs"),
    "one end for two": ({"step": [KEPT, KEPT, True, KEPT, KEPT]}, "terminated of shape"),
    "no menus": ({"step": [KEPT, KEPT, KEPT, KEPT, {}]}, r"info\[\"menus\"\] is None"),
    "menus that are lists": ({"reset": (["a", "b"], {"menus": [["go"]]})}, "one `parley.Menu` for each"),
    "no info": ({"reset": ["a", "b"]}, "`reset` gave"),
}


def test_a_world_by_protocol_conforms(tmp_path):
    assert check_world(ByProtocol(), 2, 1) == []
    run = parley.run(ByProtocol(), "random", episodes=2, runs=2, out=tmp_path / "r", progress=False)
    assert run.summary().mean_return == 2


@pytest.mark.parametrize("kind", ANSWERS)
def test_what_a_world_answers(kind, tmp_path):
    more, said = ANSWERS[kind]
    with pytest.raises(ParleyError, match=said) as wrong:
        parley.run(ByProtocol(**more), "random", episodes=2, runs=2, out=tmp_path / "r", progress=False)
    assert "\n" not in str(wrong.value) and len(str(wrong.value)) < 500


def menus(*menus):
    return {"reset": (np.full(4, "a room", dtype=object), {"menus": [Menu(*menu) for menu in menus]})}


GO = np.array([["go", "stay"]], dtype=object)
CLAIMS = [  # what a world says of itself, and what is said of it
    ({"name": ""}, "name is ''"),
    ({"latents": ("a", "a")}, "latents: expected different sentences"),
    ({"latents": (1, 2)}, "latents: expected different sentences"),
    ({"instructions": "do it"}, "instructions: expected different sentences"),
    ({"horizon": "2"}, "horizon is '2'"),
    ({"prior": "x"}, "prior is 'x': expected 2 probabilities"),
    ({"prior": None}, "prior is nan"),
    ({"tables": {}}, "tables is a dict: expected parley.Tables, or None"),
    ({"tables": replace(assemble.world("shortcut").tables, states=("x",) * 6)}, "states hold a name twice"),
    ({"num_actors": 2}, "num_actors is 2, but 1 menus are given"),
    ({"make": always(None)}, "the world's `make` gave None .*no method 'reset'"),
    ({"make": told}, "the world's `make` raised ValueError"),
    (menus((GO, np.array([[False, False]]))), "a run is left with nothing .*no legal entry"),
    (menus((GO[0], np.array([True, True]))), r"sentences of shape \(2,\).*expected \(1 or runs, entries\)"),
    (menus((np.array([[1, 2]], dtype=object), np.array([[True, True]]))), "a menu holds 1: expected texts"),
]


@pytest.mark.parametrize("claims, said", CLAIMS, ids=[said for _, said in CLAIMS])
def test_what_a_world_says_of_itself(claims, said):
    world = ByProtocol()
    for name, claim in claims.items():
        setattr(world, name, claim)
    found = parley.check("world", world)
    assert re.search(said, found[0]) and not any("it raised" in one for one in found), found


def reports(said, latents=("red", "blue")):
    return parley.wrap(
        lambda z: Odd(None, (said, 0.0, False, False, {})), variations=latents, menu=MENU, horizon=2, instruction="t"
    )


@pytest.mark.parametrize("said", ["you are tired", "a reddish glow", "an infra-red lamp", "Reduced to bluebells."])
def test_a_word_within_another_names_no_latent(said):
    assert check_world(reports(said), 2, 1) == []
    assert check_world(reports("10 of 21, 1.5 m", ("1", "2")), 2, 1) == []


@pytest.mark.parametrize("said", ["behind the red door", "RED!", "it is:red", "game_red.z8", "(red)"])
def test_a_whole_word_does(said):
    assert check_world(reports(said), 2, 1) == ["a report names the latent 'red'"]
    assert check_world(reports("at the old\n mill", ("old mill", "new mill")), 2, 1) == [
        "a report names the latent 'old mill'"
    ]


def test_equal_subgoals_are_refused():
    def script(subgoals, parts=()):
        return Script(subgoals, (), ("t",), 2, None, parts)

    for subgoals, parts in [
        (("go", "go"), ()),
        (("go", " "), ()),
        (("go", 3), ()),
        (("a / b", "a / c"), (("a", "a"), ("b", "c"))),
        (("a / b / c",), (("a / b",), ("c",))),
    ]:
        with pytest.raises(BadInput, match="twice|texts of something to do|joins what several"):
            script(subgoals, parts)
    twice = Menu.shared(("go", "stay", "go"))
    world = ByProtocol(reset=(["a", "b"], {"menus": [twice]}))
    assert "a menu holds 'go' twice: expected different subgoals" in check_world(world, 2, 1)


def test_an_environment_of_a_direct_world_that_cannot_be_made(tmp_path):
    made = wrapped()
    world = PhysicalWorld("direct", made.script, ("a",), np.ones(1), lambda z: [][z])
    with pytest.raises(ParleyError, match="cannot be made: IndexError"):
        parley.run(world, "random", episodes=1, runs=1, out=tmp_path / "r", progress=False)


def test_latents_that_have_other_names_now(tmp_path):
    """Reading a run goes by the names in its manifest: one sentence where the world has others by now."""
    world = parley.wrap(Doors, variations={"blue": 0, "red": 2}, horizon=4, name="doors")
    run = parley.run(world, "random", episodes=8, runs=2, out=tmp_path / "r", progress=False)
    renamed = replace(world, latents=("azul", "rojo"))
    with pytest.raises(BadInput, match="has no latent '(blue|red)' any more"):
        frames_of(run.out, renamed, 0, 0, 8)
    parts = assemble.parts_of(renamed, "random", "none")
    assert parley.open(run.out).summary().mean_return > 0
    from parley.execute import resume

    assert resume(run.out, parts=parts)["status"] == "finished"  # as it is: nothing is made of it
