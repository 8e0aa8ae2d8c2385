"""What is new, for those who are looking: one look a second while anybody does, and none when nobody does."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from parley.core.errors import ParleyError
from parley.view import findings
from parley.view.answers import Answers
from parley.view.texts import encoded

LOG = logging.getLogger(__name__)
TICK_S = 0.8  # between two looks
SHARE = 0.02  # of the time that may be spent on looking
MOST_S = 1.0  # a look stops reading runs after so long, and goes on at the next one
HEARTBEAT_S = 15.0
END = b""  # the message after the last one
WAITING = 100  # messages that may wait for somebody who does not listen


class Watch:
    """Looks for changes, and tells them to every listener as server-sent events."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._listeners: set[asyncio.Queue[bytes]] = set()
        self._task: asyncio.Task[None] | None = None
        self._told: dict[str, bytes] = {}
        self._experiments = b""
        self._look_at = 0.0

    async def events(self) -> AsyncIterator[bytes]:
        """Messages from now on; ends when nobody reads them."""
        mine: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        self._listeners.add(mine)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            yield b": the viewer listens\n\n"
            while True:
                try:
                    message = await asyncio.wait_for(mine.get(), HEARTBEAT_S)
                except TimeoutError:
                    message = b": still here\n\n"
                if message == END:
                    return
                yield message
        finally:
            self._listeners.discard(mine)

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to every listener; who is far behind misses it, and asks again when it comes back."""
        data = b"data: " + encoded(message) + b"\n\n"
        for listener in self._listeners:
            if not listener.full():
                listener.put_nowait(data)

    def end(self) -> None:
        """Tell every listener that nothing more comes, so that the server can close their connections in peace."""
        for listener in self._listeners:
            while listener.full():
                listener.get_nowait()
            listener.put_nowait(END)

    async def _watch(self) -> None:
        while self._listeners:
            began = time.monotonic()
            try:
                for message in await asyncio.to_thread(self.look):
                    self.tell(message)
            except Exception:  # one look that fails is no reason to look no more
                LOG.exception("a look at %s failed; the next one follows", self.answers.found.root)
            took = time.monotonic() - began
            await asyncio.sleep(max(TICK_S, took / 2))

    def look(self) -> list[dict[str, Any]]:
        """What has changed since the last look."""
        began, gone = time.monotonic(), list[str]()
        if began >= self._look_at:  # a large tree is not walked all the time
            self.answers.found.look()
            self._look_at = time.monotonic() + min((time.monotonic() - began) / SHARE, 30.0)
            gone = [name for name in self._told if name not in self.answers.found.runs]
            for name in gone:
                del self._told[name]
        rows, runs = [], self.answers.runs
        for name in dict.fromkeys([*runs.stale(), *runs.running()]):
            try:
                row = self.answers.row(name)
            except ParleyError:
                continue  # it has just gone
            if (said := encoded(row)) != self._told.get(name):
                self._told[name] = said
                rows.append(row)
            if time.monotonic() - began > MOST_S:
                break
        messages: list[dict[str, Any]] = [{"runs": rows, "gone": gone}] if rows or gone else []
        experiments = findings.listed(self.answers.found)
        if (said := encoded(experiments)) != self._experiments:
            self._experiments = said
            messages.append({"experiments": experiments})
        return messages
