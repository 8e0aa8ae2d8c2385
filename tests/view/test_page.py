"""The report: the viewer's answers in one file; what it holds is what the logs say, and text stays text."""

import base64
import gzip
import hashlib
import json
import re
import shutil
import sqlite3

import numpy as np
import pytest

from parley import assemble
from parley.cli import main
from parley.core.errors import RunDamaged
from parley.core.text import inert
from parley.execute import RunConfig, run
from parley.report.searches import shown_search
from parley.report.summary import reading
from parley.runs.directory import read_manifest
from parley.view.grid import Grid
from parley.view.page import held, notable, report_page
from tests.report.test_report import NASTY, nasty_world


def answers_in(page: bytes) -> dict:
    """What a page holds, as the front end reads it."""
    packed = re.search(rb'<script type="text/plain" id="answers">([^<]*)</script>', page)[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def test_a_page_is_one_file_that_runs_nothing_but_the_front_end(tmp_path):
    """Its policy names the hashes of the script and the style in it; everything else is data, packed."""
    nasty_world(tmp_path / "w.json")
    run(RunConfig(str(tmp_path / "w.json"), "exact", episodes=3, runs=2), tmp_path / "r")
    page = report_page([tmp_path / "r"])
    text = page.decode()
    assert text.count("<script") == 2 and text.count("</script>") == 2 and "alert(1)" not in text
    script = re.search(r'<script type="module">(.*?)</script>', text, re.S)[1]
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    for part in (script, style):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert not re.search(r"(src|href)=\"?(https?:)?//", text)
    episode = answers_in(page)[f"episode?episode=0&id={inert(str(tmp_path / 'r'))}&run=0"]
    assert inert(NASTY) in episode["steps"][0]["observation"]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", json.dumps(answers_in(page), ensure_ascii=False))


def test_a_page_holds_what_the_front_end_asks(tmp_path):
    """Keys are spelt as viewer/src/api.ts spells them; the browser tests hold the two together."""
    for name, explore in (("a", "none"), ("b", "epsilon-greedy:epsilon=0.5")):
        run(RunConfig("shortcut", "exact", explore, episodes=4, runs=2), tmp_path / name)
    outs = [tmp_path / "a", tmp_path / "b"]
    answers = answers_in(report_page(outs, [[(0, 1)], None]))
    a, b = (str(out) for out in outs)
    assert [row["id"] for row in answers["runs?"]["runs"]] == [a, b] or len(answers["runs?"]["runs"]) == 2
    assert f"episode?episode=1&id={a}&run=0" in answers and f"episode?episode=0&id={a}&run=0" not in answers
    assert held(answers) == 1 + 8
    assert f'compare?ids=["{a}","{b}"]&metric=regret&way=cumulative' in answers
    assert f"heat?columns=600&id={b}&metric=regret&order=run" in answers
    assert f"episodes?id={b}&only=explored&sort=worst" in answers and f"first?event=explored&id={b}" in answers
    assert answers[f"beliefs?episode=1&id={a}&run=0"]["latents"]
    assert "takes 8 at least" in answers[f"diagnosis?id={a}"]["refused"]
    assert report_page(outs, [[(0, 1)], None]) == report_page(outs, [[(0, 1)], None])  # the same bytes again


def test_the_episodes_that_fit_are_the_notable_ones(tmp_path):
    run(RunConfig("shortcut", "exact", "epsilon-greedy:epsilon=0.1", episodes=200, runs=4, seed=1), tmp_path)
    grid = Grid(read_manifest(tmp_path))
    grid.fill(tmp_path)
    assert len(notable(grid, 10_000)) == 800
    some = notable(grid, 300)
    values = grid.of("expected_regret", np.arange(4), 200)
    assert len(some) == 100 == len(set(some))
    assert some[0] == divmod(int(values.argmax()), 200)
    assert {(r, 0) for r in range(4)} | {(r, 199) for r in range(4)} <= set(some)
    assert {(r, int(grid.explored[r].argmax())) for r in range(4)} <= set(some)


def test_the_trace_of_several_actors(tmp_path):
    run(RunConfig("random:actors=2,subgoals=2", "exact", episodes=3, runs=2), tmp_path / "r")
    shown = answers_in(report_page([tmp_path / "r"]))[f"episode?episode=2&id={tmp_path / 'r'}&run=1"]
    with reading(tmp_path / "r") as reader:
        logged = reader.trace(1, 2)
    for step, row in zip(shown["steps"], logged, strict=True):
        assert step["subgoal"] == json.loads(row["subgoal"]) and len(step["actors"]) == 2
        for k, actor in enumerate(step["actors"]):
            assert [bar["said"] for bar in actor["bars"] if bar["chosen"]] == [step["subgoal"][k]]
    assert shown["steps"][-1]["next_observation"] == logged[-1]["next_observation"]


def test_a_run_that_is_measured_by_its_scores(tmp_path):
    """The curve that the front end asks for is held, and the worst episodes are those with the lowest scores."""
    run(RunConfig("tests.worlds.odd:doors", "random", episodes=12, runs=4, seed=1), tmp_path / "r")
    answers = answers_in(report_page([tmp_path / "r"]))
    curve = answers[f'compare?ids=["{tmp_path / "r"}"]&metric=score&way=cumulative']["curves"][0]
    assert curve["x"] == list(range(1, 13)) and 0 < curve["total"] < 1
    grid = Grid(read_manifest(tmp_path / "r"))
    grid.fill(tmp_path / "r")
    kept = notable(grid, room=70)
    assert len(kept) == 7 and all(grid.numbers["score"][cell] == 0 for cell in kept)


def test_a_run_of_which_only_later_cohorts_finished_anything(tmp_path):
    """Cohorts go their own way: what is read is told by run number, not by position."""
    run(RunConfig("shortcut", "exact", episodes=4, runs=4, cohort=2, seed=3), tmp_path / "r")
    whole = answers_in(report_page([tmp_path / "r"]))
    with sqlite3.connect(tmp_path / "r" / "run.sqlite") as db:
        db.execute("DELETE FROM episodes WHERE run < 2")
    db.close()
    part = answers_in(report_page([tmp_path / "r"]))
    kept = {key for key in whole if key.startswith("episode?") and not key.endswith(("run=0", "run=1"))}
    assert {key for key in part if key.startswith("episode?")} == kept
    assert all(part[key] == whole[key] for key in kept)


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
    damaged("config", put(config={}))
    damaged("latents", put(latents=3))
    damaged("format", put(format="parley-run/9"))


def test_a_subgoal_that_is_on_no_menu_is_shown_as_such(tmp_path):
    """The log is shown as it is: what was executed is said, and that the menu does not have it."""
    run(RunConfig("shortcut", "exact", episodes=4, runs=1), tmp_path / "r")
    with sqlite3.connect(tmp_path / "r" / "run.sqlite") as db:
        db.execute("UPDATE steps SET subgoal = 'dance'")
    db.close()
    shown = answers_in(report_page([tmp_path / "r"]))[f"episode?episode=0&id={tmp_path / 'r'}&run=0"]
    assert shown["steps"][0]["subgoal"] == ["dance"] and shown["steps"][0]["actors"][0]["off_menu"] == "dance"


def test_runs_that_have_finished_nothing_or_kept_no_steps(tmp_path):
    run(RunConfig("shortcut", "exact", episodes=2, runs=2), tmp_path / "r")
    with sqlite3.connect(tmp_path / "r" / "run.sqlite") as db:
        db.execute("DELETE FROM episodes")
    db.close()
    assert held(answers_in(report_page([tmp_path / "r"]))) == 0
    run(RunConfig("treasure", "exact", episodes=10, runs=4, record="episodes"), tmp_path / "e")
    answers = answers_in(report_page([tmp_path / "e"]))
    assert answers[f"episode?episode=3&id={tmp_path / 'e'}&run=0"]["steps"] == []
    assert answers[f"heat?columns=600&id={tmp_path / 'e'}&metric=regret&order=run"]["cells"]


def test_a_search_tree_on_the_page(tmp_path, capsys):
    """The same search again, from the log: its best subgoal is what was done, and text of the world stays text."""
    nasty_world(tmp_path / "w.json")
    out = tmp_path / "r"
    run(RunConfig(str(tmp_path / "w.json"), "world-model:model=exact,budget=20", episodes=3, runs=2), out)
    assert main(["report", str(out), "--tree", "1:2:2,0:0:1", "--episodes", "0:1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    page = (out / "report.html").read_bytes()
    answers = answers_in(page)
    assert page.count(b"<script") == 2 and said["episodes"] == held(answers) == 3
    assert abs(said["size_mb"] - len(page) / 1e6) < 0.001
    tree = answers[f"tree?episode=2&id={out}&run=1&step=2"]
    with assemble.retold(out, 1, 2, 2) as planner:
        assert tree == json.loads(json.dumps(shown_search(planner, "run 1, episode 2, step 2")))
    for wrong in ("1:2", "1:2:9", "7:0:1", "a:b:c"):
        assert main(["report", str(out), "--tree", wrong]) == 2
    for wrong in ("1", "7:0", "0:9", "0:0:0"):
        assert main(["report", str(out), "--episodes", wrong]) == 2
    run(RunConfig("shortcut", "exact", episodes=2, runs=1), tmp_path / "other")
    assert main(["report", str(tmp_path / "other"), "--tree", "0:0:1"]) == 2
    assert "does not search" in " ".join(capsys.readouterr().err.split())


def test_the_size_is_said_before_the_page_is_written(tmp_path, capsys):
    run(RunConfig("shortcut", "exact", episodes=2, runs=1), tmp_path / "r")
    assert main(["report", str(tmp_path / "r"), "--out", str(tmp_path / "no" / "such" / "place" / "p.html")]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"p\.html: 0\.\d MB, with the steps of 2 episodes", said)
