"""`parley serve` and clients that are many, slow, silent, gone or wrong: honest ones are served."""

import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from parley import assemble
from parley.cli import main
from parley.serving import listening, waiting
from parley.serving.app import Running

PATH = assemble.shipped("shortcut")
TEXT = "task: go to the garden\nyou stand in the hall\n"
HONEST = {"model": "shortcut", "prompt": TEXT, "max_tokens": 2, "temperature": 0}
LONG = {"model": "shortcut", "prompt": TEXT, "max_tokens": 500, "n": 32, "temperature": 2}


def post(base_url: str, body, path="completions", headers=None, timeout=60):
    """Status, answer and headers."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = urllib.request.Request(f"{base_url}/{path}", data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except urllib.error.HTTPError as wrong:
        with wrong:
            return wrong.code, json.loads(wrong.read()), wrong.headers


def request_of(body, length=None) -> bytes:
    """A request as it is sent."""
    content = json.dumps(body).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {length or len(content)}\r\n\r\n"
    return head.encode() + content


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def port_of(base_url: str) -> int:
    return int(re.search(r":(\d+)/v1", base_url)[1])


def hang_up(one: socket.socket) -> None:
    """Close a connection without a word, as a client does that was killed."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


@contextmanager
def served(*more: str, env=None):
    """The command in a process of its own, and its base URL, once it says that it serves."""
    command = [sys.executable, "-m", "parley", "serve", "shortcut", "--port", "0", *more]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "300", **(env or {})}
    )
    try:
        said = process.stderr.readline()
        yield process, re.search(r"serving shortcut at (\S+);", said)[1]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def quick(base_url: str, count: int, most_s: float) -> None:
    """Honest clients, one after another: each is answered in time."""
    for _ in range(count):
        began = time.perf_counter()
        status, answer, _ = post(base_url, HONEST)
        assert status == 200 and answer["usage"]["completion_tokens"] == 2
        assert time.perf_counter() - began < most_s


