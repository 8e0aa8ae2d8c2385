"""`parley new`: what it writes is short, passes its own test, runs, survives a kill, and is shown in the report."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import parley
from parley.api.scaffolding import OBJECTS, scaffold
from parley.core.errors import BadInput
from tests.helpers import tables_of
from tests.tiny import tiny_language_model
from tests.view.test_page import answers_in

PARLEY = [sys.executable, "-m", "parley"]
# How a scaffolded part is used in a run.
USED = {
    "planner": ["--world", "shortcut", "--planner", "my_planner:Planner:optimism=0.6"],
    "explorer": ["--world", "shortcut", "--explore", "my_explorer:Explorer"],
    "memory": [
        "--world",
        "shortcut",
        "--planner",
        "hf:path={model},context=700",
        "--memory",
        "my_memory:Memory:size=2",
    ],
    "world": ["--world", "my_world:world:horizon=2", "--planner", "random"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return {kind: scaffold(kind, f"my-{kind}", folder) for kind in OBJECTS}


@pytest.mark.parametrize("kind", OBJECTS)
def test_it_is_short_and_its_test_passes(made, kind):
    files = made[kind]
    assert sum(len(path.read_text().splitlines()) for path in files) <= 80
    folder = files[0].parent
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "tests")]
    said = subprocess.run(command, cwd=folder, env=_environment(folder), capture_output=True, text=True)
    assert said.returncode == 0, said.stdout[-800:]
    assert f'[project.entry-points."parley.{"memories" if kind == "memory" else kind + "s"}"]' in files[1].read_text()


def _environment(folder: Path) -> dict[str, str]:
    paths = [str(folder), str(Path(parley.__file__).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    return tiny_language_model(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize(
    "kind", [kind if kind == "planner" else pytest.param(kind, marks=pytest.mark.slow) for kind in OBJECTS]
)
def test_it_runs_is_killed_and_goes_on(made, kind, tmp_path, tiny_model):
    folder = made[kind][0].parent
    options = [part.format(model=tiny_model) for part in USED[kind]]
    sizes = ["--episodes", "8" if kind == "memory" else "200", "--runs", "2", "--seed", "3", "--record", "steps"]
    environment = _environment(folder)

    def call(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([*PARLEY, *arguments], cwd=folder, env=environment, capture_output=True, text=True)

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    said = call("run", *options, *sizes, "--out", str(whole), "--json")
    assert said.returncode == 0, said.stdout + said.stderr
    process = subprocess.Popen([*PARLEY, "run", *options, *sizes, "--out", str(killed)], cwd=folder, env=environment)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None and not _some_steps(killed):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if json.loads((killed / "manifest.json").read_text())["status"] != "finished":
        environment["XDG_STATE_HOME"] = str(tmp_path / "somebody else")
        refused = call("resume", str(killed), "--json")
        assert refused.returncode == 2 and f"import 'my_{kind}:" in json.loads(refused.stdout)["error"]
        del environment["XDG_STATE_HOME"]
    assert call("resume", str(killed)).returncode == 0
    assert tables_of(killed) == tables_of(whole)
    assert call("report", str(whole)).returncode == 0
    manifest = json.loads((whole / "manifest.json").read_text())
    assert manifest["code"][kind]["code"].startswith("my_") and len(manifest["code"][kind]["sha256"]) == 64
    assert f"my_{kind}" in json.dumps(answers_in((whole / "report.html").read_bytes()))


def _some_steps(out: Path) -> bool:
    try:
        return bool(parley.open(out).frame("episodes").num_rows)
    except parley.ParleyError:
        return False


@pytest.mark.parametrize(
    "kind, name, said",
    [
        ("hat", "my-hat", "kind='hat'"),
        *(
            ("planner", name, "expected lower-case letters")
            for name in ("x" * 300, *"My Planner|class|../out|3d|-x|my-||naïve|a.b|a\n|a\0b".split("|"))
        ),
        *(("planner", name, "has that name already") for name in ("exact", "parley", "parley-rl", "json", "tests")),
        ("world", "household", "has that name already"),
        ("planner", "my-planner", "exists already"),
    ],
)
def test_what_cannot_be_made(kind, name, said, made):
    with pytest.raises(BadInput, match=said):
        scaffold(kind, name, made["planner"][0].parents[1])
