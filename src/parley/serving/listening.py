"""The server's side of connections: its socket, clients that are slow, silent or gone, and an end on request."""

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from parley.core.errors import BadInput
from parley.serving.waiting import READ_S, Room

REQUEST_S = 10.0  # for the first line and the headers of a request
KEPT_S = 30.0  # for the next request on a connection
ENDING_S = 5.0  # for answers that are being written when the server ends
MOST_CONNECTIONS = 4096
LEAST_FILES = 256  # descriptors for everything else


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; raises `BadInput` where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, port))
            made.listen(2048)
        except OSError:
            made.close()
            raise
    except (OSError, OverflowError) as wrong:
        why = getattr(wrong, "strerror", None) or str(wrong)
        raise BadInput(f"host={host!r}, port={port}: cannot listen there: {why}; choose another --port") from None
    return made


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens at a host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Patient(H11Protocol):
    """A connection whose client must say what it wants in time; of too many the one that is idle for longest goes."""

    most = MOST_CONNECTIONS

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.since = time.monotonic()
        self._late: asyncio.TimerHandle | None = None
        self._wait()
        if len(self.connections) > self.most:
            idle = [one for one in self.connections if isinstance(one, Patient) and one is not self and not one.busy]
            if idle:
                min(idle, key=lambda one: one.since).give_up()

    @property
    def busy(self) -> bool:
        """Whether a request has been read, and not answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.busy:
            self._stop_waiting()
        elif self._late is None and not self.transport.is_closing():
            self._wait()  # a next request has begun

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.since = time.monotonic()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._full = self.loop.call_later(READ_S, self.transport.abort)  # it does not read what it asked for

    def resume_writing(self) -> None:
        super().resume_writing()
        self._full.cancel()

    def timeout_keep_alive_handler(self) -> None:
        self.give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._late = self.loop.call_later(REQUEST_S, self.give_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def give_up(self) -> None:
        """Close, whatever the client has not read."""
        if not self.busy:
            self.connections.discard(self)
            self.transport.abort()


class Listening(uvicorn.Server):
    """A server on a socket that Parley opened. It calls `ready` once it serves, and closes its `room` when it is told
    to end.
    """

    def __init__(self, app: Any, at: socket.socket, ready: Callable[[], None], room: Room) -> None:
        about = dict(log_level="error", timeout_keep_alive=int(KEPT_S), timeout_graceful_shutdown=int(ENDING_S))
        super().__init__(uvicorn.Config(app, http=Patient, ws="none", lifespan="off", **about))
        self.at, self._ready, self._room = at, ready, room
        Patient.most = min(MOST_CONNECTIONS, _files() - LEAST_FILES)

    def serve_forever(self) -> None:
        """Serve until told to end, by a signal or by `should_exit`."""
        try:
            self.run(sockets=[self.at])
        finally:
            self.at.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._room.close()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Patient):
                connection.give_up()
        with contextlib.suppress(asyncio.CancelledError):
            await super().shutdown(sockets)


def _files() -> int:
    """How many descriptors this process may have; as many as the system allows, from now on."""
    try:
        import resource
    except ImportError:
        return 2 * LEAST_FILES + 256  # Windows
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + LEAST_FILES
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    return max(2 * LEAST_FILES, min(most, wanted if soft == resource.RLIM_INFINITY else soft))
