"""Tables, figures and the page: the numbers are right, and text stays text."""

import io
import json
import re
import sqlite3

import numpy as np
from rich.console import Console

from parley.core.said import EpisodeRecord
from parley.core.text import inert
from parley.execute import RunConfig, run
from parley.report.bars import Bars
from parley.report.summary import Curves, late_slope, reading
from parley.report.tables import proposal_lines, runs_table, summary_table
from parley.worlds.kit.tabular.world_file import dump_world
from parley.worlds.tabular.shortcut import shortcut

NASTY = "</script><script>alert(1)</script> \x1b[31m [bold] {{ 7 * 7 }} $x$ \u202e"


def nasty_world(path) -> None:
    """`shortcut` with a subgoal, an observation and a latent that try to get out."""
    entries = json.loads(dump_world(shortcut()))
    for field in ("observations", "subgoals", "latents", "instructions"):
        entries[field][0] = f"{field} {NASTY}"
    entries["name"] = NASTY
    path.write_text(json.dumps(entries))


def test_slope_of_known_curves():
    t = np.arange(1, 401)
    for power in (0.5, 1.0):
        regret = np.tile(np.diff(t**power, prepend=0), (20, 1))
        assert abs(late_slope(regret)[0] - power) < 1e-6
    assert late_slope(np.zeros((5, 100))) == (None, None, None)
    noisy = np.random.default_rng(0).exponential(size=(50, 400))
    slope, low, high = late_slope(noisy)
    assert low < slope < high and abs(slope - 1) < 0.05


def test_summary_agrees_with_the_log(tmp_path):
    run(RunConfig("shortcut", "exact", "epsilon-greedy:epsilon=0.3", episodes=20, runs=30), tmp_path / "r")
    curves = Curves.read(tmp_path / "r")
    summary = curves.summary()
    total = curves.values.sum(axis=1)
    assert summary.regret == total.mean() and summary.measure == "expected regret"
    assert abs(summary.regret_half_width - 1.96 * total.std(ddof=1) / np.sqrt(30)) < 1e-12
    assert 0.15 < summary.explored < 0.45


def test_text_from_worlds_is_inert_in_the_terminal(tmp_path):
    nasty_world(tmp_path / "w.json")
    run(RunConfig(str(tmp_path / "w.json"), "exact", episodes=3, runs=2), tmp_path / "r")
    console = Console(record=True, width=200, file=open(tmp_path / "screen", "w"))
    with console.file:
        console.print(summary_table([Curves.read(tmp_path / "r", label=NASTY).summary()], NASTY))
        with reading(tmp_path / "r") as reader:
            for step in reader.trace(0, 0):
                console.print(*proposal_lines(step))
    shown = (tmp_path / "screen").read_text()
    assert "\x1b" not in shown and "\u202e" not in shown and "[bold]" in shown


def test_inert_text():
    assert inert("plain, süß 見る") == "plain, süß 見る"
    assert inert("a\x00b\r\n\u202e") == "a\\x00b\\r\\n\\u202e"
    assert len(inert("x" * 10_000)) < 600


def test_bars_fit_eighty_columns():
    """The whole bar is seen: what it is of, how far it is, regret, exploration, time left."""
    screen = io.StringIO()
    with Bars(Console(file=screen, width=80, force_terminal=True)) as bars:
        finished = bars.begin("household: transformer, greedy, no exploration", 8192)
        zeros = np.zeros(64)
        record = EpisodeRecord(0, zeros, zeros == 0, zeros, zeros, zeros + 0.25, 0.0)
        finished(record, 64)
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue()).replace("\r", "\n").splitlines()
    last = [line for line in lines if "64/8192" in line][-1]
    assert re.search(r"^household: transformer.*64/8192 +regret 0\.250 explored 100% +[-0-9:]+ *$", last), last


def test_long_names_fold_where_they_come_apart(tmp_path):
    explore = "epsilon-greedy:epsilon=theory,policy=designed"
    config = RunConfig("treasure:n=8", "exact", explore, episodes=20, runs=2)
    run(config, tmp_path / "r")
    listed = {"run": "runs/first", "status": "finished", **vars(config)}
    for table in (summary_table([Curves.read(tmp_path / "r").summary()], "treasure"), runs_table([listed])):
        console = Console(width=80, file=io.StringIO())
        console.print(table)
        said = console.file.getvalue()
        assert all(whole in said for whole in ("epsilon-greedy:", "epsilon=theory,", "policy=designed"))
        assert explore not in said  # it does not fit, and nothing is left out or cut off


def test_one_run_has_no_interval(tmp_path):
    run(RunConfig("treasure", "exact", episodes=20, runs=1, latent="0"), tmp_path / "r")
    summary = Curves.read(tmp_path / "r").summary()
    assert summary.regret_half_width is None and summary.slope is not None and summary.slope_low is None
    assert "±" not in summary.regret_text and "[" not in summary.slope_text


def test_a_run_that_has_finished_nothing_yet(tmp_path):
    run(RunConfig("shortcut", "exact", episodes=2, runs=2), tmp_path / "r")
    with sqlite3.connect(tmp_path / "r" / "run.sqlite") as db:
        db.execute("DELETE FROM episodes")
    db.close()
    assert Curves.read(tmp_path / "r").summary().runs == 0
