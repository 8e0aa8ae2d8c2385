"""Environment servers that speak OpenEnv's WebSocket protocol, `openenv:URL` (extra `openenv`)."""

import contextlib
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import gymnasium as gym

from parley.core.errors import BadInput, MissingExtra
from parley.core.text import inert
from parley.worlds.kit.describe import in_words
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import FREE, AnyText
from parley.worlds.kit.wrap import wrap
from parley.worlds.open.seeds import some

LARGEST = 100 * 1024 * 1024  # bytes of a message


def openenv(
    url: str,
    action: str = "message",
    text: str = "",
    menu: str = "",
    task: str = "",
    max_score: float = 0.0,
    variations: int = 0,
    first: int = 0,
    horizon: int = 50,
    timeout_s: float = 60.0,
) -> PhysicalWorld:
    """An OpenEnv server (extra openenv): openenv:http://host:8000. Its seed is hidden, where there are variations.

    `action` names the field of an action that takes the words. `text` names the field of an observation that is told
    (all of them unless named). `menu` names the field that lists the possible actions (unless named, any words may be
    said).
    """
    if not url.startswith(("http://", "https://", "ws://", "wss://")):
        raise BadInput(f"url={url!r}: expected http://HOST:PORT, or https, ws or wss")
    _library()
    address = f"ws{url.removeprefix('http')}" if url.startswith("http") else url
    return wrap(
        lambda *seed: Session(f"{address.rstrip('/')}/ws", action, menu, timeout_s),
        variations=some(first, variations),
        seeded_by="variation" if variations else "episode",
        describe=partial(_words, text),
        menu=None if menu else FREE,
        instruction=task or None,
        max_score=max_score or None,
        horizon=horizon,
        name=f"openenv:{url}",
    )


def _words(text: str, state: Mapping[str, Any]) -> str:
    return in_words(state.get(text, "") if text else state)


def _library() -> Any:
    try:
        from websockets.sync import client
    except ImportError:
        raise MissingExtra("world 'openenv'", "openenv") from None
    return client


class Session(gym.Env[dict[str, Any], str]):
    """One session at a server. A connection that fails raises: a fresh session then repeats the episode, once."""

    def __init__(self, address: str, action: str, menu: str, timeout_s: float) -> None:
        self.action_space, self.observation_space = AnyText(), gym.spaces.Dict()
        self._address, self._action, self._menu, self._timeout = address, action, menu, timeout_s
        self._socket: Any = None
        self._opened = contextlib.ExitStack()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode of a seed, which a server may heed or not."""
        super().reset(seed=seed)
        state, _, _ = self._ask("reset", {"seed": seed})
        return state, self._info(state)

    def step(self, action: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Say what to do."""
        state, paid, over = self._ask("step", {self._action: action})
        return state, paid, over, False, {} if over else self._info(state)

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(Exception):
                self._socket.send(json.dumps({"type": "close"}))
            with contextlib.suppress(Exception):
                self._opened.close()
            self._socket = None

    def _ask(self, kind: str, data: Mapping[str, Any]) -> tuple[dict[str, Any], float, bool]:
        if self._socket is None:
            self._socket = self._connected()
        self._socket.send(json.dumps({"type": kind, "data": data}))
        told = json.loads(self._socket.recv(timeout=self._timeout))
        answer = told.get("data") if isinstance(told, dict) else None
        if not isinstance(answer, dict) or told.get("type") == "error":
            raise ConnectionError(f"{self._address} answers {inert(json.dumps(told), 200)}")
        state = answer.get("observation")
        if not isinstance(state, dict):
            raise ConnectionError(f"{self._address} answers without an observation: {inert(json.dumps(answer), 200)}")
        return state, answer.get("reward") or 0.0, bool(answer.get("done"))

    def _connected(self) -> Any:
        try:
            limits = {"open_timeout": self._timeout, "max_size": LARGEST, "close_timeout": 1}
            return self._opened.enter_context(_library().connect(self._address, proxy=None, **limits))
        except (OSError, TimeoutError) as wrong:
            raise ConnectionError(f"{self._address} does not answer ({wrong}): is the server up?") from wrong

    def _info(self, state: Mapping[str, Any]) -> dict[str, Any]:
        known = {"admissible_commands": state.get(self._menu, ())} if self._menu else {}
        return {**known, **({"goal": state["task"]} if isinstance(state.get("task"), str) else {})}
