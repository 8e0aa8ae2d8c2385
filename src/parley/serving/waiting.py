"""Requests on their way to the model: read in time, admitted while there is room, dropped when their client is gone."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from parley.serving.api import Problem

LONGEST_BODY = 1 << 24  # bytes of a request
LONGEST_BODIES = 1 << 28  # bytes of all requests that are being read or wait
READ_S = 30.0  # for the body of a request
MOST_WAITING = 256  # requests that are read and not answered
BUSY = "this server has as many requests as it takes: try again"


class Gone(Exception):
    """The client has hung up, or the server ends: nobody waits for an answer."""


class Room:
    """What waits for the model, which answers one request after another in a thread of its own."""

    def __init__(self) -> None:
        self._one = ThreadPoolExecutor(1, thread_name_prefix="parley-model")
        self.waiting = self.bytes = 0  # of the event loop's thread alone
        self.ending = threading.Event()

    @asynccontextmanager
    async def reading(self, request: Any) -> AsyncIterator[bytes]:
        """The body of a request, which takes room until it is answered."""
        content = bytearray()
        try:
            async with asyncio.timeout(READ_S):
                async for piece in request.stream():
                    content += piece
                    self.bytes += len(piece)
                    if len(content) > LONGEST_BODY:
                        raise Problem(413, f"the body is longer than {LONGEST_BODY} bytes")
                    if self.bytes > LONGEST_BODIES:
                        raise Problem(503, BUSY, "overloaded")
        except TimeoutError:
            self.bytes -= len(content)
            raise Problem(408, f"the body did not come within {READ_S:g} s") from None
        except BaseException:
            self.bytes -= len(content)
            raise
        try:
            yield bytes(content)
        finally:
            self.bytes -= len(content)

    async def answer(self, request: Any, does: Callable[[Callable[[], bool]], Any]) -> Any:
        """What `does(gone)` answers once it is its turn; raises `Gone` where nobody waits for it any more."""
        if self.waiting >= MOST_WAITING:
            raise Problem(503, BUSY, "overloaded")
        hung_up = threading.Event()
        self.waiting += 1
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._one, does, lambda: hung_up.is_set() or self.ending.is_set())
        watching = asyncio.create_task(_hung_up(request))
        try:
            await asyncio.wait({work, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise Gone
            return work.result()
        finally:
            hung_up.set()
            watching.cancel()
            if not work.cancel():
                work.add_done_callback(lambda done: done.cancelled() or done.exception())
            self.waiting -= 1

    def close(self) -> None:
        """Answer no more."""
        self.ending.set()
        self._one.shutdown(wait=False, cancel_futures=True)


async def _hung_up(request: Any) -> None:
    """Wait until the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def decoded(content: bytes) -> Any:
    """JSON as others understand it: no NaN, no nesting without end; raises `Problem`."""

    def refused(name: str) -> Any:
        raise ValueError(f"{name} is no JSON")

    try:
        return json.loads(content, parse_constant=refused)
    except (ValueError, RecursionError):
        raise Problem(400, "the body is no JSON") from None
