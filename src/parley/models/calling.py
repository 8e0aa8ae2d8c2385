"""A call to a server as it is asked for, and how all calls to it are made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from parley.core.calls import Place
from parley.core.errors import BadInput
from parley.models.turns import MOST


@dataclass(frozen=True)
class Calling:
    """How a server is called: times in seconds; `breaker` counts failures in a row over all threads.

    `concurrency` calls run at a time; 0: as many as the server takes (`models.turns`).
    """

    concurrency: int = 16
    timeout_s: float = 60.0
    attempts: int = 8
    backoff_s: float = 0.5
    breaker: int = 32

    def __post_init__(self) -> None:
        if self.concurrency < 0:
            raise BadInput(
                f"concurrency={self.concurrency}: expected a number of calls, or 0 for as many as the server takes"
            )
        for name in ("attempts", "breaker"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name}={getattr(self, name)}: expected at least 1")
        for name in ("timeout_s", "backoff_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise BadInput(f"{name}={getattr(self, name)}: expected a number of seconds above 0")

    @property
    def most(self) -> int:
        """Calls in flight, at most."""
        return self.concurrency or MOST


@dataclass(frozen=True)
class Request:
    """A call: `body` goes to `path` (a GET without one). `prompt` is the text that is kept in the log.

    `draw` tells calls apart whose bodies are equal, where a server takes no seed.
    """

    path: str
    body: Mapping[str, Any] | None
    prompt: str
    purpose: str
    place: Place
    draw: str = ""

    @property
    def content(self) -> bytes | None:
        """The bytes of the body."""
        return None if self.body is None else encoded(self.body)


def encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # text that UTF-8 cannot hold goes escaped
        return json.dumps(body).encode()
