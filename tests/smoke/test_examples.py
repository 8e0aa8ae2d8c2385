"""The examples run as their first lines say."""

import ast
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import parley
from parley.cli import main
from parley.worlds.kit.conformance import check_world

SPEC = "examples.bring_your_own_world:lake"
FILE = Path(__file__).parents[2] / "examples" / "bring_your_own_world.py"
SEVERAL, PAPER = FILE.with_name("several_agents.py"), FILE.with_name("par_loop.py")


def test_bring_your_own_world_is_short_and_conforms(capsys):
    from examples.bring_your_own_world import lake

    assert len(FILE.read_text().splitlines()) < 80
    assert check_world(lake()) == []
    assert main(["world", "check", SPEC]) == 0
    assert "conforms; 2 latents" in capsys.readouterr().out


def test_bring_your_own_world_runs_is_shown_and_reported(tmp_path, capsys):
    out = tmp_path / "lake"
    run = ["run", "--world", SPEC, "--planner", "random", "--episodes", "3", "--runs", "4", "--out", str(out)]
    assert main(run) == 0
    assert main(["show", str(out), "--episode", "1"]) == 0
    assert main(["report", str(out), "--out", str(tmp_path / "page")]) == 0
    assert "1 you are at home" in capsys.readouterr().out
    said = {row[0] for row in sqlite3.connect(out / "run.sqlite").execute("SELECT next_observation FROM steps")}
    assert said <= {"you are on the other side", "you broke through the ice", "you are at home"}


def test_bring_your_own_world_as_a_program():
    done = subprocess.run([sys.executable, FILE], cwd=FILE.parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_several_agents_as_a_program(capsys):
    done = subprocess.run([sys.executable, SEVERAL], cwd=SEVERAL.parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for world in ("porters", "out_of_earshot"):
        assert main(["world", "check", f"examples.several_agents:{world}"]) == 0
        assert "conforms; 2 latents" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["text_environment", "raw_environment", "robot_simulation", "environment_server"])
def test_other_people_s_environments_as_programs(name):
    done = subprocess.run(
        [sys.executable, FILE.with_name(f"{name}.py")], cwd=FILE.parents[1], capture_output=True, text=True
    )
    assert done.returncode == 0 and "on average" in done.stdout, done.stderr


@pytest.mark.parametrize("name, function, most", [("text_environment", "coins", 10), ("raw_environment", "room", 25)])
def test_worlds_of_ten_lines_and_of_twenty_five(name, function, most):
    """What a reader has to write: the lines of code of the world, without imports, comments and docstrings."""
    tree = ast.parse(FILE.with_name(f"{name}.py").read_text())
    kept = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.Assign)]
    docs = sum(1 for n in kept if isinstance(n, ast.FunctionDef) and ast.get_docstring(n))
    assert sum(n.end_lineno - n.lineno + 1 for n in kept) - docs <= most


def test_planners_that_need_tables_say_so(tmp_path, capsys):
    assert main(["run", "--world", SPEC, "--planner", "exact", "--out", str(tmp_path / "x"), "--json"]) == 2
    assert "has no exact tables" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    "world, epsilon, episodes, runs, greedy",
    [
        ("shortcut", 0.2, 12, 5, True),
        ("treasure", 0.3, 10, 6, False),
        ("household", 0.25, 5, 4, False),
        ("random:seed=3", 0.2, 6, 4, True),
    ],
)
def test_the_paper_in_one_file_has_the_library_s_numbers(world, epsilon, episodes, runs, greedy, tmp_path):
    from examples.par_loop import par_loop

    assert len(PAPER.read_text().splitlines()) <= 250 and "parley.loop" not in PAPER.read_text().split('"""')[2]
    ours = par_loop(world, epsilon, episodes, runs, seed=3, greedy=greedy)
    planner = f"exact:decode={'greedy' if greedy else 'sample'}"
    sizes = dict(episodes=episodes, runs=runs, seed=3, out=tmp_path / "run")
    theirs = parley.run(world, planner, f"epsilon-greedy:epsilon={epsilon}", **sizes).curve().values
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    assert ours.max() > 0.01  # or nothing was compared


def test_the_paper_as_a_program():
    done = subprocess.run([sys.executable, PAPER, "treasure", "0.2", "30"], capture_output=True, text=True, check=True)
    assert "epsilon = 0.2" in done.stdout


def test_the_flagship_beats_random_choice_with_the_model_that_it_names(capsys):
    from examples.explore_with_your_llm import main

    runs = main(["--runs", "8", "--episodes", "6"])
    for name in ("memory", "memory, explores"):
        gain = parley.compare(runs["random choice"], runs[name])
        assert gain.paired and gain.interval[0] > 0, f"{name}: {gain}"
    assert capsys.readouterr().out.count("expected regret than") == 3
