import json
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from parley import assemble
from parley.core.calls import OK, Forgetful, Place, RunPaused
from parley.core.errors import BadInput
from parley.models.calling import Calling, Request
from parley.models.endpoint import Endpoint
from parley.models.failures import Failure, Refused, Unusable, retry_after
from parley.models.providers import environment, server
from parley.models.tokens import AROUND, token_counter
from tests.talker import Talker

KEY = "sk-very-secret-0123456789"
QUICK = Calling(timeout_s=60, attempts=4, backoff_s=0.001, breaker=1000)


@pytest.fixture
def endpoint():
    """Makes endpoints, and closes them."""
    with ExitStack() as closing:

        def make(talker: Talker, calling: Calling = QUICK, model="openai-api/my-lab/m", key=KEY) -> Endpoint:
            variables = {"MY_LAB_API_KEY": key, "MY_LAB_BASE_URL": talker.base_url}
            made = Endpoint(server(model, variables), calling, Forgetful())
            closing.callback(made.close)
            return made

        yield make


def chat(text="Hello", **more) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    return Request("chat/completions", body, text, "test", Place(0, 1, 2))


def said(answer):
    content = answer["choices"][0]["message"]["content"]
    if not content:
        raise Unusable("no words")
    return content


def outcomes(at: Endpoint) -> list[str]:
    return [call.outcome for call in at.ledger.calls]


def test_an_answer_and_what_is_kept_of_it(endpoint):
    with Talker(answer=lambda text, seed: "A") as talker:
        at = endpoint(talker)
        assert at.ask(chat(), said) == "A"
        (call,) = at.ledger.calls
        assert (call.place, call.outcome, call.attempt, call.prompt) == (Place(0, 1, 2), OK, 1, "Hello")
        assert (call.usage.prompt, call.usage.completion) == (1, 1) and 0 < call.latency_s
        assert at.ask(chat(), said) == "A"  # known: not asked again
        assert outcomes(at) == [OK, "cached"] and len(talker.said) == 1
        at.ask(chat(seed=1), said)
        assert len(talker.said) == 2  # another draw
        assert talker.headers[0]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("429", "rate limit (429)"),
        ("500", "server error (500)"),
        ("503", "server error (503)"),
        ("truncated", "truncated answer"),
        ("malformed", "malformed JSON"),
        ("empty", "no words"),
    ],
)
def test_each_fault_has_its_kind_and_is_tried_again(fault, outcome, endpoint):
    left = [fault, fault]
    with Talker(fault=lambda body: left.pop() if left else "") as talker:
        at = endpoint(talker)
        at.ask(chat(), said)
        assert outcomes(at) == [outcome, outcome, OK]
        assert [call.attempt for call in at.ledger.calls] == [1, 2, 3]


def test_a_stalled_answer_is_given_up(endpoint):
    left = ["stall"]
    with Talker(fault=lambda body: left.pop() if left else "", stall_s=2) as talker:
        at = endpoint(talker, Calling(timeout_s=1, attempts=100, backoff_s=0.001, breaker=1000))
        at.ask(chat(), said)
    first, *others, last = outcomes(at)
    assert (first, last) == ("timeout", OK)
    assert set(others) <= {"timeout"}  # on a busy machine


def test_a_call_that_always_fails_pauses_and_one_that_is_never_usable_says_so(endpoint):
    with Talker(fault=lambda body: "500") as talker:
        at = endpoint(talker)
        with pytest.raises(RunPaused, match="4 attempts at a call failed, the last one with: server error"):
            at.ask(chat(), said)
        assert at.ledger.halted.is_set()
        with pytest.raises(RunPaused):
            at.ask(chat("other"), said)
        assert len(talker.said) == 4
    with Talker(fault=lambda body: "empty") as talker:
        with pytest.raises(Unusable, match="no words"):
            endpoint(talker).ask(chat(), said)


def test_the_circuit_breaker_pauses_all_threads(endpoint):
    with Talker(fault=lambda body: "503") as talker:
        at = endpoint(talker, Calling(timeout_s=1, attempts=1000, backoff_s=0.001, breaker=20))
        stopped = []

        def ask(i):
            try:
                at.ask(chat(str(i)), said)
            except RunPaused as paused:
                stopped.append(str(paused))

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        assert len(stopped) == 8 and 20 <= len(talker.said) < 20 + 8 * 2


def test_retry_after_is_waited_for_and_too_long_a_wait_pauses(endpoint):
    left = ["429"]
    with Talker(fault=lambda body: left.pop() if left else "") as talker:
        talker.retry_after = "0.4"
        at, began = endpoint(talker), time.perf_counter()
        at.ask(chat(), said)
        assert outcomes(at) == ["rate limit (429)", OK] and time.perf_counter() - began >= 0.4
    with Talker(fault=lambda body: "503") as talker:
        talker.retry_after = "1000"
        with pytest.raises(RunPaused, match="asks us to wait 1000 s"):
            (at := endpoint(talker)).ask(chat(), said)
        assert len(talker.said) == 1 and outcomes(at) == ["server error (503)"]


def test_how_long_is_waited(endpoint):
    with Talker() as talker:
        at = endpoint(talker)
        waits = {"0": 0.0, "7": 7.0, "x": 0.0, "-3": 0.0, "Wed, 21 Oct 2015 07:28:00 GMT": 0.0}
        assert {header: retry_after(header) for header in waits} == waits
        assert at._wait_s(1, Failure("rate limit (429)", wait_s=7.0)) == 7.0
        assert 0 <= at._wait_s(3, Failure("server error (500)")) <= 0.004


