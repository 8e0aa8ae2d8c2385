"""What merely looks at a run asks no server, sends no key and makes no file; nor does resuming a stranger's run."""

import json
import shutil
import sqlite3

import pytest

from parley.cli import main
from parley.core.calls import RunPaused
from parley.core.errors import BadInput
from parley.execute import RunConfig, resume, run
from parley.runs.ledger import Limits
from tests.talker import SHARED, Talker, config


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A run of a world model behind a server, the server, and the calls that it had."""
    with Talker({"chat", "letters"}) as talker:
        out = tmp_path_factory.mktemp("searched") / "run"
        spec = f"world-model:model=vllm/m,base_url={talker.base_url},budget=2"
        run(RunConfig("shortcut", spec, runs=2, episodes=8), out)
        yield out, talker


@pytest.mark.parametrize(
    "command",
    [
        ("show",),
        ("show", "--episode", "0"),
        ("report",),
        ("diagnose",),
        ("diagnose", "--without-tables"),
        ("prompt", "--episode", "1", "--step", "1", "--template", "chat"),
    ],
)
def test_reading_asks_no_server(searched, command, capsys):
    out, talker = searched
    before = len(talker.said)
    name, *more = command
    assert main([name, str(out), *more, "--json"]) == 0
    assert len(talker.said) == before and json.loads(capsys.readouterr().out)


def test_a_server_is_asked_where_that_is_asked_for(searched, capsys):
    out, talker = searched
    before = len(talker.said)
    assert main(["report", str(out), "--tree", "0:1:1"]) == 2 and len(talker.said) == before
    assert "would ask a server: say --live" in capsys.readouterr().err
    assert main(["report", str(out), "--tree", "0:1:1", "--live"]) == 0 and len(talker.said) > before


def test_a_planner_that_does_not_search_is_not_made(tmp_path, capsys):
    with Talker() as talker:
        run(config(talker, "parse", runs=1, episodes=1), tmp_path / "run")
        before = len(talker.said)
        assert main(["report", str(tmp_path / "run"), "--tree", "0:0:1", "--live"]) == 2
        assert len(talker.said) == before and "does not search" in capsys.readouterr().err


@pytest.fixture
def strange(tmp_path):
    """A run that was paused, and whose manifest then names what a stranger may have put there."""

    def made(**named: str):
        with Talker() as talker:
            with pytest.raises(RunPaused):
                run(config(talker, "parse", runs=1, episodes=4), tmp_path / "run", limits=Limits(tokens=500))
        path = tmp_path / "run/manifest.json"
        manifest = json.loads(path.read_text())
        more = "".join(f",{key}={value}" for key, value in named.items())
        manifest["config"]["planner"] = f"endpoint:model=openai/m,way=parse,{SHARED}{more}"
        path.write_text(json.dumps(manifest))
        return tmp_path / "run"

    return made


@pytest.mark.parametrize("url", ["http://evil.example/v1", "https://10.1.2.3:8000/v1", "http://[2001:db8::1]/v1"])
def test_a_key_goes_to_no_address_that_a_strangers_run_names(strange, monkeypatch, url):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")
    out = strange(base_url=url)
    with pytest.raises(BadInput, match="would ask 'openai/m' at .* with a key of yours.*--trust") as said:
        resume(out)
    assert "very-secret" not in str(said.value)


def test_a_key_goes_where_that_is_trusted(strange, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")
    with Talker(key="sk-very-secret-0123456789") as talker:
        assert resume(strange(base_url=talker.base_url), trust=True)["status"] == "finished"


def test_no_file_of_answers_is_made_that_a_strangers_run_names(strange, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")
    made = tmp_path / "elsewhere/answers.sqlite"
    with Talker() as talker:
        out = strange(base_url=talker.base_url, cache=str(made))
        with pytest.raises(BadInput, match="would write to .* as cache=.*say --trust"):
            resume(out)
        assert not made.exists() and not made.parent.exists()
        assert resume(out, trust=True)["status"] == "finished"
    assert made.exists()


def test_a_file_of_answers_is_given_back(tmp_path):
    cache = tmp_path / "answers.sqlite"
    with Talker() as talker:
        run(config(talker, "parse", runs=1, episodes=1, more=f",cache={cache}"), tmp_path / "run")
    shutil.copy(cache, tmp_path / "copy.sqlite")  # whole without its -wal: it was closed
    assert not cache.with_name("answers.sqlite-wal").exists()
    db = sqlite3.connect(tmp_path / "copy.sqlite")
    assert db.execute("SELECT count(*) FROM answers").fetchone()[0] > 2
    db.close()


@pytest.mark.parametrize("number", ["٣", "１２", "²", "1_000", "Ⅳ", "0x10"])
def test_digits_that_are_no_ascii_digits_are_no_numbers(tmp_path, number, capsys):
    out = str(tmp_path / "run")
    for arguments in (
        ["run", "--world", "shortcut", "--episodes", number, "--out", out],
        ["run", "--world", f"treasure:n={number}", "--out", out],
        ["run", "--world", "shortcut", "--latent", number, "--out", out],
        ["run", "--world", "shortcut", "--planner", f"endpoint:model=vllm/m,budget={number}", "--out", out],
        ["report", out, "--tree", f"0:{number}:1"],
    ):
        assert main(arguments) == 2
        assert "Traceback" not in capsys.readouterr().err
