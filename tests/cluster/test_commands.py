"""`--on`, `resume` and `merge` as a user meets them; the engine is one that works in this process."""

import json

import pytest

import parley
from parley.cli import main
from parley.core.errors import BadInput
from tests.cluster.serial import Serial, all_of
from tests.cluster.test_units import Stops

ASKED = ["--world", "household", "--episodes", "4", "--runs", "6", "--cohort", "2", "--seed", "3"]


@pytest.fixture
def engines(monkeypatch):
    """The engines that are made next, by name."""
    made = {"ray": Serial(seed=1), "ray://head:10001": Serial(seed=2)}

    def engine(on: str):
        made[on].name = on
        return made[on]

    for module in ("cli.running", "cli.laboratory", "cluster.driver", "api.running"):
        monkeypatch.setattr(f"parley.{module}.engine_of", engine)
    return made


def answer(capsys, *command: str) -> dict:
    assert main([*command, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_run_is_carried_out_shown_and_merged(tmp_path, engines, capsys):
    one, many = str(tmp_path / "one"), str(tmp_path / "many")
    here = answer(capsys, "run", *ASKED, "--out", one)
    there = answer(capsys, "run", *ASKED, "--out", many, "--on", "ray")
    assert {**there, "out": one} == here
    (shown,) = answer(capsys, "show", many)
    assert shown["regret"] == here["regret"] and shown["status"] == "finished"
    listed = answer(capsys, "list", "runs", "--under", str(tmp_path))
    assert [row["run"] for row in listed] == [many, one]
    assert answer(capsys, "merge", many) == {"out": many, "status": "finished"}
    assert all_of(tmp_path / "many") == all_of(tmp_path / "one")
    assert main(["merge", many]) == 2 and "nothing to merge" in capsys.readouterr().err


@pytest.mark.parametrize(("on", "again"), [("ray", []), ("ray://head:10001", ["--on", "ray://head:10001"])])
def test_resume_goes_on_where_the_run_was(tmp_path, engines, capsys, on, again):
    one, many = str(tmp_path / "one"), str(tmp_path / "many")
    here = answer(capsys, "run", *ASKED, "--out", one)
    engines[on] = Stops(1)
    assert main(["run", *ASKED, "--out", many, "--on", on]) == 130
    engines[on] = Serial()
    assert main(["resume", many, "--set", "budget=100", *(again or ["--on", on])]) == 2
    capsys.readouterr()
    if again:
        assert main(["resume", many]) == 2 and f"say --on {on}" in capsys.readouterr().err
    assert answer(capsys, "resume", many, *again)["regret"] == here["regret"]
    assert parley.open(many).frame().num_rows == 24


def test_python_takes_names_and_refuses_objects(tmp_path, engines):
    class Told(parley.Hook):
        pass

    about = dict(episodes=4, runs=6, cohort=2, seed=3, progress=False)
    run = parley.run("household", on="ray", out=tmp_path / "r", **about)
    assert run.status == "finished" and not (tmp_path / "r" / "run.sqlite").exists()
    assert run.resume().summary() == run.summary()
    with pytest.raises(BadInput, match="planner is a Python object, which stays in this process"):
        parley.run("household", parley.FunctionPlanner(lambda episodes, menu: menu[0]), on="ray", **about)
    with pytest.raises(BadInput, match="is a Python object"):
        parley.run("household", on="ray", hooks=[Told()], **about)


def test_a_run_file_goes_on_at_its_cells(tmp_path, engines, capsys):
    (tmp_path / "s.toml").write_text(
        'world = "household"\nepisodes = 3\nruns = 4\ncohort = 2\nplanner = ["exact", "posterior-sampling"]\n'
    )
    engines["ray"] = Stops(1)
    assert main(["run", str(tmp_path / "s.toml"), "--on", "ray"]) == 130
    engines["ray"] = Serial()
    capsys.readouterr()
    cells = answer(capsys, "run", str(tmp_path / "s.toml"), "--on", "ray")
    assert len(cells) == 2 and len(parley.open(tmp_path / "s" / "*").paths) == 2


def test_an_experiment_finds_the_same(tmp_path, engines, capsys, monkeypatch):
    from dataclasses import replace

    from parley.experiments.claims import linear_regret

    cells = linear_regret.cells(True)[:2]
    small = [replace(cell, episodes=20, runs=4) for cell in cells]
    monkeypatch.setattr(linear_regret, "cells", lambda quick: small)
    run = ["experiment", "run", "linear-regret", "--quick"]
    here = answer(capsys, *run, "--out", str(tmp_path / "a"))
    there = answer(capsys, *run, "--out", str(tmp_path / "b"), "--on", "ray")
    assert {**there, "figure": here["figure"]} == here
    names = sorted(path.name for path in (tmp_path / "a").glob("cell-*.npz"))
    assert names == sorted(path.name for path in (tmp_path / "b").glob("cell-*.npz")) and len(names) == 2
