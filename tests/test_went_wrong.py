"""A run that went wrong says so: at its end, when it is shown, and by its exit code where nothing could be used."""

import json

import pytest

from parley.cli import main
from parley.core.calls import RunPaused
from parley.execute import resume, run
from parley.report.tables import invalid_line
from parley.runs.ledger import Limits
from tests.talker import Talker, chance, config, letter_by_chance


@pytest.mark.parametrize(
    ("totals", "says"),
    [
        ({}, ""),
        ({"decisions": 100, "invalid": 5}, ""),
        ({"decisions": 100, "invalid": 6}, "6 of 100 decisions (6%) rest on no usable answer"),
        ({"decisions": 1000, "invalid": 999}, "999 of 1,000 decisions"),
        ({"decisions": 100, "invalid": 100}, "no answer of the planner could be used: all 100 proposals were uniform"),
    ],
)
def test_from_which_share_on_it_is_said(totals, says):
    line = invalid_line(totals, "runs/a")
    assert line.startswith(says) and bool(line) == bool(says) and "\n" not in line


@pytest.mark.parametrize("record", ["steps", "episodes"])
@pytest.mark.parametrize(("share", "code"), [(0.0, 0), (0.3, 0), (1.0, 1)])
def test_the_command_line_says_it(tmp_path, capsys, record, share, code):
    def answer(text: str, seed: int) -> str:
        return "fly to the moon" if chance(text, "valid") < share else letter_by_chance(text, seed)

    with Talker(answer=answer) as talker:
        spec, out = config(talker, "parse", more=",reasks=0").planner, str(tmp_path / "run")
        command = [
            "run",
            "--world",
            "shortcut",
            "--planner",
            spec,
            "--runs",
            "3",
            "--episodes",
            "8",
            "--record",
            record,
        ]
        assert main([*command, "--out", out]) == code
    said = capsys.readouterr()
    assert ("rest on no usable answer" in said.err) == (share == 0.3)
    assert ("no answer of the planner could be used" in said.err) == (share == 1)
    assert main(["show", out]) == 0
    assert ("usable answer" in capsys.readouterr().out) == (share == 0.3)
    totals = json.loads((tmp_path / "run/manifest.json").read_text())["totals"]
    assert totals.get("decisions", 72) == 72 and ("invalid" in totals) == (share > 0)
    assert main(["resume", out, "--json"]) == code


@pytest.mark.parametrize("record", ["steps", "episodes"])
def test_a_run_in_parts_is_judged_as_a_whole(tmp_path, record):
    answers = ["fly to the moon"]
    with Talker(answer=lambda text, seed: answers[-1] or letter_by_chance(text, seed)) as talker:
        cfg = config(talker, "parse", runs=1, episodes=12, more=",reasks=0", record=record)
        with pytest.raises(RunPaused):
            run(cfg, tmp_path / "run", limits=Limits(tokens=1500))
        answers.append("")
        done = resume(tmp_path / "run")
    totals = done["totals"]
    assert 0 < totals["invalid"] < totals["decisions"] and (record == "episodes" or totals["decisions"] == 36)


def test_other_planners_are_not_accused(tmp_path, capsys):
    out = str(tmp_path / "run")
    assert (
        main(["run", "--world", "shortcut", "--planner", "random", "--episodes", "3", "--runs", "2", "--out", out]) == 0
    )
    assert "usable" not in capsys.readouterr().err
    assert "invalid" not in json.loads((tmp_path / "run/manifest.json").read_text())["totals"]
