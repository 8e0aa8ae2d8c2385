"""Tables, figures and the page: the numbers are right, and text stays text."""

import io
import json
import re
import shutil
import sqlite3

import numpy as np
import pytest
from parley.report.page import report_page
from rich.console import Console

from parley import assemble, cli
from parley.core.errors import RunDamaged
from parley.core.said import EpisodeRecord
from parley.core.text import inert
from parley.execute import RunConfig, run
from parley.report.bars import Bars
from parley.report.searches import shown_search
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


def test_text_from_worlds_is_inert_on_the_page_and_in_the_terminal(tmp_path):
    nasty_world(tmp_path / "w.json")
    run(RunConfig(str(tmp_path / "w.json"), "exact", episodes=3, runs=2), tmp_path / "r")
    page = report_page([tmp_path / "r"])
    assert page.count("<script") == 2 and "alert(1)</script>" not in page and "{{" not in page.replace("{{ 7", "")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))
    assert inert(NASTY) in data[0]["episodes"][0]["steps"][0]["observation"]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", page + json.dumps(data, ensure_ascii=False))
    console = Console(record=True, width=200, file=open(tmp_path / "screen", "w"))
    with console.file:
        console.print(summary_table([Curves.read(tmp_path / "r", label=NASTY).summary()], NASTY))
    shown = (tmp_path / "screen").read_text()
    assert "\x1b" not in shown and "\u202e" not in shown and "[bold]" in shown


def test_inert_text():
    assert inert("plain, süß 見る") == "plain, süß 見る"
    assert inert("a\x00b\r\n\u202e") == "a\\x00b\\r\\n\\u202e"
    assert len(inert("x" * 10_000)) < 600


def test_the_trace_of_several_actors(tmp_path):
    run(RunConfig("random:actors=2,subgoals=2", "exact", episodes=3, runs=2), tmp_path / "r")
    page = report_page([tmp_path / "r"])
    trace = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))[0]
    with reading(tmp_path / "r") as reader:
        logged = reader.trace(1, 2)
    shown = next(e for e in trace["episodes"] if (e["run"], e["episode"]) == (1, 2))
    for step, row in zip(shown["steps"], logged, strict=False):
        said = [trace["menus"][step["menu"]][k][i] for k, i in enumerate(step["chosen"])]
        assert said == json.loads(row["subgoal"]) and len(step["proposal"]) == 2
        assert [line.startswith("proposed ") for line in proposal_lines(row)] == [True, True]
    assert shown["steps"][-1] == {"observation": logged[-1]["next_observation"]}


def test_a_run_of_which_only_later_cohorts_finished_anything(tmp_path):
    """Cohorts go their own way: what is read is told by run number, not by position."""
    run(RunConfig("shortcut", "exact", episodes=4, runs=4, cohort=2, seed=3), tmp_path / "r")
    whole = json.loads(re.search(r'id="data">(.*?)</script>', report_page([tmp_path / "r"]), re.S).group(1))[0]
    with sqlite3.connect(tmp_path / "r" / "run.sqlite") as db:
        db.execute("DELETE FROM episodes WHERE run < 2")
    part = json.loads(re.search(r'id="data">(.*?)</script>', report_page([tmp_path / "r"]), re.S).group(1))[0]
    assert part["episodes"] == [e for e in whole["episodes"] if e["run"] >= 2]
    db.close()


def test_damaged_runs_are_refused_in_one_sentence(tmp_path):
    run(RunConfig("shortcut", "exact", episodes=4, runs=4), tmp_path / "r")
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text())

    def damaged(name, what):
        shutil.copytree(tmp_path / "r", tmp_path / name)
        what(tmp_path / name)
        with pytest.raises(RunDamaged):
            report_page([tmp_path / name])

    def run_sql(sql):
        def change(out):
            with sqlite3.connect(out / "run.sqlite") as db:
                db.execute(sql)
            db.close()

        return change

    def put(**entries):
        return lambda out: (out / "manifest.json").write_text(json.dumps({**manifest, **entries}))

    damaged("garbage", lambda out: (out / "run.sqlite").write_bytes(b"garbage" * 1000))
    damaged("cut", lambda out: (out / "run.sqlite").write_bytes((out / "run.sqlite").read_bytes()[:9000]))
    damaged("foreign", run_sql("DROP TABLE episodes"))
    damaged("menus", run_sql("UPDATE menus SET subgoals = '[['"))
    damaged("proposals", run_sql("UPDATE steps SET proposal = 'half'"))
    damaged("subgoals", run_sql("UPDATE steps SET subgoal = 'dance'"))
    damaged("config", put(config={}))
    damaged("latents", put(latents=3))
    damaged("format", put(format="parley-run/9"))


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
    assert "±" not in re.sub("<script.*", "", report_page([tmp_path / "r"]), flags=re.S)


def test_a_run_that_has_finished_nothing_yet(tmp_path):
    run(RunConfig("shortcut", "exact", episodes=2, runs=2), tmp_path / "r")
    with sqlite3.connect(tmp_path / "r" / "run.sqlite") as db:
        db.execute("DELETE FROM episodes")
    db.close()
    assert Curves.read(tmp_path / "r").summary().runs == 0
    assert '"episodes": []' in report_page([tmp_path / "r"])


def test_a_run_without_steps_still_has_a_page(tmp_path):
    run(RunConfig("treasure", "exact", episodes=10, runs=4, record="episodes"), tmp_path / "r")
    assert '"episodes": []' in report_page([tmp_path / "r"])


def test_a_search_tree_on_the_page(tmp_path, capsys):
    """The same search again, from the log: its best subgoal is what was done, and text of the world stays text."""
    nasty_world(tmp_path / "w.json")
    out = tmp_path / "r"
    run(RunConfig(str(tmp_path / "w.json"), "world-model:model=exact,budget=20", episodes=3, runs=2), out)
    assert cli.main(["report", str(out), "--tree", "1:2:2,0:0:1", "--json"]) == 0
    page = (out / "report.html").read_text()
    assert page.count("<script") == 2 and "What the planner imagined: run 1, episode 2, step 2" in page
    with assemble.retold(out, 1, 2, 2) as planner:
        shown = shown_search(planner, "here")
    with reading(out) as reader:
        step = reader.trace(1, 2)[1]
    best = max(shown["subgoals"], key=lambda g: g["value"])
    assert step["proposal"][step["menu"].index(step["subgoal"])] > 0 and best["said"] in map(inert, step["menu"])
    top = [g["value"] for g in shown["subgoals"]]
    assert np.isclose(max(top), top[[g["said"] for g in shown["subgoals"]].index(inert(step["subgoal"]))])
    total = sum(o["probability"] for o in best["heard"]) + best["rest"]
    assert total == pytest.approx(1) and 1 < shown["calls"] <= 20
    assert sum(g["visits"] for g in shown["subgoals"]) == shown["calls"] - 1
    capsys.readouterr()
    for wrong in ("1:2", "1:2:9", "7:0:1", "a:b:c"):
        assert cli.main(["report", str(out), "--tree", wrong]) == 2
    run(RunConfig("shortcut", "exact", episodes=2, runs=1), tmp_path / "other")
    assert cli.main(["report", str(tmp_path / "other"), "--tree", "0:0:1"]) == 2
    assert "does not search" in capsys.readouterr().err
