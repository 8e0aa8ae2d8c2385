"""A signal at every line of the code that begins and ends a run: its manifest says how it ended, and it goes on."""

import json
import shutil
import signal
import sys
from linecache import getline
from pathlib import Path

import pytest

from parley import execute
from parley.cli.signals import heeded
from parley.execute import RunConfig, resume, run
from parley.runs import directory, ended, ledger, lock, store, transactions
from tests.helpers import tables_of

CONFIG = RunConfig("shortcut", "exact", episodes=2, runs=1, record="steps")
# At whose lines a signal comes. Before the run directory is there, nothing can be left half done.
FILES = {module.__file__ for module in (execute, store, directory, transactions, lock, ended, ledger)}


def signalled(act, out: Path, at: int, number: int) -> str | None:
    """Act, with a signal at the line that is the `at`th to be reached first; returns it, None where there are less."""
    seen: set[tuple[str, int]] = set()
    came: list[str] = []

    def line(frame, event, _):
        place = (frame.f_code.co_filename, frame.f_lineno)
        heard = event == "line" and getline(*place).strip() != "try:"  # Python hears no signal where nothing is called
        if heard and place not in seen and (out / "manifest.json").exists():
            seen.add(place)
            if len(seen) == at + 1:
                came.append(f"{Path(place[0]).name}:{place[1]}")
                signal.raise_signal(number)
        return line

    with heeded():
        sys.settrace(lambda frame, event, _: line if frame.f_code.co_filename in FILES else None)
        try:
            act()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
    return came[0] if came else None


def check(resumed, every, tmp_path):
    """Hold the code to it at `every` so many lines."""
    run(CONFIG, tmp_path / "whole")
    begun, out = tmp_path / "begun", tmp_path / "run"

    def stop(record, runs):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(CONFIG, begun, stop)
    found: dict[str, list[str]] = {"interrupted": [], "finished": []}
    for at in range(0, 10_000, every):
        if resumed:
            shutil.copytree(begun, out)
        number = (signal.SIGINT, signal.SIGTERM)[at % 2]
        where = signalled(lambda: resume(out) if resumed else run(CONFIG, out), out, at, number)
        if where is None:
            break
        status = json.loads((out / "manifest.json").read_text())["status"]
        assert status in found, f"{status} after a signal at {where}"
        found[status].append(where)
        assert resume(out)["status"] == "finished" and tables_of(out) == tables_of(tmp_path / "whole"), where
        shutil.rmtree(out)
    assert all(len(places) * every > 20 for places in found.values()), found


@pytest.mark.parametrize("resumed", [False, True], ids=["run", "resume"])
def test_a_signal_leaves_how_the_run_ended(resumed, tmp_path):
    check(resumed, 9, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("resumed", [False, True], ids=["run", "resume"])
def test_a_signal_at_any_line_leaves_how_the_run_ended(resumed, tmp_path):
    check(resumed, 1, tmp_path)
