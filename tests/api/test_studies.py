"""Run files: cells from lists and tables, specs as tables, what is wrong, and going on."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import parley
from parley.api.studies import TYPES, read_study
from parley.cli import main
from parley.core.errors import BadInput

STUDY = """
out = "OUT"
world = ["shortcut", "household:miss=0.1"]
explore = ["none", "epsilon-greedy:epsilon=0.3"]
episodes = 5
runs = 4
seed = 2
[[cell]]
planner = { name = "exact", decode = "greedy" }
[[cell]]
planner = "random"
explore = "none"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text.replace("OUT", str(folder / "out")))
    return path


def test_lists_make_cells_and_tables_change_some(tmp_path):
    cells = read_study(written(tmp_path, STUDY))
    assert [(c.config.world, c.config.planner, c.config.explore) for c in cells] == [
        ("shortcut", "exact:decode=greedy", "none"),
        ("shortcut", "exact:decode=greedy", "epsilon-greedy:epsilon=0.3"),
        ("household:miss=0.1", "exact:decode=greedy", "none"),
        ("household:miss=0.1", "exact:decode=greedy", "epsilon-greedy:epsilon=0.3"),
        ("shortcut", "random", "none"),
        ("household:miss=0.1", "random", "none"),
    ]
    assert len({cell.out for cell in cells}) == 6 and all(cell.out.parent == tmp_path / "out" for cell in cells)
    assert all((cell.config.episodes, cell.config.runs, cell.config.seed) == (5, 4, 2) for cell in cells)
    fewer = read_study(written(tmp_path, STUDY.replace('["none", "epsilon-greedy:epsilon=0.3"]', '"none"')))
    assert len(fewer) == 4  # the second [[cell]] differs from the first in its planner
    one = read_study(written(tmp_path, 'world = "shortcut"\nlatent = 1\ncost_limit = 2'))
    assert len(one) == 1 and one[0].out == tmp_path / "study" and one[0].config.latent == "1"


def test_the_command_line_overrides_the_file(tmp_path):
    cells = read_study(written(tmp_path, STUDY), {"episodes": 3, "world": "treasure", "out": str(tmp_path / "other")})
    assert len(cells) == 3 and all(cell.config.episodes == 3 for cell in cells)
    assert {cell.config.world for cell in cells} == {"treasure"} and cells[0].out.parent == tmp_path / "other"


@pytest.mark.parametrize(
    "text, said",
    [
        ('planner = "exact"', "there is no world"),
        ('world = "shortcut"\nepisode = 3', "there is no option 'episode'; did you mean 'episodes'"),
        ('world = "shortcut"\nepisodes = "many"', "episodes = 'many': expected int, found str"),
        ('world = "shortcut"\nepisodes = true', "episodes = True: expected int"),
        ('world = "shortcut"\nepisodes = 1.5', "episodes = 1.5: expected int"),
        ('world = "shortcut"\nepisodes = []', r"episodes = \[\]: expected at least one value"),
        ('world = "shortcut"\nepisodes = [5, "x"]', "episodes = 'x': expected int"),
        ('world = "shortcut"\nepisodes = 0', "episodes=0: expected at least 1"),
        ('world = "shortcut"\nplanner = { decode = "greedy" }', "needs its name"),
        ('world = "shortcut"\nplanner = 3', "planner = 3: expected str"),
        ('world = "shortcut"\ncell = 3', r"expected \[\[cell\]\] tables"),
        ('world = "shortcut', "is no run file"),
        ('world = "shortcut"\ntoken_limit = "all"', "token_limit = 'all': expected int"),
        ('world = "shortcut"\nrecord = "some"', "record='some'"),
        ('world = "shortcut"\nout = 3', "out = 3: expected the path"),
        ('world = "shortcut"\nout = ["a", "b"]', r"out = \['a', 'b'\]: expected the path"),
        ('world = "shortcut"\nplanner = { name = "exact", decode = ["greedy"] }', r"planner.decode = .*several tables"),
        ('world = "shortcut"\nplanner = { name = "exact", decode = { a = 1 } }', "planner.decode = .*expected a text"),
        ('world = "shortcut"\nreporter = 3', "reporter = 3: expected str"),
        (f'world = "shortcut"\nepisodes = 1{"0" * 400}', "episodes=10+[.]{3}: expected at most 1,000,000,000"),
        (f'world = "shortcut"\nepisodes = 1{"0" * 5000}', "is no run file"),
        (f"world = {'[' * 3000}{']' * 3000}", "is no run file"),
    ],
)
def test_what_is_wrong_with_a_file(text, said, tmp_path):
    with pytest.raises(BadInput, match=said):
        read_study(written(tmp_path, text))
    with pytest.raises(BadInput, match="cannot be read"):
        read_study(tmp_path / "nowhere.toml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["exact", "each"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "a"]), inner, max_size=2),
    max_leaves=4,
)


