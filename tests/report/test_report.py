"""Tables, figures and the page: the numbers are right, and text stays text."""

import json
import re

import numpy as np
from rich.console import Console

from parley.core.text import inert
from parley.execute import RunConfig, run
from parley.report.page import report_page
from parley.report.summary import Curves, log_log_slope
from parley.report.tables import summary_table
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.world_file import dump_world

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
        assert abs(log_log_slope(regret)[0] - power) < 1e-6
    assert log_log_slope(np.zeros((5, 100))) == (None, None, None)
    noisy = np.random.default_rng(0).exponential(size=(50, 400))
    slope, low, high = log_log_slope(noisy)
    assert low < slope < high and abs(slope - 1) < 0.05


def test_summary_agrees_with_the_log(tmp_path):
    run(RunConfig("shortcut", "exact", "epsilon-greedy:epsilon=0.3", episodes=20, runs=30), tmp_path / "r")
    curves = Curves.read(tmp_path / "r")
    summary = curves.summary()
    total = curves.values.sum(axis=1)
    assert summary.regret == total.mean() and summary.measure == "expected regret"
    assert abs(summary.regret_half_width - 1.96 * total.std(ddof=1) / np.sqrt(30)) < 1e-12
    assert 0.15 < summary.explored < 0.45


def test_text_from_worlds_is_inert_on_the_page_and_in_the_terminal(tmp_path):
    nasty_world(tmp_path / "w.json")
    run(RunConfig(str(tmp_path / "w.json"), "exact", episodes=3, runs=2), tmp_path / "r")
    page = report_page([tmp_path / "r"])
    assert page.count("<script") == 2 and "alert(1)</script>" not in page and "{{" not in page.replace("{{ 7", "")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))
    assert NASTY in data[0]["episodes"][0]["steps"][0]["observation"]
    console = Console(record=True, width=200, file=open(tmp_path / "screen", "w"))
    with console.file:
        console.print(summary_table([Curves.read(tmp_path / "r", label=NASTY).summary()], NASTY))
    shown = (tmp_path / "screen").read_text()
    assert "\x1b" not in shown and "\u202e" not in shown and "[bold]" in shown


def test_inert_text():
    assert inert("plain, süß 見る") == "plain, süß 見る"
    assert inert("a\x00b\r\n\u202e") == "a\\x00b\\r\\n\\u202e"
    assert len(inert("x" * 10_000)) < 600


def test_a_run_without_steps_still_has_a_page(tmp_path):
    run(RunConfig("treasure", "exact", episodes=10, runs=4, record="episodes"), tmp_path / "r")
    assert '"episodes": []' in report_page([tmp_path / "r"])
