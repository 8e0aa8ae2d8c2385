"""One model behind an OpenAI-compatible server: calls that are retried, told apart, accounted for and remembered.

Every attempt goes to the ledger with its outcome. Failures that may pass (429, 5xx, time-outs, broken or unusable
answers) are tried again with exponential backoff and full jitter. A new attempt never comes before the server's
Retry-After. Other failures (a bad key, an unknown model) are reported at once. After many failures in a row, over all
threads, the circuit breaker pauses.
"""

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from parley.core.calls import CACHED, OK, Call, Ledger, RunPaused, Usage
from parley.core.text import inert
from parley.models.calling import Calling, Request
from parley.models.connection import Connection
from parley.models.failures import Failure, Overflow, Refused, Unusable
from parley.models.providers import Server
from parley.models.turns import AdaptiveTurns, Turns, load_of
from parley.models.usage import counted, told

KEPT = 2000  # characters of what a server says instead of an answer
READ = ("timeout", "truncated answer", "malformed answer", "malformed JSON")  # failures of what may have been read
UNANSWERED = ("certificate", "no TLS", "no call", "proxy", "web page", "event stream", "redirect")  # by no API
BUSY = ("(429)", "(503)")  # failures of a server that has too much to do
LONGEST_WAIT_S = 120.0  # a server that wants more time than this pauses the run


class Endpoint:
    """The calls of one run to one server; safe to use from many threads."""

    def __init__(
        self,
        server: Server,
        calling: Calling,
        ledger: Ledger,
        jitter: Callable[[], float] = random.random,
        transport: Any = None,  # of the HTTP library, in the place of the network
    ) -> None:
        self.server, self.calling, self.ledger, self._jitter = server, calling, ledger, jitter
        self.count: Callable[[str], int] = lambda text: len(text.encode(errors="replace"))  # tokens, at most
        self._connection = connection = Connection(server, calling, transport)
        free = not calling.concurrency  # to call as often as the server takes
        self._turns = AdaptiveTurns(lambda: load_of(connection.page)) if free else Turns(calling.concurrency)
        self._same: dict[str, threading.Lock] = {}
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

        `judge` names the outcome of the parsed answer. Raises `Unusable` if all `attempts` (0: as in the options) gave
        no readable answer. Raises `Refused` if the server will not answer this call, and `RunPaused` if it answers no
        call. With `probing`, raises `Failure` if this call fails.
        """
        content = request.content
        key = self._key(request.path, content or b"", request.draw)
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
                answer, usage, failure = self._attempt(request, content, read)
                took = time.perf_counter() - began
            self._turns.answered(failure is not None and failure.outcome.endswith(BUSY))
            if failure is None:
                outcome, said = judge(answer), _dumps(answer)
            else:
                outcome, said = failure.outcome, self.server.hide(failure.said)[:KEPT]
            self._record(request, key, outcome, attempt, took, usage, said)
            if failure is None:
                self._in_a_row = 0
                return json.loads(self.server.hide(said))
            self._count(failure, probing)
            if attempt < attempts:
                self.ledger.halted.wait(self._wait_s(attempt, failure))
        if isinstance(failure, Unusable) or (probing and failure):
            raise failure
        raise self._pause(f"{attempts} attempts at a call failed, the last one with: {failure}{self.quoted(failure)}")

    def _attempt(
        self, request: Request, content: bytes | None, read: Callable[[Any], Any]
    ) -> tuple[Any, Usage, Failure | None]:
        usage, body = Usage(), None
        try:
            body = self._connection.send(request.path, content)
            usage = counted(told(body), request.body, body, self.count)
            return read(body), usage, None
        except Failure as wrong:
            if body is None and wrong.outcome in READ:  # it may have been read, and charged for
                usage = counted(usage, request.body, None, self.count)
            return None, usage, wrong
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            return None, usage, Unusable("malformed answer", _dumps(body))

    @property
    def through(self) -> str:
        """The proxy on the way, as words behind an address; empty without one."""
        return self._connection.through

    def close(self) -> None:
        """Give the connections back."""
        self._connection.close()

    def _key(self, path: str, content: bytes, draw: str = "") -> str:
        """All that an answer depends on."""
        about = [self.server.base_url.encode(), path.encode(), content, *([draw.encode()] if draw else [])]
        return hashlib.sha256(b"\0".join(about)).hexdigest()

    def _count(self, failure: Failure, probing: bool) -> None:
        """Give up at once where trying again cannot help; else count towards the breaker."""
        if failure.pauses and not probing:
            raise self._pause(f"{failure.outcome}{self.quoted(failure)}")
        if not failure.retry:
            raise self._refused(failure)
        if failure.wait_s > LONGEST_WAIT_S:
            raise self._pause(f"the server asks us to wait {failure.wait_s:.0f} s{self.quoted(failure)}")
        with self._lock:
            self._in_a_row += 1
            broken = self._in_a_row >= self.calling.breaker
        if broken:
            last = f"{failure.outcome}{self.quoted(failure)}"
            raise self._pause(f"{self.calling.breaker} calls in a row failed, the last one with: {last}")

    def quoted(self, failure: Failure | None) -> str:
        """What a server says of a failure, to stand behind its kind."""
        said = inert(self.server.hide(failure.said if failure else ""), 300).strip()
        return f": {said}" if said else ""

    def _refused(self, failure: Failure) -> Refused:
        """The error for a call that no other attempt would help."""
        said = inert(self.server.hide(failure.said), 300)
        answered = not failure.outcome.startswith(UNANSWERED)
        whom = f"refuses model {self.server.model!r}" if answered else f"cannot be asked{self.through}"
        message = f"{self.server.base_url} {whom}: {failure.outcome}{self.quoted(failure)}"
        message += self.server.advice(failure.outcome)
        if failure.too_long:
            return Overflow(message, failure.outcome, failure.code, said, failure.too_long)
        return Refused(message, failure.outcome, failure.code, said)

    def _pause(self, why: str) -> RunPaused:
        said = f"{self.server.base_url} does not answer for {self.server.model!r}: {why}"
        self.ledger.halt(said)
        return RunPaused(said)

    def _wait_s(self, attempt: int, failure: Failure) -> float:
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


def _dumps(answer: Any) -> str:
    return json.dumps(answer, ensure_ascii=False)