def test_what_many_ask_at_once_is_asked_once(endpoint):
    """Runs that begin alike ask the same; where an answer fails, the next one asks."""
    here, left = threading.Barrier(8, timeout=60), ["429"]
    with Talker(fault=lambda body: time.sleep(0.2) or (left.pop() if left else "")) as talker:
        at = endpoint(talker, Calling(attempts=1, breaker=1000))
        found = []

        def ask():
            here.wait()
            try:
                found.append(at.ask(chat(), said, probing=True))
            except Failure as failure:
                found.append(failure.outcome)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
    assert len(talker.said) == 2
    assert sorted(outcomes(at)) == ["cached"] * 6 + [OK, "rate limit (429)"] and len(set(found)) == 2


@pytest.mark.parametrize("key", ["wrong-key-0123", KEY + "x"])
def test_a_bad_key_is_said_at_once_and_never_shown(key, endpoint):
    with Talker(key=KEY) as talker:
        at = endpoint(talker, key=key)
        with pytest.raises(Refused, match=r"bad key \(401\)") as refused:
            at.ask(chat(), said)
        assert len(talker.said) == 1
        kept = json.dumps([vars(call) for call in at.ledger.calls], default=str)
        assert key not in kept + str(refused.value) + repr(at.server) and "[key]" in str(refused.value)


@pytest.mark.parametrize("key", [KEY, 'sk-"quoted"-\\-0123'])
def test_an_answer_that_holds_the_key_is_blotted_out(endpoint, key):
    with Talker(answer=lambda text, seed: f"the key is {key}") as talker:
        at = endpoint(talker, key=key)
        assert at.ask(chat(), said) == "the key is [key]"
        assert at.ask(chat(), said) == "the key is [key]"
        assert not any(form in call.answer for call in at.ledger.calls for form in (key, json.dumps(key)[1:-1]))


def test_nested_without_end_is_malformed(endpoint):
    class Nested(Talker):
        def reply(self, path, body):
            return 200, b"[" * 1_000_000

    with Nested() as talker, pytest.raises(RunPaused, match="malformed JSON"):
        endpoint(talker).ask(chat(), said)


def test_a_redirect_is_not_followed(endpoint):
    with Talker(fault=lambda body: "302") as talker, pytest.raises(Refused):
        endpoint(talker).ask(chat(), said)


def test_what_utf8_cannot_hold_is_kept_escaped(endpoint):
    with Talker(answer=lambda text, seed: "\ud800 \x00") as talker:
        at = endpoint(talker)
        assert at.ask(chat(), said) == "\ud800 \x00"
        assert json.loads(at.ledger.calls[0].answer.encode().decode()) == "\ud800 \x00"


def test_no_server_and_no_http():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    at = Endpoint(server("vllm/m", {}, url), QUICK, Forgetful())
    with pytest.raises(RunPaused, match="no connection"):
        at.ask(chat(), said)
    at.close()


def test_concurrency_is_limited(endpoint):
    """Three calls wait for each other, so that three are made at once; a fourth would be seen."""
    now, most, lock, three = [0], [0], threading.Lock(), threading.Barrier(3, timeout=60)

    def busy(body):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        three.wait()
        with lock:
            now[0] -= 1
        return ""

    with Talker(fault=busy) as talker:
        at = endpoint(talker, Calling(concurrency=3))
        threads = [threading.Thread(target=at.ask, args=(chat(str(i)), said)) for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most[0] == 3


@pytest.mark.parametrize(
    ("model", "variables", "says"),
    [
        ("gpt", {}, "provider/model"),
        ("opnai/gpt", {}, "did you mean 'openai'"),
        ("openai/gpt", {}, "OPENAI_API_KEY"),
        ("openai/", {"OPENAI_API_KEY": "k"}, "provider/model"),
        ("openai-api/lab/m", {"LAB_API_KEY": "k"}, "LAB_BASE_URL"),
        ("vllm/m", {"VLLM_BASE_URL": "localhost:8000"}, "http://"),
        ("vllm/m", {"VLLM_BASE_URL": "http://me:pass@host/v1"}, "user name or password"),
        ("openai/gpt", {"OPENAI_API_KEY": "a b"}, "characters that no key has"),
    ],
)
def test_bad_model_ids_and_variables(model, variables, says):
    with pytest.raises(BadInput, match=says) as wrong:
        server(model, variables)
    assert "pass@" not in str(wrong.value)


def test_model_ids():
    assert server("openai/gpt", {"OPENAI_API_KEY": "key-12345"}).base_url == "https://api.openai.com/v1"
    mine = server("openai-api/my-lab/org/m", {"MY_LAB_API_KEY": "key-12345", "MY_LAB_BASE_URL": "http://h/v1/"})
    assert (mine.model, mine.base_url, mine.key) == ("org/m", "http://h/v1", "key-12345")
    assert server("ollama/llama3:8b", {}).model == "llama3:8b"


def test_a_file_of_variables_is_read_and_the_process_comes_first(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("VLLM_API_KEY=from-file\nOTHER=1\n")
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    assert environment(tmp_path / ".env")["VLLM_API_KEY"] == "from-file"
    monkeypatch.setenv("VLLM_API_KEY", "from-process")
    assert environment(tmp_path / ".env")["VLLM_API_KEY"] == "from-process"


@pytest.mark.parametrize("wrong", [{"concurrency": -1}, {"timeout_s": 0}, {"backoff_s": float("nan")}, {"breaker": 0}])
def test_bad_options(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        Calling(**wrong)


def test_tokens_are_counted_by_a_tokenizer_or_bounded_by_bytes():
    assert token_counter()("zwölf") == 6 + AROUND
    counted = token_counter(str(assemble.shipped("shortcut")), around=0)
    assert counted("task: go to the garden\n") == 1
    with pytest.raises(BadInput, match="tokenizer="):
        token_counter("/nowhere/at/all")
