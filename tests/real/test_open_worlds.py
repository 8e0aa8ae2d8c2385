"""Adapters of other people's environments, with these environments: skipped, in a sentence, where one is missing."""

import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.execute import RunConfig, resume, run
from parley.worlds.kit.conformance import check_world, walk

ROOT = Path(__file__).parents[2]
# Spec, what must be installed, and a planner; short episodes, since this is about what is told, not about play.
ADAPTERS = {
    "textworld": ("textworld:coin-collector,level=3,horizon=5", "textworld", "random"),
    "textworld cooking": ("textworld:cooking,horizon=4,go=1", "textworld", "random"),
    "textworld treasure": ("textworld:treasure-hunter,level=1,horizon=4,actions=free", "textworld", "scripted"),
    "scienceworld": ("scienceworld:find-living-thing,horizon=4", "scienceworld", "random"),
    "babyai": ("babyai:GoToLocal,horizon=5", "minigrid", "random"),
    "babyai moves": ("babyai:GoToObj,horizon=6,skills=moves", "minigrid", "random"),
    "minigrid": ("gym:MiniGrid-Empty-5x5-v0,seeded_by=variation,horizon=5", "minigrid", "random"),
    "frozen lake": ("gym:FrozenLake-v1,horizon=8", "gymnasium", "random"),
    "taxi": ("gym:Taxi-v4,horizon=8,seeded_by=variation", "gymnasium", "random"),
    "blackjack": ("gym:Blackjack-v1,horizon=8,seeded_by=variation", "gymnasium", "random"),
    "cart pole": ("gym:CartPole-v1,horizon=8,seeded_by=variation", "gymnasium", "random"),
    "reacher": ("gym:Reacher-v5,horizon=4,seeded_by=variation", "mujoco", "random"),
    "textworldexpress": ("textworldexpress:coin,horizon=5", "textworld_express", "random"),
    "textarena": ("textarena:FrozenLake-v0,horizon=5,actions=menu", "textarena", "random"),
    "textarena free": ("textarena:GuessTheNumber-v0,horizon=4", "textarena", "scripted"),
    "verifiers": ("verifiers:guess-the-number,horizon=4,menu=0|1|2|3|4|5|6", "verifiers", "random"),
    "verifiers free": ("verifiers:guess-the-number,horizon=3", "verifiers", "scripted"),
}
VERIFIERS = str(Path(__file__).with_name("verifiers_environment"))
PLANNERS = {"random": "random", "scripted": "scripted:script=look|go east|go north|inventory"}
SEED = 90271  # stands in no text by chance
COLUMNS = "run, episode, step, observation, subgoal, explored, proposal, law, menu, next_observation, reward"


@pytest.fixture(autouse=True)
def environments_of_verifiers(monkeypatch):
    """Ours are found by the Python that PARLEY_VERIFIERS_PYTHON names."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([VERIFIERS, os.environ.get("PYTHONPATH", "")]))


def spec_of(name, **more):
    spec, package, planner = ADAPTERS[name]
    if package == "verifiers":
        if not os.environ.get("PARLEY_VERIFIERS_PYTHON") and find_spec(package) is None:
            pytest.skip(
                f"{name}: the package is not installed, and PARLEY_VERIFIERS_PYTHON names no Python that has it"
            )
    elif find_spec(package) is None:
        pytest.skip(f"{name}: the package {package} is not installed (see the extras in pyproject.toml)")
    if package in ("scienceworld", "textworld_express") and shutil.which("java") is None:
        pytest.skip(f"{name}: it runs on Java, and there is none")
    return ",".join([spec, *(f"{key}={value}" for key, value in more.items())]), PLANNERS[planner]


def few(name, first=0, variations=2):
    return {"first": first, "variations": variations}


# ScienceWorld's start of Java takes a quarter of a minute; it is killed and resumed below in any case.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "scienceworld" else name for name in ADAPTERS]
)
def test_it_conforms(name):
    spec, _ = spec_of(name, **few(name))
    assert check_world(assemble.world(spec), 2, 1) == []


@pytest.mark.parametrize("name", ADAPTERS)
def test_nothing_of_the_variation_is_told(name):
    """The same variation under another index says the same, byte for byte; its number stands nowhere."""
    first = 1 if name == "scienceworld" else 271 if name.startswith("verifiers") else SEED  # tasks are read one by one
    spec, _ = spec_of(name, **few(name, first - 1))
    swapped, _ = spec_of(name, **few(name, first, 1))
    here, there = (walk(assemble.world(one), 1, 1, 1) for one in (spec, swapped))
    assert here == there
    texts = [said for row in here for said in row if isinstance(said, str)]
    world = assemble.world(swapped)
    envs = world.make(np.zeros(1, dtype=int), Draws(0, 1))
    _, info = envs.reset(options={"episode": 0})
    menu = list(info["menus"][0].row(0))
    envs.close()
    texts += [*menu, *map(str, info.get("instructions", ()))]
    if first > 1:
        assert not any(str(first) in said for said in texts)
    assert not any(".cache" in said or "/tmp" in said or "variation" in said.lower() for said in texts)
    if not world.script.menus:
        assert menu == sorted(menu)  # the order in which an environment lists what can be done may tell something


def rows(out):
    return sqlite3.connect(out / "run.sqlite").execute(f"SELECT {COLUMNS} FROM steps ORDER BY 1, 2, 3").fetchall()


KILL = """
import os, signal, sys
from parley.execute import RunConfig, run
from parley.runs.hooks import Hook, Hooks
class Kill(Hook):
    def step(self, record, first_run):
        if (record.episode, record.step) == (1, 2):
            os.kill(os.getpid(), signal.SIGKILL)
