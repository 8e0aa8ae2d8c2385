"""How many calls a server gets at once: a fixed number, or as many as it takes, which is found out on the way.

Additive increase and multiplicative decrease (Chiu and Jain 1989), after a start that doubles, as in TCP.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

MOST = 256  # calls in flight
FIRST = 4  # before anything is known
LOOK_S = 1.0  # how often a server is asked how busy it is; the limit changes no faster
LESS = 0.7
WAITING = re.compile(r"^(?:vllm:num_requests_waiting|llamacpp:requests_deferred)(?:\{[^}]*\})? +([0-9.e+]+)", re.M)


class Load(NamedTuple):
    """What a server says of itself: its places (0: it does not say), and the requests that wait for one, if known."""

    places: int = 0
    waiting: int | None = None


class Turns:
    """At most `limit` calls at a time: `with turns: ...`."""

    def __init__(self, limit: int) -> None:
        self.limit = float(limit)
        self.in_flight = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.in_flight < int(self.limit))
            self.in_flight += 1

    def __exit__(self, *wrong: object) -> None:
        with self._changed:
            self.in_flight -= 1
            self._changed.notify()

    def answered(self, refused: bool) -> None:
        """An attempt has ended; `refused` says whether the server had too much to do."""


class AdaptiveTurns(Turns):
    """As many as the server takes. `look` asks it; where it says nothing, its refusals tell (429 and 503)."""

    def __init__(self, look: Callable[[], Load], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(FIRST)
        self._look, self._clock = look, clock
        self._looking = threading.Lock()
        self._looked = float("-inf")
        self._doubles, self._full, self._refused = True, False, False

    def __enter__(self) -> None:
        super().__enter__()
        self._full = self._full or self.in_flight >= int(self.limit)

    def answered(self, refused: bool) -> None:
        """Look at the server once in a while, and change the limit."""
        self._refused = self._refused or refused
        if self._clock() - self._looked < LOOK_S or not self._looking.acquire(blocking=False):
            return
        try:
            load = self._look()
            self._looked = self._clock()
            self._change(load)
        finally:
            self._looking.release()

    def _change(self, load: Load) -> None:
        with self._changed:
            if self._refused or load.waiting:
                self.limit, self._doubles = max(1.0, self.limit * LESS), False
            elif load.places:
                self.limit = min(load.places, MOST)
            elif self._full:
                self.limit = min(MOST, self.limit * 2 if self._doubles else self.limit + 1)
            self._full = self._refused = False
            self._changed.notify_all()


def load_of(get: Callable[[str], str]) -> Load:
    """What a server says of itself: `get` brings a page of it, empty where it has no such page.

    llama.cpp names its places (`/props`: `total_slots`); it and vLLM count who waits (`/metrics`).
    """
    try:
        places = json.loads(get("props") or "{}")["total_slots"]
    except (ValueError, KeyError, TypeError):
        places = 0
    found = WAITING.findall(get("metrics"))
    places = places if isinstance(places, int) and places > 0 else 0
    return Load(places, int(sum(map(float, found))) if found else None)
