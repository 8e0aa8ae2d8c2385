"""Run directories, world files and checkpoints with anything in them: an exit code, one sentence, in time and memory.

Each case is one change, drawn by its number: bytes of a file, a value within JSON, or a cell of a table.
"""

import importlib
import json
import random
import resource
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from parley import assemble
from parley.cli import main
from parley.execute import RunConfig, run
from parley.worlds.kit.tabular.world_file import dump_world
from parley.worlds.tabular.shortcut import shortcut

# Weights that were changed may be huge; what comes of them is refused, or a proposal.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
SECONDS, MEMORY = 10.0, 1 << 30
ODD = [
    None,
    True,
    -1,
    0,
    10**9,
    10**30,
    2**63,
    1e400,
    float("nan"),
    0.5,
    "",
    "x" * 100_000,
    "\ud800",
    "$x$",
    "../../etc",
]
ODD += [
    "\x1b[31m",
    "a\x00b",
    [],
    {},
    [[]],
    [[[[[[[[[]]]]]]]]],
    {"a": 1},
    [1] * 10_000,
    [float("inf")],
    ["a", "a"],
    "1e9",
]
QUICK, KINDS = 30, {"run": 400, "world file": 300, "checkpoint": 300}


def change_bytes(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    how = rng.randrange(5)
    at = rng.randrange(len(content) + 1) if rng.random() < 0.5 else rng.randrange(min(len(content), 200) + 1)
    if how == 0:
        del content[at:]
    elif how == 1:
        content[at:at] = rng.randbytes(rng.choice([1, 8, 4096]))
    elif how == 2:
        del content[at : at + rng.choice([1, 8, 4096])]
    elif content:
        for _ in range(rng.choice([1, 4, 64])):
            content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(bytes(content))


def change_json(path: Path, rng: random.Random) -> None:
    told = json.loads(path.read_text())
    inside, key = told, None
    for _ in range(rng.randint(1, 6)):
        keys = (
            list(inside) if isinstance(inside, dict) else list(range(len(inside))) if isinstance(inside, list) else []
        )
        if not keys:
            break
        above, key = inside, rng.choice(keys)
        inside = above[key]
    if key is not None and rng.random() < 0.2:
        del above[key]
    elif key is not None:
        above[key] = rng.choice(ODD)
    path.write_text(json.dumps(told), encoding="utf-8", errors="surrogatepass")


def change_cell(path: Path, rng: random.Random) -> None:
    db = sqlite3.connect(path)
    with db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = rng.choice(sorted(tables))
        if rng.random() < 0.1:
            db.execute(f"DROP TABLE {table}")
        else:
            column = rng.choice([row[1] for row in db.execute(f"PRAGMA table_info({table})")])
            values = [
                None,
                -1,
                10**18,
                1e308,
                "x",
                "",
                b"\xff\xfe",
                "[NaN]",
                "[1e999]",
                "[" * 5000,
                "{}",
                "x" * 200_000,
            ]
            where = "" if rng.random() < 0.3 else f" WHERE rowid = {rng.randint(1, 12)}"
            db.execute(f'UPDATE OR IGNORE {table} SET "{column}" = ?{where}', (rng.choice(values),))
    db.close()


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A finished run, a world file and a small checkpoint, to be copied."""
    importlib.import_module("transformers")  # seconds, which no file is to blame for
    importlib.import_module("torch")
    folder = tmp_path_factory.mktemp("originals")
    run(RunConfig("shortcut", "exact", episodes=9, runs=2, seed=1, record="steps"), folder / "run")
    (folder / "world.json").write_text(dump_world(shortcut()))
    shutil.copytree(assemble.shipped("shortcut"), folder / "checkpoint")
    return folder


def commands_of(kind: str, originals: Path, place: Path, rng: random.Random) -> list[list[str]]:
    """Change a copy; returns the commands that are to bear it."""
    new = ["--episodes", "2", "--runs", "2", "--out", str(place / "new")]
    if kind == "run":
        shutil.copytree(originals / "run", place / "run")
        file = place / "run" / rng.choice(["manifest.json", "run.sqlite", "run.sqlite", "run.mark"])
        ways = {"manifest.json": [change_json, change_json, change_bytes], "run.sqlite": [change_cell, change_bytes]}
        rng.choice(ways.get(file.name, [change_bytes]))(file, rng)
        looks = [["show"], ["show", "--episode", "3"], ["diagnose"], ["diagnose", "--without-tables"], ["resume"]]
        return [[look[0], str(place / "run"), *look[1:]] for look in rng.sample(looks, 2)]
    if kind == "world file":
        shutil.copy(originals / "world.json", place)
        rng.choice([change_json, change_json, change_json, change_bytes])(place / "world.json", rng)
        return [["world", "check", str(place / "world.json")], ["run", "--world", str(place / "world.json"), *new]]
    shutil.copytree(originals / "checkpoint", place / "checkpoint")
    file = rng.choice(sorted((place / "checkpoint").glob("*.json")) + [place / "checkpoint" / "model.safetensors"])
    (change_json if file.suffix == ".json" and rng.random() < 0.7 else change_bytes)(file, rng)
    return [["run", "--world", "shortcut", "--planner", f"transformer:checkpoint={place / 'checkpoint'}", *new]]


def bear(kind: str, number: int, originals: Path, place: Path, capsys) -> None:
    """Raise where a command needs too long or too much, ends in a traceback, or says no sentence."""
    place.mkdir()
    for arguments in commands_of(kind, originals, place, random.Random(f"{kind} {number}")):
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        code = main(arguments)
        said = capsys.readouterr()
        spent = time.process_time() - began
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        where = f"{kind} {number}: parley {' '.join(arguments)}: {said.err[-500:]}"
        assert code in (0, 1, 2) and "Traceback" not in said.err and (code == 0 or "parley:" in said.err), where
        assert spent < SECONDS and grown < MEMORY, f"{spent:.1f} s, {grown / 1e6:.0f} MB: {where}"
    shutil.rmtree(place)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Another user's place, and an alarm for what hangs."""

    def late(number, frame):
        raise TimeoutError("it hangs")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGALRM, late)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_in_a_file_is_borne(kind, originals, elsewhere, capsys):
    for number in range(QUICK):
        signal.alarm(120)
        bear(kind, number, originals, elsewhere / "it", capsys)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_in_a_file_is_borne_at_length(kind, originals, elsewhere, capsys):
    for number in range(QUICK, KINDS[kind]):
        signal.alarm(120)
        bear(kind, number, originals, elsewhere / "it", capsys)