config = RunConfig(sys.argv[1], sys.argv[2], episodes=3, runs=2, seed=7)
run(config, __import__("pathlib").Path(sys.argv[3]), hooks=Hooks({"kill": Kill()}))
"""


@pytest.mark.parametrize("name", [n for n in ADAPTERS if n not in ("textworld cooking", "babyai moves", "minigrid")])
def test_killed_and_resumed_it_gives_the_same_tables(name, tmp_path):
    """The first part is of another process, so that this holds same seed, same log as well."""
    spec, planner = spec_of(name, **few(name))
    run(RunConfig(spec, planner, episodes=3, runs=2, seed=7), tmp_path / "whole")
    environment = {**os.environ, "PYTHONHASHSEED": "3"}
    done = subprocess.run(
        [sys.executable, "-c", KILL, spec, planner, str(tmp_path / "killed")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode != -signal.SIGKILL:  # every episode may have ended at its first step
        assert done.returncode == 0, done.stderr
    resume(tmp_path / "killed")
    assert rows(tmp_path / "whole") == rows(tmp_path / "killed")


def test_a_bot_that_plans_for_ever_gives_up(tmp_path):
    """In the first episode of these runs its plan grew without end, with two things in each other's way."""
    spec_of("babyai")
    config = RunConfig("babyai:GoToLocal,horizon=30", "random", episodes=1, runs=16, seed=1)
    assert run(config, tmp_path / "r")["status"] == "finished"


def test_jericho_plays_a_game_of_textworld_and_any_words_go(tmp_path):
    spec_of("textworld")
    from parley.worlds.open.textworld import game_file

    path = game_file("coin-collector", {"level": 3}, 0)
    assert check_world(assemble.world(f"jericho:{path},horizon=3"), 2, 1) == []
    run(RunConfig(f"jericho:{path},horizon=3", PLANNERS["scripted"], episodes=1, runs=1), tmp_path / "r")
    assert rows(tmp_path / "r")[0][4] == "look"
    with pytest.raises(BadInput, match="does not know what can be done"):
        assemble.world(f"jericho:{path},actions=menu")
    assert check_world(assemble.world(f"textworld:{path},horizon=3"), 2, 1) == []


@pytest.mark.parametrize("game", ["FrozenLake-v0", "TowerOfHanoi-v0", "2048-v0"])
def test_textarena_reports_what_is_new_alone(game):
    """The action is told as the line of a speaker who has another name in each game: its rest began every report."""
    spec_of("textarena")
    env = assemble.world(f"textarena:{game}").text_env(0)
    env.reset(seed=1)
    assert env.step("[left]")[0].startswith("[GAME] ")


