"""One model behind an OpenAI-compatible server: calls that are retried, told apart, accounted for and remembered.

Every attempt goes to the ledger with its outcome. Failures that may pass (429, 5xx, time-outs, broken or unusable
answers) are tried again with exponential backoff and full jitter, not before the server's Retry-After; others (a bad
key, an unknown model) are said at once. After many failures in a row, over all threads, the circuit breaker pauses.
"""

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from parley.core.calls import CACHED, OK, Call, Ledger, Place, RunPaused, Usage
from parley.core.errors import BadInput, MissingExtra
from parley.core.text import inert
from parley.models.failures import Empty, Failure, Refused, Unusable, refusal, told_apart
from parley.models.providers import Server

TOO_LONG = "context_length_exceeded"  # the code of a prompt beyond the model's context
LONGEST_ANSWER = 1 << 22  # bytes of a body; more is no answer
LONGEST_WAIT_S = 120.0  # a server that wants more time than this pauses the run


@dataclass(frozen=True)
class Calling:
    """How a server is called: times in seconds; `breaker` counts failures in a row over all threads."""

    concurrency: int = 16
    timeout_s: float = 60.0
    attempts: int = 8
    backoff_s: float = 0.5
    breaker: int = 32

    def __post_init__(self) -> None:
        for name in ("concurrency", "attempts", "breaker"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name}={getattr(self, name)}: expected at least 1")
        for name in ("timeout_s", "backoff_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise BadInput(f"{name}={getattr(self, name)}: expected a number of seconds above 0")


@dataclass(frozen=True)
class Request:
    """A call: `body` goes to `path` (a GET without one). `prompt` is the text that is kept in the log."""

    path: str
    body: Mapping[str, Any] | None
    prompt: str
    purpose: str
    place: Place


class Endpoint:
    """The calls of one run to one server; safe to use from many threads."""

    def __init__(
        self, server: Server, calling: Calling, ledger: Ledger, jitter: Callable[[], float] = random.random
    ) -> None:
        try:
            import httpx2
        except ImportError:
            raise MissingExtra("an endpoint planner", "endpoint") from None
        self.server, self.calling, self.ledger, self._jitter, self._http = server, calling, ledger, jitter, httpx2
        headers = {"Content-Type": "application/json"}
        if server.key:
            headers["Authorization"] = f"Bearer {server.key}"
        limits = httpx2.Limits(max_connections=calling.concurrency, max_keepalive_connections=calling.concurrency)
        # Never follow a redirect: the key is for this server only.
        self._client = httpx2.Client(headers=headers, timeout=calling.timeout_s, limits=limits, follow_redirects=False)
        self._turns = threading.BoundedSemaphore(calling.concurrency)
        self._same: dict[str, threading.Lock] = {}
        self._urls: dict[str, Any] = {}  # by path: reading an address anew for every call is dear
        self._lock, self._in_a_row = threading.Lock(), 0

    def ask(
        self,
        request: Request,
        read: Callable[[Any], Any],
        judge: Callable[[Any], str] = lambda answer: OK,
        attempts: int = 0,
        probing: bool = False,
    ) -> Any:
        """What `read` makes of the answer, which must be JSON; from the ledger where the same was asked before.

        `judge` names the outcome of what was read. Raises `Unusable` where all `attempts` (0: as in the options) came
        to nothing that can be read, `Refused` where the server will not answer this call, `RunPaused` where it answers
        none; `probing`, `Failure` where this call fails.
        """
        content = None if request.body is None else _encoded(request.body)
        key = self._key(request.path, content or b"")
        try:
            with self._same.setdefault(key, threading.Lock()):  # who asks the same meanwhile waits for its answer
                known = self.ledger.known(key)
                if known is None:
                    return self._try(request, content, key, read, judge, attempts or self.calling.attempts, probing)
                self._record(request, key, CACHED, 0, 0.0, Usage(), known)
                return json.loads(known)
        finally:
            self._same.pop(key, None)

    def _try(
        self,
        request: Request,
        content: bytes | None,
        key: str,
        read: Callable[[Any], Any],
        judge: Callable[[Any], str],
        attempts: int,
        probing: bool,
    ) -> Any:
        """Attempts at a call, until it is answered or given up."""
        failure: Failure | None = None
        for attempt in range(1, attempts + 1):
            with self._turns:
                self.ledger.allow()  # it may have changed while we waited for our turn
                began = time.perf_counter()
                answer, usage, failure = self._attempt(request.path, content, read)
                took = time.perf_counter() - began
            outcome, said = (judge(answer), _dumps(answer)) if failure is None else (failure.outcome, failure.said)
            self._record(request, key, outcome, attempt, took, usage, said)
            if failure is None:
                self._in_a_row = 0
                return json.loads(self.server.hide(said))
            self._count(failure)
            if attempt < attempts:
                self.ledger.halted.wait(self._wait_s(attempt, failure))
        if isinstance(failure, Unusable) or (probing and failure):
            raise failure
        raise self._pause(f"{attempts} attempts at a call failed, the last one with: {failure}")

    def _attempt(
        self, path: str, content: bytes | None, read: Callable[[Any], Any]
    ) -> tuple[Any, Usage, Failure | None]:
        usage = Usage()
        try:
            body = self._send(path, content)
            usage = _usage(body)
            return read(body), usage, None
        except Failure as wrong:
            return None, usage, wrong
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            return None, usage, Unusable("malformed answer", _dumps(body))

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _key(self, path: str, content: bytes) -> str:
        """All that an answer depends on."""
        return hashlib.sha256(b"\0".join((self.server.base_url.encode(), path.encode(), content))).hexdigest()

    def _send(self, path: str, content: bytes | None) -> Any:
        with told_apart(self._http):
            if path not in self._urls:
                self._urls[path] = self._http.URL(f"{self.server.base_url}/{path}")
            method = "GET" if content is None else "POST"
            with self._client.stream(method, self._urls[path], content=content) as response:
                answer = bytearray()
                deadline = time.monotonic() + self.calling.timeout_s  # of the whole answer, not of each piece
                for piece in response.iter_bytes():
                    answer += piece
                    if len(answer) > LONGEST_ANSWER:
                        raise Failure("endless answer")
                    if time.monotonic() > deadline:
                        raise Failure("timeout")
        if response.status_code != 200:
            raise refusal(response, bytes(answer))
        if not answer:
            raise Failure("empty answer")
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise Failure("malformed JSON", said=answer[:2000].decode(errors="replace")) from None

    def _count(self, failure: Failure) -> None:
        """Give up at once where trying again cannot help; else count towards the breaker."""
        said = inert(self.server.hide(failure.said), 300)
        if not failure.retry:
            message = f"{self.server.base_url} refuses model {self.server.model!r}: {failure.outcome}"
            message += f": {said}" if said else ""
            if failure.code == TOO_LONG or "context length" in said:
                message += "; give the planner a smaller token budget (budget=...), or its tokenizer to count with"
            raise Refused(message, failure.outcome, failure.code)
        if failure.wait_s > LONGEST_WAIT_S:
            raise self._pause(f"the server asks us to wait {failure.wait_s:.0f} s")
        if isinstance(failure, Empty):
            return
        with self._lock:
            self._in_a_row += 1
            broken = self._in_a_row >= self.calling.breaker
        if broken:
            raise self._pause(f"{self.calling.breaker} calls in a row failed, the last one with: {failure.outcome}")

    def _pause(self, why: str) -> RunPaused:
        said = f"{self.server.base_url} does not answer for {self.server.model!r}: {why}"
        self.ledger.halt(said)
        return RunPaused(said)

    def _wait_s(self, attempt: int, failure: Failure) -> float:
        if isinstance(failure, Empty):
            return 0.0  # the server has time enough
        backoff = self.calling.backoff_s * 2 ** (attempt - 1)
        return max(failure.wait_s, min(backoff, LONGEST_WAIT_S) * self._jitter())

    def _record(
        self, request: Request, key: str, outcome: str, attempt: int, took: float, usage: Usage, answer: str
    ) -> None:
        def clean(text: str) -> str:
            """Without the key, and without what UTF-8 cannot hold."""
            return self.server.hide(text).encode(errors="backslashreplace").decode()

        self.ledger.record(
            Call(
                place=request.place,
                model=self.server.model,
                purpose=request.purpose,
                key=key,
                outcome=outcome,
                attempt=attempt,
                latency_s=took,
                usage=usage,
                prompt=clean(request.prompt),
                answer=clean(answer),
            )
        )


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # text that UTF-8 cannot hold goes escaped
        return json.dumps(body).encode()


def _dumps(answer: Any) -> str:
    return json.dumps(answer, ensure_ascii=False)


def _usage(body: Any) -> Usage:
    """The tokens that an answer says were read and written; a server may say nothing, or nonsense."""

    def count(of: Any, name: str) -> int | None:
        value = of.get(name) if isinstance(of, dict) else None
        return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40 else None

    usage = body.get("usage") if isinstance(body, dict) else None
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    return Usage(count(usage, "prompt_tokens"), count(details, "cached_tokens"), count(usage, "completion_tokens"))