def as_toml(value):
    """A value as TOML; None, which has no name there, as a date."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {as_toml(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    return "2026-12-01" if value is None else json.dumps(value) if isinstance(value, str | bool) else repr(value)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from([*TYPES, "reporter", "hooks", "token_limit", "out", "cell", "x"]), VALUES))
def test_any_file_is_cells_or_one_sentence(options):
    """Cells are whole configurations, each in a directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), "\n".join(f"{key} = {as_toml(one)}" for key, one in options.items()))
        try:
            cells = read_study(path)
        except BadInput as wrong:
            assert 10 < len(str(wrong)) < 700 and "\n" not in str(wrong)
        else:
            assert cells and len({cell.out for cell in cells}) == len(cells)


@pytest.mark.parametrize(
    "text, worlds",
    [
        ('\ufeffworld = "shortcut"', ["shortcut"]),
        (
            'world = "shortcut"\nreporter = ["noisy:0.1", "noisy:0.2"]',
            [f"shortcut:reporter=noisy:0.{i}" for i in "12"],
        ),
        ('world = "shortcut:open=0.3"\nreporter = "noisy:0"', ["shortcut:open=0.3,reporter=noisy:0"]),
        ('world = "mine:World"\nactor = "a,b"', ['mine:World:actor="a,b"']),
        ('world = { name = "keys", miss = 1e-3, low_level = true }', ["keys:miss=0.001,low_level=true"]),
        ('world = { name = "keys:miss=0.2", low_level = true }', ["keys:miss=0.2,low_level=true"]),
        ('world = "shortcut"\nseed = [1, 1]', ["shortcut"]),
        ('[[cell]]\nworld = "shortcut"\nout = "a"\n[[cell]]\nworld = "keys"\nout = "b"', ["shortcut", "keys"]),
    ],
)
def test_worlds_of_a_file(text, worlds, tmp_path):
    cells = read_study(written(tmp_path, text))
    assert [cell.config.world for cell in cells] == worlds and len({cell.out for cell in cells}) == len(worlds)


def call(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    return code, capsys.readouterr()


def test_a_study_runs_and_the_same_command_goes_on(tmp_path, capsys):
    path = written(tmp_path, STUDY)
    code, said = call(capsys, "run", path, "--json")
    answers = json.loads(said.out)
    assert code == 0 and len(answers) == 6 and {answer["status"] for answer in answers} == {"finished"}
    modified = {answer["out"]: Path(answer["out"], "run.sqlite").stat().st_mtime_ns for answer in answers}
    code, said = call(capsys, "run", path)
    assert code == 0 and "random" in said.out
    assert modified == {out: Path(out, "run.sqlite").stat().st_mtime_ns for out in modified}
    alone = parley.run("shortcut", "random", episodes=5, runs=4, seed=2, out=tmp_path / "alone")
    twin = next(answer for answer in answers if answer["label"].startswith("random") and "shortcut" in answer["out"])
    assert twin["mean_return"] == alone.summary().mean_return
    path.write_text(path.read_text().replace("episodes = 5", "episodes = 6"))
    code, said = call(capsys, "run", path)
    assert code == 2 and "holds another run than the file describes" in said.err.replace("\n", " ")


def test_a_dry_run_runs_nothing(tmp_path, capsys):
    asking = 'planner = "endpoint:model=x/y,base_url=http://127.0.0.1:1/v1,answers=2,memory=MEMORY"'
    path = written(tmp_path, STUDY.replace('planner = "random"', asking.replace("MEMORY", "note")))
    code, said = call(capsys, "run", path, "--dry-run", "--json")
    rows = json.loads(said.out)
    assert code == 0 and not (tmp_path / "out").exists()
    here, there = rows[0], rows[-1]
    assert here["decisions"] == 5 * 4 * 3 and here["calls"] == 0 and 0 < here["wall_s"] < 60
    assert there["calls"] == 5 * 4 * 4 * 2 + 5 * 4 and there["prompt_tokens"] > 100 * there["calls"]
    full = written(tmp_path, STUDY.replace('planner = "random"', asking.replace("MEMORY", "full")))
    rows = json.loads(call(capsys, "run", full, "--dry-run", "--json")[1].out)
    none = written(tmp_path, STUDY.replace('planner = "random"', asking.replace("MEMORY", "none")))
    fewer = json.loads(call(capsys, "run", none, "--dry-run", "--json")[1].out)
    assert fewer[-1]["prompt_tokens"] < rows[-1]["prompt_tokens"]  # memory is read again at every step
    assert call(capsys, "run", path, "--dry-run")[0] == 0


def test_usage(capsys, tmp_path):
    for arguments, said in (
        (["run"], "run needs --world and --out, or a run file"),
        (["run", "--world", "shortcut"], "run needs --world and --out"),
        (["run", "--planner", "exact", "--out", tmp_path / "x"], "run needs --world"),
        (["run", "--world", "shortcut", "--out", tmp_path / "x", "--memory", "window"], "remembers in its own way"),
        (["run", "--world", "shortcut", "--out", tmp_path / "x", "--hook", "nobody"], "unknown hook"),
    ):
        code, said_by = call(capsys, *arguments)
        assert code == 2 and said in " ".join(said_by.err.split()), said_by.err
        assert not (tmp_path / "x").exists()
