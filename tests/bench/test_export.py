"""Exports: the files, streams, the OpenEnv server, and the planner that inspect_ai's model answers for.

inspect_ai and verifiers themselves: `test_exported.py`, which is slow.
"""

import ast
import json
import sqlite3
import threading
from contextlib import closing, contextmanager
from types import SimpleNamespace

import anyio
import pytest
from websockets.sync.client import connect

import parley
from parley import assemble
from parley.bench.arms import Sizes
from parley.bench.budget import Budget
from parley.bench.cards import card_of
from parley.bench.conducting import Bench, Plan
from parley.bench.export.inspect_model import Card, measured, samples
from parley.bench.export.openenv_server import serve
from parley.bench.export.stream import Stream
from parley.bench.export.writing import FRAMEWORKS
from parley.cli import main
from parley.core.errors import BadInput
from parley.serving.api import Api, Problem
from parley.serving.app import Running
from parley.serving.engine import Engine

WORLD = "bandit:arms=3,gap=0.5"
PATH = assemble.shipped("shortcut")
PLAN = {"suites": ("reliability",), "worlds": (WORLD,), "sizes": {"episodes": 4, "runs": 2, "batches": 1, "seed": 3}}


@pytest.mark.parametrize("to", FRAMEWORKS)
def test_an_export_is_one_file_of_the_plan(to: str, tmp_path, capsys) -> None:
    command = ["bench", "export", "--to", to, "--suite", "bayes", "--world", WORLD, "--episodes", "7", "--out"]
    assert main([*command, str(tmp_path), "--json"]) == 0
    (path,) = tmp_path.iterdir()
    assert json.loads(capsys.readouterr().out) == {"to": to, "file": str(path)}
    text = path.read_text("utf-8")
    ast.parse(text)
    assert WORLD in text
    assert "$" not in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "--out", "x"], "--to inspect --out DIR"),
        (["export", "--to", "inspect"], "--to inspect --out DIR"),
        (["random", "--to", "inspect", "--out", "x"], "--to inspect --out DIR"),
        (["export", "--to", "inspct", "--out", "x"], "did you mean 'inspect'"),
        (["export", "--to", "openenv", "--world", "team", "--out", "x"], "one Actor"),
        (["export", "--to", "openenv", "--suite", "x", "--out", "x"], "expected all or one of"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_writes_nothing(words, said, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["bench", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("world", [WORLD, "household"])
def test_a_stream_is_the_run_of_its_seed(world: str, tmp_path) -> None:
    """The same words said in a stream and in a run get the same observations, rewards and regret."""
    menu = assemble.world(world).tables.menus[0]
    parley.run(
        world, f"scripted:script={'|'.join(menu)}", episodes=5, runs=1, seed=11, progress=False, out=tmp_path / "run"
    )
    with closing(sqlite3.connect(tmp_path / "run" / "run.sqlite")) as log:
        steps = log.execute("SELECT observation, subgoal, next_observation, reward FROM steps ORDER BY episode, step")
        rows = steps.fetchall()
        (regret,) = log.execute("SELECT sum(regret) FROM episodes").fetchone()
    stream = Stream(world, 5, seed=11)
    assert rows[0][0] in stream.said
    assert stream.reward is None
    for _, subgoal, heard, paid in rows:
        assert not stream.over
        stream.say(subgoal)
        assert heard in stream.said
        assert stream.reward == paid
    assert stream.over
    assert stream.metrics == {"invalid": 0, "regret": pytest.approx(regret / 5)}
    stream.close()


def test_words_that_choose_nothing_are_counted_and_something_is_drawn_for_them() -> None:
    stream = Stream(WORLD, 4, seed=0)
    stream.say("I would rather not")
    assert any(f"this was drawn: {one}" in stream.said for one in stream.menu)
    stream.say("b")  # a letter of the menu as `choices` lists it
    assert stream.metrics == {"invalid": 1}
    stream.close()


@contextmanager
def openenv(episodes: int):
    with serve([WORLD, "household"], episodes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()


def test_our_own_client_plays_the_openenv_server(tmp_path) -> None:
    with openenv(4) as at:
        world = f"openenv:http://{at},action=message,text=said,menu=choices,variations=3,horizon=4"
        parley.run(world, "random", episodes=2, runs=3, seed=1, progress=False, out=tmp_path / "run")
    with closing(sqlite3.connect(tmp_path / "run" / "run.sqlite")) as log:
        returns = [value for (value,) in log.execute('SELECT "return" FROM episodes')]
        (steps,) = log.execute("SELECT count(*) FROM steps").fetchone()
    assert len(returns) == 6
    assert set(returns) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    assert steps == 24


def test_a_session_survives_what_is_no_message_and_tells_the_regret_in_the_end() -> None:
    with openenv(4) as at, connect(f"ws://{at}", proxy=None) as socket:

        def asked(**message) -> dict:
            socket.send(json.dumps(message))
            return json.loads(socket.recv(timeout=20))

        assert "expected reset" in asked(type="step", data={"message": "x"})["data"]["message"]
        for wrong in ("{", "[]", "3", '{"type": "reset", "data": {"world": "nowhere"}}', "[" * 5000):
            socket.send(wrong)
            assert json.loads(socket.recv(timeout=20))["type"] == "error"
        found = asked(type="reset", data={"seed": 5, "world": WORLD})
        while not found["data"]["done"]:
            assert "regret" not in found["data"]["observation"]["metadata"]
            found = asked(type="step", data={"message": found["data"]["observation"]["choices"][0]})
        assert 0 <= found["data"]["observation"]["metadata"]["regret"] <= 1
        assert asked(type="step", data={})["type"] == "error"


def as_inspect(said: dict) -> SimpleNamespace:
    """An answer of the OpenAI API as inspect_ai hands it on."""
    of = SimpleNamespace
    choices = [
        of(message=of(text=one["message"]["content"]), logprobs=None, stop_reason=one["finish_reason"])
        for one in said["choices"]
    ]
    used = said["usage"]
    usage = of(input_tokens=used["prompt_tokens"], input_tokens_cache_read=0, input_tokens_cache_write=None)
    usage.output_tokens = used["completion_tokens"]
    return of(choices=choices, usage=usage, stop_reason=choices[0].stop_reason, completion=choices[0].message.text)


def test_a_card_through_inspect_is_the_card_of_the_same_model_behind_a_server(tmp_path) -> None:
    """Entry by entry, with real answers of a small model that depend on the whole prompt and the seed."""
    api = Api(Engine(PATH), "shortcut")

    async def answer(messages: list[dict[str, str]], settings: dict) -> SimpleNamespace:
        body = {"model": "shortcut", "messages": messages, **settings}
        if held := body.pop("response_schema", None):
            schema = {"name": held["name"], "schema": held["json_schema"]}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        try:
            return as_inspect(api.chat(body))
        except Problem as wrong:  # inspect gives what does not fit as an answer that says so
            assert wrong.code == "context_length_exceeded"
            return SimpleNamespace(stop_reason="model_length", usage=None, completion=wrong.message)

    plan = {**PLAN, "suites": ("reliability", "bayes")}
    card = Card(plan, tmp_path / "inspect", "way=constrained,budget=1000", "")
    names = [name for name in samples(plan) if name.startswith(("invalid", "moved"))]
    found = [anyio.run(measured, card, "shortcut", name, answer)["line"] for name in names]
    with Running(PATH) as server:
        spec = f"endpoint:model=parley/shortcut,base_url={server.base_url},api=chat,way=constrained,budget=1000"
        bench = Bench(Plan(spec, plan["suites"], (WORLD,), Sizes(**plan["sizes"])), tmp_path / "direct")
        bench.begin()
        for entry in bench.entries:
            if entry.name in names:
                assert not bench.advance(entry, Budget())
        due = {line.name: line for line in card_of(bench).entries}
    for line in found:
        assert line["value"] == due[line["name"]].value, line["name"]
    assert found[0]["value"] == 0  # every answer was usable
    assert found[1]["value"] > 0  # and they depend on what was heard
    assert json.loads((tmp_path / "inspect" / "shortcut" / "card.json").read_text())["entries"]


def test_what_ends_a_sample_comes_out_as_it_is_and_a_refusal_is_a_sentence(tmp_path) -> None:
    class Limit(Exception):
        """As inspect's, of a token limit."""

    class BadRequest(Exception):
        status_code = 401

    async def limited(messages, settings):
        raise Limit

    async def refused(messages, settings):
        raise BadRequest("no such key")

    (name,) = samples(PLAN)
    with pytest.raises(Limit):
        anyio.run(measured, Card(PLAN, tmp_path / "a", "way=parse", ""), "m", name, limited)
    found = anyio.run(measured, Card(PLAN, tmp_path / "b", "way=parse", ""), "m", name, refused)
    assert found["line"] is None
    assert "no such key" in found["said"]
    with pytest.raises(BadInput, match="no option of a planner"):
        Card(PLAN, tmp_path / "c", "", "").measure("a,b", name)
    alone = Card(PLAN, tmp_path / "d", "", "").measure("..", name)  # nobody answers for this model
    assert "for `inspect eval` alone" in alone["said"]
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "d"}
