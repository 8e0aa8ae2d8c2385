"""Ctrl-C and SIGTERM: the first one saves and says so, the second one ends at once; a cut file costs itself alone."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from parley.execute import RunConfig
from parley.experiments.base import _measured, cell_name

ENDLESS = ["run", "--world", "shortcut", "--planner", "exact", "--episodes", "1000000", "--record", "steps"]


def begun(out, *arguments):
    """A command that has committed some episodes."""
    process = subprocess.Popen([sys.executable, "-m", "parley", *arguments, "--out", str(out)], stderr=subprocess.PIPE)
    for _ in range(1200):
        if (out / "manifest.json").exists() and (out / "run.sqlite-wal").exists():
            break
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    time.sleep(0.3)
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_first_signal_saves_what_was_finished(number, code, tmp_path):
    process = begun(tmp_path / "r", *ENDLESS)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code and b"interrupted; what was finished is saved" in said
    assert b"Traceback" not in said
    assert json.loads((tmp_path / "r" / "manifest.json").read_text())["status"] == "interrupted"


def test_the_second_signal_ends_at_once(tmp_path):
    held = "import sys, time\nfrom parley.cli import signals\nwith signals.heeded():\n" + (
        "    try:\n        print('ready', flush=True)\n        time.sleep(60)\n"
        "    finally:\n        print('saving', flush=True)\n        time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", held], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == b"saving\n"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 143 and said == b""


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    code = "import os, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nfrom parley.cli import signals\n" + (
        "with signals.heeded() as came:\n    os.kill(os.getpid(), signal.SIGINT)\nprint(came)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


class Counted:
    """An experiment whose cells count how often they are measured."""

    NAME, CLAIM = "counted", "it is counted"

    def __init__(self):
        self.times = 0

    def measure(self, config, bar):
        self.times += 1
        return np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_cell_that_was_cut_costs_that_cell(kept, tmp_path):
    experiment, config = Counted(), RunConfig("shortcut", episodes=3, runs=2)
    begin = lambda label, total: None  # noqa: E731
    first = _measured(experiment, config, tmp_path, begin)
    assert (_measured(experiment, config, tmp_path, begin) == first).all() and experiment.times == 1
    path = tmp_path / cell_name(config)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert (_measured(experiment, config, tmp_path, begin) == first).all() and experiment.times == 2
    assert path.read_bytes() == whole and not list(tmp_path.glob(".*"))
