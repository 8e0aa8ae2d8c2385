"""Each command on a tiny configuration, and each wrong use: exit codes, one sentence, nothing left behind."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from parley import cli
from parley.report.bars import Bars
from parley.worlds.kit.tabular.world_file import dump_world
from parley.worlds.tabular.shortcut import shortcut
from tests.view.test_page import answers_in


def call(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    try:
        code = cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse
        code = int(stop.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def tiny(capsys, out: Path, *more: object) -> dict:
    arguments = ("run", "--world", "shortcut", "--episodes", 9, "--runs", 3, "--out", out, "--json", *more)
    code, said, _ = call(capsys, *arguments)
    assert code == 0
    return json.loads(said)


def test_a_checkpoint_beyond_its_episodes_is_named_beside_the_answer(capsys, tmp_path):
    """The documents of `shortcut` had 64 episodes."""
    for episodes, beyond in ((64, False), (65, True)):
        options = ("--world", "shortcut", "--planner", "transformer", "--episodes", episodes, "--runs", 1, "--json")
        code, said, error = call(capsys, "run", *options, "--out", tmp_path / str(episodes))
        assert code == 0 and ("warning" in json.loads(said)) == ("is beyond T_p = 64" in error) == beyond
    code, said, error = call(capsys, "resume", tmp_path / "65", "--json")
    assert code == 0 and "warning" in json.loads(said) and "is beyond T_p = 64" in error


def test_run_show_report_resume(capsys, tmp_path):
    answer = tiny(capsys, tmp_path / "r", "--explore", "epsilon-greedy:epsilon=0.3", "--latent", 1)
    assert answer["record"] == "steps" and answer["episodes"] == 9 and answer["regret"] > 0
    code, said, _ = call(capsys, "show", tmp_path / "r", "--json")
    assert code == 0 and json.loads(said)[0]["runs"] == 3
    code, said, _ = call(capsys, "show", tmp_path / "r", "--episode", 2, "--of-run", 1, "--json")
    assert code == 0 and [step["step"] for step in json.loads(said)] == [1, 2, 3]
    code, said, _ = call(capsys, "report", tmp_path / "r", "--json")
    page = Path(json.loads(said)["page"]).read_bytes()
    assert (
        code == 0 and json.loads(said)["episodes"] == 27 and abs(json.loads(said)["size_mb"] - len(page) / 1e6) < 0.001
    )
    assert [row["world"] for row in answers_in(page)["runs?"]["runs"]] == ["shortcut"]
    assert Path(json.loads(said)["figure"]).read_bytes().startswith(b"\x89PNG")
    code, said, _ = call(capsys, "resume", tmp_path / "r", "--json")
    assert code == 0 and json.loads(said)["status"] == "finished"
    code, said, _ = call(capsys, "show", tmp_path / "r")
    assert code == 0 and "3 x 9" in said
    tiny(capsys, tmp_path / "s", "--world", "treasure")
    code, said, _ = call(capsys, "show", tmp_path / "r", tmp_path / "s")
    assert code == 0 and said.index("shortcut") < said.index("treasure")
    code, said, _ = call(capsys, "report", tmp_path / "r", tmp_path / "s", "--json")
    rows = answers_in(Path(json.loads(said)["page"]).read_bytes())["runs?"]["runs"]
    assert code == 0 and [row["world"] for row in rows] == ["shortcut", "treasure"]


@pytest.mark.parametrize("what", ["worlds", "planners", "explorers"])
def test_lists(capsys, what):
    code, said, _ = call(capsys, "list", what, "--json")
    assert code == 0 and all(row["about"] for row in json.loads(said))
    assert call(capsys, "list", what)[0] == 0


def test_world_files(capsys, tmp_path):
    code, said, _ = call(capsys, "world", "export", "shortcut")
    assert code == 0 and said == dump_world(shortcut())
    path = tmp_path / "mine.json"
    path.write_text(said)
    assert call(capsys, "world", "check", path, "--json")[1].startswith('{"valid": true')
    assert tiny(capsys, tmp_path / "named")["regret"] == pytest.approx(
        tiny(capsys, tmp_path / "file", "--world", path)["regret"]
    )
    path.write_text(said[:200])
    assert call(capsys, "world", "check", path)[0] == 2


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        ("run --world shrtcut --out {}/r", 2, "did you mean 'shortcut'"),
        ("run --world shortcut --planner exect --out {}/r", 2, "did you mean 'exact'"),
        ("run --world shortcut --explore epsilon --out {}/r", 2, "did you mean 'epsilon-greedy'"),
        ("run --world shortcut --out {}/r --episodes 0", 2, "episodes=0"),
        ("run --world shortcut --out {}/r --episodes many", 2, "--episodes"),
        ("run --world shortcut --out {}/r --latent 9", 2, "latent '9'"),
        ("run --world shortcut --planner transformer:checkpoint={} --out {}/r", 2, "no checkpoint of parley's"),
        ("run --world nowhere.json --out {}/r", 2, "nowhere.json"),
        ("run --world shortcut", 2, "--out"),
        ("pretrain --world shortcut --out gs://bucket/c", 2, "gs: names an object store"),
        ("data make --world shortcut --documents 1 --episodes 1 --out s3://b/d", 2, "s3: names an object store"),
        ("resume {}/nothing", 2, "no such run directory"),
        ("show {}", 2, "no manifest.json"),
        ("evaluate nowhere", 2, "what ships is"),
        ("evaluate generated", 2, "unseen-worlds"),
        ("evaluate {}/nothing", 2, "there is no such directory"),
        ("world check {}/nothing.json", 2, "cannot be read"),
        ("world export nothing", 2, "unknown world"),
        ("pretrain --world shortcut --out {}/c --width 7", 2, "width=7"),
        ("sing", 2, "'sing'"),
        ("rnu --world shortcut --out {}/r", 2, "did you mean 'run'"),
        ("list wrlds", 2, "did you mean 'worlds'"),
        ("run --world shortcut --plan exact --out {}/r", 2, "--plan"),
        ("list runs --under {}/nowhere", 2, "no such directory"),
        ("show {}/a {}/b --episode 1", 2, "one run directory"),
        ("run --world team:actors=5 --out {}/r", 2, "2 to 4 Actors"),
        ("run --world forage:actors=4 --out {}/r", 2, "no argument 'actors'"),
        ("run --world team --planner with-expert:actor=3 --out {}/r", 2, "Actors 1 to 2"),
        ("run --world random:actors=4,subgoals=2 --planner exact --out {}/r", 2, "up to 3 Actors"),
    ],
)
def test_wrong_usage_is_one_sentence_and_leaves_nothing(capsys, tmp_path, arguments, code, said):
    found, _, error = call(capsys, *arguments.replace("{}", str(tmp_path)).split())
    assert (found, said in error) == (code, True), error
    assert "Traceback" not in error and not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_world_is_refused(capsys, tmp_path):
    from parley.assemble import shipped

    planner = f"transformer:checkpoint={shipped('household')}"
    code, _, error = call(capsys, "run", "--world", "shortcut", "--planner", planner, "--out", tmp_path / "r")
    assert code == 2 and "trained for world 'household'" in error


def test_an_unwritable_directory(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, error = call(capsys, "run", "--world", "shortcut", "--out", tmp_path / "file" / "r")
    assert code == 2 and "cannot write" in error


def test_a_full_disk_leaves_the_old_page(capsys, tmp_path):
    tiny(capsys, tmp_path / "r")
    assert call(capsys, "report", tmp_path / "r")[0] == 0
    before = (tmp_path / "r" / "report.html").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
        code, _, error = call(capsys, "report", tmp_path / "r")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 1 and "no space left" in error
    assert (tmp_path / "r" / "report.html").read_bytes() == before and not list(tmp_path.glob("r/*.tmp"))


def test_names_in_any_script_and_any_encoding(tmp_path):
    """No warning about letters a figure cannot draw, no failure on a terminal that has only ASCII."""
    world = tmp_path / "家.json"
    world.write_text(dump_world(shortcut()), encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "parley"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for arguments in (
        ["run", "--world", world, "--episodes", "9", "--runs", "3", "--out", tmp_path / "r"],
        ["report", tmp_path / "r"],
        ["show", tmp_path / "r"],
    ):
        done = subprocess.run([*command, *arguments], capture_output=True, env=environment)
        assert done.returncode == 0 and b"Warning" not in done.stderr, done.stderr


def test_a_resumed_bar_begins_where_the_run_stands(capsys, tmp_path, monkeypatch):
    tiny(capsys, tmp_path / "r")
    begun = []
    monkeypatch.setattr(Bars, "begin", lambda self, label, total, done=0: begun.append((total, done)))
    assert call(capsys, "resume", tmp_path / "r")[0] == 0
    assert begun == [(27, 27)]


@pytest.mark.parametrize("arguments", [("show", "{}"), ("run", "--wrld", "x"), ("list", "wrlds"), ("sing",)])
def test_errors_in_json_are_json(capsys, tmp_path, arguments):
    code, said, _ = call(capsys, *(a.replace("{}", str(tmp_path)) for a in arguments), "--json")
    assert code == 2 and json.loads(said)["exit_code"] == 2


def test_list_of_runs(capsys, tmp_path):
    tiny(capsys, tmp_path / "some" / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "manifest.json").write_text("{")
    code, said, _ = call(capsys, "list", "runs", "--under", tmp_path, "--json")
    damaged, whole = json.loads(said)
    assert code == 0 and damaged["status"] == "damaged"
    assert (whole["status"], whole["world"], whole["runs"]) == ("finished", "shortcut", 3)
    code, said, _ = call(capsys, "list", "runs", "--under", tmp_path)
    assert code == 0 and "finished" in said and "damaged" in said


def test_one_episode_in_words(capsys, tmp_path):
    tiny(capsys, tmp_path / "r")
    code, said, _ = call(capsys, "show", tmp_path / "r", "--episode", 2)
    assert code == 0 and re.search(r"proposed [01]\.\d\d (walk on|try the)", said)


def test_nothing_is_cut_in_eighty_columns(capsys, tmp_path):
    tiny(capsys, tmp_path / "r", "--explore", "epsilon-greedy:epsilon=0.3", "--latent", 1)
    _, said, _ = call(capsys, "show", tmp_path / "r")
    assert re.search(r"3 x 9 .* \d\.\d\d ± \d\.\d\d .* \d\.\d\d \[-?\d\.\d\d, -?\d\.\d\d\]", said), said


def test_ctrl_c_saves_and_says_130(capsys, tmp_path, monkeypatch):
    def press(self, label, total, done=0):
        def finished(record, runs):
            raise KeyboardInterrupt

        return finished

    monkeypatch.setattr(Bars, "begin", press)
    code, _, error = call(capsys, "run", "--world", "shortcut", "--out", tmp_path / "r")
    assert code == 130 and "resume" in error
    monkeypatch.undo()
    assert call(capsys, "resume", tmp_path / "r")[0] == 0


def test_quickstart(capsys, tmp_path, monkeypatch):
    from parley.experiments import quickstart

    monkeypatch.setattr(quickstart, "RUNS", 4)
    monkeypatch.setattr(quickstart, "WORLDS", (("shortcut", "1", 8), ("household", None, 3)))
    code, said, error = call(capsys, "quickstart", "--out", tmp_path / "q", "--figure", tmp_path / "f.png")
    assert code == 0 and "exact oracle" in said and error.startswith("A pretrained transformer")
    assert (tmp_path / "f.png").stat().st_size > 10_000


def test_models_as_files(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "parley" / "models").mkdir(parents=True)
    (tmp_path / "parley" / "models" / "made.gguf").write_bytes(b"GGUF")
    code, said, _ = call(capsys, "models", "--json")
    found = json.loads(said)
    assert code == 0 and [one["name"] for one in found["models"]] == ["smollm2", "gemma3"]
    assert [(Path(one["path"]).name, one["bytes"]) for one in found["made"]] == [("made.gguf", 4)]
    code, said, _ = call(capsys, "models")
    assert code == 0 and "smollm2" in said and "Apache-2.0" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "expected either --data, chat examples, or --world generated"),
        (("--world", "generated", "--data", "d"), "expected either --data"),
        (("--world", "generated", "--steps", 3), "--steps: is no option of --world generated"),
        (("--data", "d", "--page", 64), "--page: is no option of --data"),
    ],
)
def test_two_ways_of_tuning_are_not_mixed(capsys, tmp_path, options, said):
    code, _, err = call(capsys, "finetune", "--model", "smollm2", "--out", tmp_path / "out", *options)
    assert code != 0 and said in " ".join(err.split()) and not (tmp_path / "out").exists()


def test_a_part_that_prints_leaves_the_answer_whole(capsys, tmp_path, monkeypatch):
    (tmp_path / "talks.py").write_text(
        "from parley.planners.scripted import RandomPlanner\n"
        "class Planner(RandomPlanner):\n"
        "    def hear(self, said):\n"
        "        print('I hear')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    sizes = ["--planner", "talks:Planner", "--episodes", "2", "--runs", "2", "--out", str(tmp_path / "run")]
    assert cli.main(["run", "--world", "shortcut", *sizes, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["episodes"] == 2 and "I hear" in said.err
