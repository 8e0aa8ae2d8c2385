"""Tokens that a server tells, and those that we count where it tells none: limits end a run in any case."""

import json

import pytest

from parley.core.calls import Place, RunPaused, Usage
from parley.execute import run
from parley.models.calling import Request
from parley.models.usage import counted, told
from parley.report.tables import calls_line
from parley.runs.ledger import CallLedger, Limits, Prices
from tests.talker import Talker, config, rows
from tests.wire import Wire, chat

ASKED = {
    "messages": [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [{"type": "text", "text": "hi"}]},
    ]
}
SAID = chat("four", reasoning_content="five5")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, None, 2)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}, Usage(3, 1, 2)),
        (
            {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 9}},
            Usage(3, None, 2),
        ),
        (None, Usage(7, None, 9, True)),
        ({}, Usage(7, None, 9, True)),
        ([], Usage(7, None, 9, True)),
        ("many", Usage(7, None, 9, True)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(7, None, 9, True)),
        ({"prompt_tokens": 3}, Usage(3, None, 9, True)),
        ({"prompt_tokens": 3, "completion_tokens": 0}, Usage(3, None, 9, True)),
        ({"prompt_tokens": None, "completion_tokens": 2}, Usage(7, None, 2, True)),
        ({"prompt_tokens": -5, "completion_tokens": 2}, Usage(7, None, 2, True)),
        ({"prompt_tokens": 1e400, "completion_tokens": 2}, Usage(7, None, 2, True)),
        ({"prompt_tokens": 10**30, "completion_tokens": 2}, Usage(7, None, 2, True)),
        ({"prompt_tokens": "3", "completion_tokens": 2.5}, Usage(7, None, 9, True)),
        ({"prompt_tokens": True, "completion_tokens": 2}, Usage(7, None, 2, True)),
        ({"input_tokens": 3, "output_tokens": 2}, Usage(7, None, 9, True)),
    ],
)
def test_usage_that_is_told_and_that_is_counted(usage, expected):
    assert counted(told({**SAID, "usage": usage}), ASKED, SAID, len) == expected


def test_what_says_nothing_writes_nothing_and_echoed_prompts_are_no_answers():
    assert counted(Usage(3), ASKED, chat(""), len) == Usage(3)
    assert counted(Usage(), {"prompt": ["ab", "abc"], "echo": True}, {"choices": [{"text": "ab"}]}, len) == Usage(
        5, None, None, True
    )
    assert counted(Usage(), None, {"data": []}, len) == Usage()


@pytest.mark.parametrize("status", [429, 401, 404, 503])
def test_what_is_refused_takes_no_tokens(status):
    wire = Wire(lambda path, body: (status, {"error": "no"}))
    at = wire.endpoint()
    with pytest.raises(Exception, match="no"):
        at.ask(Request("chat/completions", ASKED, "hello", "test", Place()), lambda answer: answer)
    assert {call.usage for call in at.ledger.calls} == {Usage()}


@pytest.mark.parametrize("reply", [b"[", {"choices": []}, {"choices": [{"message": {"content": "B"}}]}])
def test_what_may_have_been_read_is_counted(reply):
    wire = Wire(lambda path, body: (200, reply))
    at = wire.endpoint(attempts=1)
    try:
        at.ask(Request("chat/completions", ASKED, "hello", "test", Place()), lambda answer: answer["choices"][0]["x"])
    except Exception:  # whatever becomes of it
        pass
    (call,) = at.ledger.calls
    assert call.usage.prompt == 7 and call.usage.counted


class Mute(Talker):
    """Tells no usage."""

    def _chat(self, body: dict) -> dict:
        return {name: value for name, value in super()._chat(body).items() if name != "usage"}


def test_a_limit_on_tokens_ends_a_run_of_a_server_that_tells_none(tmp_path):
    with Mute({"chat"}) as talker:
        with pytest.raises(RunPaused, match="token_limit=20000 is reached"):
            run(config(talker, "parse", runs=2, episodes=50), tmp_path / "run", limits=Limits(tokens=20_000))
        sent = sum(len(json.dumps(body)) for _, body, _ in talker.said)
    totals = json.loads((tmp_path / "run/manifest.json").read_text())["totals"]["calls"]
    assert totals["counted"] == totals["calls"] - 1  # but for the question what models there are
    assert "counted by us, at most" in calls_line(totals) and sent > 15_000
    assert rows(tmp_path / "run", "SELECT DISTINCT counted FROM calls WHERE purpose LIKE 'propose%'") == [(1,)]
    again = CallLedger(Limits())
    again.open(tmp_path / "run")
    assert again.spent["calls"] == {name: value for name, value in totals.items()}


def test_a_limit_on_cost_ends_it_too(tmp_path):
    prices = Prices({"m": {"prompt": 1.0, "completion": 2.0}})
    with Mute({"chat"}) as talker, pytest.raises(RunPaused, match="cost_limit=0.01 is reached"):
        run(config(talker, "parse", runs=2, episodes=50), tmp_path / "run", limits=Limits(cost=0.01, prices=prices))
