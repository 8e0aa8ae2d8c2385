"""A server that talks like an OpenAI-compatible one, as a function of prompt and seed, and fails on demand."""

import hashlib
import json
import math
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from pathlib import Path
from typing import Any

from parley.execute import RunConfig

SHARED = "backoff_s=0.002,attempts=20,breaker=1000,concurrency=64"  # options of every planner that asks a talker
EVERYTHING = frozenset({"chat", "echo", "letters", "constrained"})
Fault = Callable[[dict], str]


def chance(*about: object) -> float:
    """A number in [0, 1) that depends on `about` alone."""
    return int.from_bytes(hashlib.sha256(repr(about).encode()).digest()[:6]) / 2**48


def menu_of(text: str) -> list[str]:
    """The menu of a prompt: its lines `A. sentence`, which may come again where they were chosen."""
    return list(dict.fromkeys(re.findall(r"^[A-Z]{1,2}\. (.*)$", text, flags=re.M)))


def is_asked(body: dict) -> bool:
    """Whether a call is no probe: what a run asks."""
    text = json.dumps(body).lower()
    return "task" in text and "rehearsal" not in text


class _Server(ThreadingHTTPServer):
    request_queue_size = 256  # with the usual 5, connections made at once are dropped, and tried again a second later
    daemon_threads = True


class Talker:
    """`can` names its abilities; `answer(text, seed)` is what it says; `fault(body)` names what goes wrong, if any.

    `said` holds a (path, body, fault) of every call in the order of arrival.
    """

    def __init__(
        self, can=EVERYTHING, answer=None, fault: Fault = lambda body: "", key="", context=0, stall_s=4.0
    ) -> None:
        self.can, self.key, self.context, self.fault, self.stall_s = can, key, context, fault, stall_s
        self.answer = answer or letter_by_chance
        self.retry_after = "0"
        self.said: list[tuple[str, dict, str]] = []
        self.headers: list[dict] = []
        self.lock = threading.Lock()
        self.server = _Server(("127.0.0.1", 0), _handler(self))
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> "Talker":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def asked(self) -> list[dict]:
        """The bodies of calls that are no probes."""
        return [body for path, body, _ in self.said if is_asked(body)]

    def reply(self, path: str, body: dict) -> tuple[int, dict]:
        if path.endswith("/models"):
            return 200, {"data": [{"id": "m", "max_model_len": self.context or None}]}
        if body.get("model") != "m":
            return 404, {"error": {"message": "no such model", "code": "model_not_found"}}
        if self.context and self.size(body) > self.context:
            return 400, {"error": {"message": "too long", "code": "context_length_exceeded"}}
        if path.endswith("/chat/completions") and "chat" in self.can:
            return 200, self._chat(body)
        if path.endswith("/completions") and "echo" in self.can:
            return 200, self._echo(body)
        return 404, {"error": {"message": "no such route"}}

    def size(self, body: dict) -> int:
        """Tokens of a prompt, a byte each and four around each message, and of its answer."""
        messages = body.get("messages") or [{"content": text} for text in body["prompt"]]
        return sum(len(m["content"].encode()) + 4 for m in messages) + body["max_tokens"]

    def _chat(self, body: dict) -> dict:
        text = "\n".join(m["content"] for m in body["messages"])
        choice: dict = {"index": 0, "message": {"role": "assistant", "content": self.answer(text, body.get("seed", 0))}}
        if body.get("logprobs") and "letters" in self.can:
            names = "ABCDEFGHIJ"[: max(2, len(menu_of(text)))]
            weights = [math.exp(-0.5 - 3 * chance(text, name)) for name in names]
            top = [
                {"token": name, "logprob": math.log(0.97 * weight / sum(weights))}
                for name, weight in zip(names, weights, strict=True)
            ]
            choice["logprobs"] = {"content": [{"token": "A", "logprob": -1.0, "top_logprobs": top}]}
        if "response_format" in body and "constrained" in self.can:
            schema = body["response_format"]["json_schema"]["schema"]
            listed = schema["properties"]["subgoal"]["enum"]
            said = listed[int(chance(text, body.get("seed")) * len(listed))]
            choice["message"]["content"] = json.dumps({"subgoal": said})
        usage = {"prompt_tokens": len(text.split()), "completion_tokens": 1, "total_tokens": 0}
        return {"choices": [choice], "usage": usage}

    def _echo(self, body: dict) -> dict:
        """As vLLM echoes: a special token comes first and counts in the offsets, not in the text."""
        choices, texts = [], body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        said = " x" if body["max_tokens"] else ""
        for index, text in enumerate(texts):
            tokens = ["<|begin_of_text|>", *re.findall(r"\S+|\s", text)]
            values = [None] + [-5 * chance(i, tokens[i]) for i in range(1, len(tokens))]
            tokens, values = [*tokens, *said.split()], [*values, *([-1.0] if said else [])]
            offsets = [0, *accumulate(map(len, tokens))][:-1]
            logprobs = {"tokens": tokens, "token_logprobs": values, "text_offset": offsets}
            choices.append({"index": index, "text": text + said, "logprobs": logprobs if body.get("echo") else None})
        usage = {"prompt_tokens": sum(len(t.split()) for t in texts), "completion_tokens": len(said.split())}
        return {"choices": choices, "usage": usage}


