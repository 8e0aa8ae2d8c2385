"""One world, one room: delete its folder and its line, and everything else goes on."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import parley
from parley.assemble.worlds import WORLDS

SOURCE = Path(parley.__file__).parent
# The folder of a room, and the worlds in it.
ROOMS = {
    "house": ("house",),
    "household": ("household",),
    "keys": ("keys",),
    "quest": ("quest",),
    "sorter/floor": ("sorter-floor",),
    "sorter": ("sorter", "sorter-floor"),
    "forage": ("forage",),
}
CHECK = """
import parley, json, sys
from parley import assemble
run = parley.run("weather", "transformer", "epsilon-greedy:epsilon=0.1", episodes=1, runs=2, out=sys.argv[1])
print(json.dumps({"worlds": list(assemble.WORLDS), "status": run.status, "shipped": assemble.shipped_names(),
                  "lines": [kind.line for kind in assemble.WORLDS.values()]}))
"""


def test_a_room_holds_all_of_its_world():
    for room in ROOMS:
        names = {path.name for path in (SOURCE / "worlds" / room).iterdir()}
        assert {"tables.py", "environment.py", "actor.py", "reporter.py", "world.py", "checkpoints"} <= names, room


@pytest.fixture(scope="module")
def imports():
    """Who imports whom, within functions too."""
    return grimp.build_graph("parley", cache_dir=None)


@pytest.mark.parametrize("room", ROOMS)
def test_nobody_else_imports_a_room(room, imports):
    package = f"parley.worlds.{room.replace('/', '.')}"
    inner = {package, *imports.find_descendants(package)}
    importers = {by for module in inner for by in imports.find_modules_that_directly_import(module)}
    assert importers - inner == set()


@pytest.mark.parametrize(
    "room", [room if room in ("sorter", "quest") else pytest.param(room, marks=pytest.mark.slow) for room in ROOMS]
)
def test_a_room_can_be_taken_away(room, tmp_path):
    copy = tmp_path / "src" / "parley"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors.tmp"))
    shutil.rmtree(copy / "worlds" / room)
    lines = copy / "assemble" / "worlds.py"
    text = lines.read_text()
    for name in ROOMS[room]:
        text, count = re.subn(rf'^ +"{name}": Kind\(.*\),\n', "", text, flags=re.M)
        assert count == 1, name
    lines.write_text(text)
    said = subprocess.run(
        [sys.executable, "-c", CHECK, str(tmp_path / "run")],
        capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path / "src"), "PATH": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert said.returncode == 0, said.stderr[-800:]
    found = json.loads(said.stdout.splitlines()[-1])
    assert not set(ROOMS[room]) & {*found["worlds"], *found["shipped"]} and found["status"] == "finished"
    assert set(found["worlds"]) == set(WORLDS.ours) - set(ROOMS[room]) and all(found["lines"])