def test_a_thousand_connections_leave_an_honest_client_served():
    """400 say nothing, 200 half a head, 200 half a body, 200 ask for much and hang up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    with served() as (process, base_url), ExitStack() as held:
        port = port_of(base_url)
        quick(base_url, 3, 20)
        for i in range(1000):
            one = connected(port)
            if i % 5 < 2:
                held.callback(one.close)
            elif i % 5 == 2:
                one.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Le")
                held.callback(one.close)
            elif i % 5 == 3:
                one.sendall(request_of(HONEST, length=10_000))
                held.callback(one.close)
            else:
                one.sendall(request_of(LONG))
                hang_up(one)
        quick(base_url, 10, 20)
        status = (f"/proc/{process.pid}/status", r"VmRSS:\s+(\d+) kB")
        if os.path.exists(status[0]):
            with open(status[0]) as file:
                assert int(re.search(status[1], file.read())[1]) < 1_000_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_nobody_waits_for_is_not_computed():
    with Running(PATH) as server:
        began = time.perf_counter()
        post(server.base_url, {**LONG, "n": 2})
        whole = (time.perf_counter() - began) / 2 * 32 * 10  # what the ten below would take
        for _ in range(10):
            one = connected(port_of(server.base_url))
            one.sendall(request_of(LONG))
            time.sleep(0.1)
            hang_up(one)
        began = time.perf_counter()
        quick(server.base_url, 1, 60)
        assert time.perf_counter() - began < whole / 4
        for _ in range(100):
            if not (server.room.waiting or server.room.bytes):
                break
            time.sleep(0.1)
        assert server.room.waiting == server.room.bytes == 0


SILENT = {
    "nothing": b"",
    "half a line": b"POST /v1/comp",
    "half a head": b"POST /v1/completions HTTP/1.1\r\nHost: x\r\n",
    "half of a second request": b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea",
    "nothing after an answer": b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("how", SILENT)
def test_a_silent_client_is_hung_up_on(monkeypatch, how):
    monkeypatch.setattr(listening, "REQUEST_S", 0.5)
    monkeypatch.setattr(listening, "KEPT_S", 1.0)
    with Running(PATH) as server, connected(port_of(server.base_url)) as one:
        one.sendall(SILENT[how])
        began, answer = time.perf_counter(), b""
        try:
            while piece := one.recv(4096):
                answer += piece
        except ConnectionResetError:
            pass
        assert time.perf_counter() - began < 10
        assert (b'"ok"' in answer) == ("second" in how or "answer" in how)
        quick(server.base_url, 1, 60)


def test_a_client_that_drips_is_hung_up_on(monkeypatch):
    """A byte now and then is no reason to wait for ever."""
    monkeypatch.setattr(listening, "REQUEST_S", 1.0)
    with Running(PATH) as server, connected(port_of(server.base_url)) as one:
        began = time.perf_counter()
        with pytest.raises(OSError):
            for byte in b"GET /health HTTP/1.1\r\nX: " + b"y" * 1000:
                one.sendall(bytes([byte]))
                time.sleep(0.05)
        assert time.perf_counter() - began < 10


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(waiting, "READ_S", 0.5)
    with Running(PATH) as server, connected(port_of(server.base_url)) as one:
        one.sendall(request_of(HONEST, length=10_000))
        answer = one.recv(4096)
        assert b" 408 " in answer.split(b"\r\n")[0] and server.room.bytes == 0


def test_a_client_that_does_not_read_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(listening, "READ_S", 0.5)
    monkeypatch.setattr(listening, "KEPT_S", 1.0)
    with Running(PATH) as server:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        one.connect(("127.0.0.1", port_of(server.base_url)))
        asked = {**HONEST, "prompt": [TEXT * 25] * 60, "max_tokens": 0, "echo": True, "logprobs": 20}
        one.sendall(request_of(asked))
        for _ in range(600):
            time.sleep(0.1)
            if not server._server.server_state.connections:
                break
        assert not server._server.server_state.connections
        one.close()
        quick(server.base_url, 1, 60)


def test_of_too_many_connections_the_idle_ones_go(monkeypatch):
    with Running(PATH) as server:
        monkeypatch.setattr(listening.Patient, "most", 20)
        several = [connected(port_of(server.base_url)) for _ in range(60)]
        quick(server.base_url, 5, 60)
        assert len(server._server.server_state.connections) <= 21
        for one in several:
            one.close()


def test_what_waits_is_limited_and_told_to_come_again(monkeypatch):
    monkeypatch.setattr(waiting, "MOST_WAITING", 2)
    with Running(PATH) as server:
        port = port_of(server.base_url)
        several = [connected(port) for _ in range(2)]
        for one in several:
            one.sendall(request_of(LONG))
        for _ in range(100):
            if server.room.waiting == 2:
                break
            time.sleep(0.05)
        status, answer, headers = post(server.base_url, HONEST)
        assert (status, answer["error"]["code"], headers["Retry-After"]) == (503, "overloaded", "1")
        for one in several:
            hang_up(one)
        for _ in range(100):
            if not server.room.waiting:
                break
            time.sleep(0.05)
        quick(server.base_url, 1, 60)


def test_bodies_that_are_read_together_are_limited(monkeypatch):
    monkeypatch.setattr(waiting, "LONGEST_BODIES", 100_000)
    with Running(PATH) as server:
        status, _, _ = post(server.base_url, {**HONEST, "x": "y" * 200_000})
        assert status == 503 and server.room.bytes == 0
        monkeypatch.setattr(waiting, "LONGEST_BODY", 1000)
        assert post(server.base_url, {**HONEST, "x": "y" * 2000})[0] == 413
        quick(server.base_url, 1, 60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_though_it_computes_and_clients_stay(number):
    with served() as (process, base_url):
        idle = [connected(port_of(base_url)) for _ in range(50)]
        working = connected(port_of(base_url))
        working.sendall(request_of(LONG))
        time.sleep(1)
        process.send_signal(number)
        assert process.wait(timeout=20) in (0, -number, 128 + number)
        assert "Traceback" not in process.stderr.read()
        for one in (working, *idle):
            one.close()


def test_it_computes_in_one_thread_as_runs_do(monkeypatch):
    threads = []
    monkeypatch.setattr(listening.Listening, "run", lambda self, sockets: threads.extend(threadpool_info()))
    with threadpool_limits(2):
        assert main(["serve", "shortcut", "--port", "0"]) == 0
    assert threads
    assert {pool["num_threads"] for pool in threads} == {1}


def test_a_busy_port_and_an_open_host_are_refused(capsys, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "shortcut", "--port", str(taken.getsockname()[1])]) == 2
        assert "cannot listen there: Address already in use" in capsys.readouterr().err
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        assert main(["serve", "shortcut", "--host", host]) == 2
        assert "ask for a key, --api-key-env VARIABLE" in capsys.readouterr().err
    monkeypatch.setenv("KEY", "sesame-open")
    assert main(["serve", "shortcut", "--host", "192.0.2.1", "--port", "0", "--api-key-env", "KEY"]) == 2
    assert "cannot listen there" in capsys.readouterr().err
    assert main(["serve", "shortcut", "--sessions", "0"]) == main(["serve", "shortcut", "--port", "70000"]) == 2


@pytest.fixture(scope="module")
def server():
    with Running(PATH) as running:
        yield running


ODD = [
    b"",
    b"{",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"model": "shortcut", "prompt": "a", "temperature": NaN}',
    b'{"model": "shortcut", "prompt": "a", "temperature": Infinity}',
    b'{"model": "shortcut", "prompt": "a", "temperature": 1e999}',
    b'{"model": "shortcut", "prompt": "a", "max_tokens": -1}',
    b'{"model": "shortcut", "prompt": "a", "max_tokens": 1.5}',
    b'{"model": "shortcut", "prompt": "a", "max_tokens": 1e999}',
    b'{"model": "shortcut", "prompt": "a", "n": 1000000}',
    b'{"model": "shortcut", "prompt": "a", "n": 128, "max_tokens": 999999999999999999999}',
    b'{"model": "shortcut", "prompt": "a", "seed": 1' + b"0" * 400 + b"}",
    b'{"model": "shortcut", "prompt": "a", "seed": 1' + b"0" * 5000 + b"}",
    b'{"model": "shortcut", "prompt": "a", "logprobs": 1e999}',
    b'{"model": "shortcut", "prompt": "a", "logprobs": "5"}',
    b'{"model": "shortcut", "prompt": "a", "logprobs": [5]}',
    b'{"model": "shortcut", "prompt": "a", "top_p": "x"}',
    b'{"model": "shortcut", "prompt": "\\ud800"}',
    b'{"model": "shortcut", "prompt": ["a", "\\udfff"]}',
    b'{"model": "shortcut", "prompt": [[]]}',
    b'{"model": "shortcut", "prompt": [[1e999]]}',
    b'{"model": "shortcut", "prompt": [true]}',
    b'{"model": "shortcut", "prompt": {"a": 1}}',
    b'{"model": "shortcut", "prompt": ' + json.dumps(["a"] * 2000).encode() + b"}",
    b'{"model": "shortcut", "prompt": "a", "stop": ' + json.dumps(["x"] * 100).encode() + b"}",
    b'{"model": "shortcut", "prompt": "a", "stop": ["' + b"x" * 5000 + b'"]}',
    b'{"model": "shortcut", "prompt": "a", "stop": {"a": 1}}',
    b'{"model": "shortcut", "prompt": "a", "response_format": {"type": "json_object", "schema": {"enum": [1e999]}}}',
    b'{"model": "shortcut", "prompt": "a", "response_format": {"type": "json_object", "schema": {"enum": [[1]]}}}',
    b'{"model": "shortcut", "prompt": "a", "response_format": {"type": "json_object", "schema": {"enum": ["'
    + b"x" * 2_000_000
    + b'"]}}}',
    b'{"model": "shortcut", "prompt": "a", "response_format": 3, "stream": "yes"}',
    "{}".encode("utf-16"),
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("body", ODD, ids=lambda body: str(body[:60]))
def test_odd_bodies_are_refused_in_one_sentence(server, body):
    status, answer, _ = post(server.base_url, body)
    assert status in (400, 404) and 0 < len(answer["error"]["message"]) < 600


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
        [{"role": "user", "content": [{"type": "text", "text": 3}]}],
        [{"role": "user", "content": []}],
        [{"role": "user", "content": {"a": 1}}],
        [{"role": 3, "content": "a"}],
        [{"role": "user", "content": "\ud800"}],
        ["hello"],
        {"role": "user", "content": "a"},
    ],
)
def test_odd_messages_are_refused(server, messages):
    body = json.dumps({"model": "shortcut", "messages": messages}).encode()
    assert post(server.base_url, body, "chat/completions")[0] == 400


@pytest.mark.parametrize(
    "content",
    ["task: go", [{"type": "text", "text": "task: go"}], ["task: go"], [{"type": "text", "text": "task:"}, " go"]],
)
def test_contents_may_be_parts(server, content):
    body = {"model": "shortcut", "messages": [{"role": "user", "content": content}], "max_tokens": 2, "temperature": 0}
    status, answer, _ = post(server.base_url, body, "chat/completions")
    assert status == 200 and answer["usage"]["prompt_tokens"] > 0


def test_a_model_is_told_of_by_its_name(server):
    for name, status in (("shortcut", 200), ("other", 404), ("a/b", 404)):
        try:
            with urllib.request.urlopen(f"{server.base_url}/models/{name}", timeout=30) as answer:
                found = answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as wrong:
            with wrong:
                found = wrong.code, json.loads(wrong.read())
        assert found[0] == status and (
            found[1].get("id") == "shortcut" or found[1]["error"]["code"] == "model_not_found"
        )


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer sesame-open", 200),
        ("bearer sesame-open", 200),
        ("Bearer  sesame-open", 200),
        ("Bearer sesame-opem", 401),
        ("Bearer sesame-open2", 401),
        ("Bearer ", 401),
        ("Bearer", 401),
        ("", 401),
        ("sesame-open", 401),
        ("Basic sesame-open", 401),
    ],
)
def test_which_keys_open(header, status):
    with Running(PATH, key="sesame-open") as running:
        assert post(running.base_url, HONEST, headers={"Authorization": header})[0] == status


def test_sessions_are_bounded_in_memory(monkeypatch):
    from parley.serving import engine

    monkeypatch.setattr(engine, "MOST_BYTES", 3_000_000)
    made = engine.Engine(PATH)
    for i in range(30):
        made.read([made.encode(TEXT * 10 + f"> {i}\n" + TEXT * (i % 5))[0]])
    assert 1 <= len(made._sessions) < 30
    assert sum(session.bytes for session in made._sessions.values()) <= 3_000_000 + 2_000_000