def letter_by_chance(text: str, seed: int) -> str:
    """A letter of the menu, by prompt and seed."""
    menu = menu_of(text) or ["nothing"]
    return "ABCDEFGHIJ"[int(chance(text, seed) * len(menu))]


def spoilt(reply: object, fault: str) -> bytes:
    """An answer as it is sent, with the fault in it, if that is one of what is said."""
    if fault in ("empty", "outside"):
        for choice in reply["choices"]:
            choice["message"]["content"] = "fly to the moon" if fault == "outside" else ""
            choice["finish_reason"] = "stop"
    if fault == "logprobs":
        reply["choices"][0]["logprobs"]["token_logprobs"].pop()
    content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    return content[: len(content) // 2] if fault == "malformed" else content


def call_key(base_url: str, path: str, content: bytes) -> str:
    """By what a ledger knows a call."""
    return hashlib.sha256(b"\0".join((base_url.encode(), path.removeprefix("/v1/").encode(), content))).hexdigest()


def _handler(talker: Talker) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            self._answer(json.loads(content))

        def _answer(self, body: dict) -> None:
            fault = talker.fault(body) if body else ""
            with talker.lock:
                talker.said.append((self.path, body, fault))
                talker.headers.append(dict(self.headers))
            try:
                self._fail_or_say(body, fault)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client has gone: it was killed, or waited long enough

        def _fail_or_say(self, body: dict, fault: str) -> None:
            if talker.key and self.headers.get("authorization") != f"Bearer {talker.key}":
                said = f"Incorrect API key provided: {self.headers.get('authorization')}"
                return self._send(401, {"error": {"message": said, "code": "invalid_api_key"}})
            if fault.isdigit():
                return self._send(int(fault), {"error": {"message": "try later"}}, {"Retry-After": talker.retry_after})
            if fault == "stall":
                time.sleep(talker.stall_s)
            status, reply = talker.reply(self.path, body)
            content = spoilt(reply, fault) if status == 200 else json.dumps(reply).encode()
            if fault == "truncated":
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
                return None
            return self._send(status, content)

        def _send(self, status: int, said: object, headers: dict | None = None) -> None:
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    return Handler


def config(server: Any, way: str, runs=8, episodes=4, more="", model="m", **about) -> RunConfig:
    """Runs in `shortcut` of a planner that asks a server."""
    spec = f"endpoint:model=vllm/{model},base_url={server.base_url},way={way},{SHARED}{more}"
    return RunConfig("shortcut", spec, runs=runs, episodes=episodes, **about)


def rows(out: Path, query: str) -> list[tuple]:
    """What a query finds in the log of a run."""
    db = sqlite3.connect(out / "run.sqlite")
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def tables(out: Path) -> list:
    """Everything that was decided and came of it; the table of calls and the times apart."""
    steps = rows(out, "SELECT * FROM steps ORDER BY run, episode, step")
    kept = "run, episode, instruction, explored, return, optimal_value, regret, expected_regret"
    return [steps, rows(out, f"SELECT {kept} FROM episodes ORDER BY run, episode")]