def test_openenv_a_server_and_its_faults():
    if find_spec("websockets") is None:
        pytest.skip("openenv: the package websockets is not installed (extra openenv)")
    import threading

    from examples.environment_server import guessing
    from websockets.sync.server import serve

    from parley.core.errors import EnvironmentFailed

    left = []

    def drops(socket):
        """Hangs up after two answers, in the first two sessions."""
        left.append(socket)
        if len(left) > 2:
            return guessing(socket)
        return guessing(Short(socket, 2))

    with serve(drops, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        spec = f"openenv:http://127.0.0.1:{server.socket.getsockname()[1]},action=guess,text=said,menu=choices"
        assert check_world(assemble.world(f"{spec},variations=5,horizon=3"), 2, 1) == []
        assert len(left) > 2
        server.shutdown()
    with pytest.raises(EnvironmentFailed, match="does not answer.*is the server up"):
        walk(assemble.world("openenv:http://127.0.0.1:9,timeout_s=1,horizon=2"), 1)
    with pytest.raises(BadInput, match="expected http://HOST:PORT"):
        assemble.world("openenv:localhost")


def test_verifiers_pays_what_its_rubric_scores(tmp_path):
    spec, _ = spec_of("verifiers", variations=3)
    run(RunConfig(spec, "scripted:script=6|1", episodes=1, runs=3, latent="1"), tmp_path / "r")
    told = [row[3:5] + row[9:] for row in rows(tmp_path / "r")[:2]]
    assert told == [("Which number is it?", "6", "Less.", 0.0), ("Less.", "1", "The episode is over. Reward: 1.", 1.0)]
    sums = assemble.world("verifiers:one-answer,horizon=1,max_score=2")
    assert len(sums.latents) == 3
    assert walk(sums, 1, 1, 1)[:2] == [["What is 1 + 1?"], ["collect as much reward as you can"]]
    spec = "verifiers:one-answer,horizon=1"
    run(RunConfig(spec, "scripted:script=3", episodes=1, runs=2, latent="2"), tmp_path / "s")
    assert [row[-1] for row in rows(tmp_path / "s")] == [2.0, 2.0]


def test_faults_of_verifiers_are_said(tmp_path, monkeypatch):
    from parley.core.errors import EnvironmentFailed

    spec, _ = spec_of("verifiers free", variations=2)
    for word, said in (("raise", "the board broke"), ("picture", "reads text alone")):
        with pytest.raises(EnvironmentFailed, match=said):
            run(RunConfig(spec, f"scripted:script={word}", episodes=1, runs=1), tmp_path / word)
    (tmp_path / "tools.json").write_text('{"taskset": {"tools": true}}', "utf-8")
    for wrong, said in (
        ("verifiers:guess-the-number", "its tasks do not end: say how many, variations=N"),
        ("verifiers:no-such-thing", "no-such-thing.* not found.*Name a Python that has verifiers 0.4"),
        (f"verifiers:one-answer,config={tmp_path / 'tools.json'}", "it offers tools: Parley replies in words alone"),
        ("verifiers:one-answer,variations=9", "there are 3 variations"),
    ):
        with pytest.raises(BadInput, match=said):
            assemble.world(wrong)


class Short:
    """A connection that ends after so many messages."""

    def __init__(self, socket, messages):
        self.socket, self.messages = socket, messages

    def __iter__(self):
        for _, message in zip(range(self.messages), self.socket, strict=False):
            yield message

    def send(self, text):
        self.socket.send(text)


@pytest.mark.parametrize(
    "spec, said",
    [
        ("textworld:chess", "expected coin-collector"),
        ("textworld:no.z8", "there is no such file"),
        ("textworld:cooking,actions=some", "expected 'menu'"),
        ("textworld:cooking,variations=0", "at least one"),
        ("babyai:GoToLocl", "did you mean 'GoToLocal'"),
        ("babyai:GoToLocal,skills=magic", "expected bot"),
        ("gym:NoSuch-v0", "Gymnasium does not make it"),
        ("gym:os:path-v0", "would be imported"),
        ("gym:Pendulum-v1", "nobody has said what can be told"),
        ("gym:CartPole-v1,variations=3", "seeded_by=variation"),
        ("gym:CartPole-v1,settings=x", "expected name=value"),
        ("jericho:no.z5", "there is no such file"),
        ("textworld", "'challenge' is required"),
    ],
)
def test_what_cannot_be_used_is_said(spec, said):
    with pytest.raises(BadInput, match=said):
        assemble.world(spec)


def test_no_java_is_one_sentence(monkeypatch):
    spec_of("scienceworld")
    with pytest.raises(BadInput, match="java='nowhere' is none.*apt install"):
        assemble.world("scienceworld:boil,java=nowhere")
    with pytest.raises(BadInput, match="there is no such task"):
        assemble.world("scienceworld:boyl")


@pytest.mark.parametrize("script", ["", "echo no port; exec sleep 600"], ids=["ends", "says something else"])
def test_a_program_that_is_no_java_is_one_sentence_and_leaves_no_process(tmp_path, monkeypatch, script):
    spec_of("scienceworld")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "java.sh").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\n{script}\n")
    (tmp_path / "java.sh").chmod(0o755)
    with pytest.raises(BadInput, match="java='.*/java.sh' starts no Java machine"):
        assemble.world("scienceworld:boil,java=./java.sh")
    gc.collect()  # a process or pipe left behind would warn here
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
