"""Environments of Prime Intellect's verifiers 0.4, `verifiers:NAME`: they ask a model, and Parley answers for it."""

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import gymnasium as gym

from parley.core.errors import BadInput, EnvironmentFailed
from parley.core.paths import read_json
from parley.core.text import inert
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import FREE, AnyText
from parley.worlds.kit.wrap import wrap
from parley.worlds.open.seeds import variations

PROGRAM = Path(__file__).with_name("verifiers_player.py")
PYTHON = "PARLEY_VERIFIERS_PYTHON"
_seeds = variations


def verifiers(
    name: str,
    variations: int = 0,
    first: int = 0,
    horizon: int = 20,
    menu: str = "",
    task: str = "",
    max_score: float = 1.0,
    config: str = "",
    timeout_s: float = 60.0,
) -> PhysicalWorld:
    """Environments of verifiers 0.4, by their installed name: verifiers:NAME. The task of its dataset is hidden.

    PARLEY_VERIFIERS_PYTHON names the Python that has verifiers. Unless set, it is this one. A step is a reply, in any
    words or of `menu` (go left|go right). The reward comes at the end. `config` is a JSON file of further settings:
    those of `vf-eval` below `env`. `timeout_s` bounds the wait for what follows a reply.
    """
    settings = _settings(name, config)
    arguments = json.dumps([settings, horizon])
    known = player(arguments, name, timeout_s).tasks
    if known is None and not variations:
        raise BadInput(f"verifiers:{name}: its tasks do not end: say how many, variations=N")
    return wrap(
        lambda index: Rollout(arguments, name, index, timeout_s),
        variations=_seeds(first, variations, known),
        seeded_by="variation",
        menu=menu.split("|") if menu else FREE,
        instruction=task or None,
        max_score=max_score or None,
        horizon=horizon,
        name=f"verifiers:{name}",
    )


def _settings(name: str, config: str) -> dict[str, Any]:
    try:
        settings = read_json(Path(config)) if config else {}
        return {**settings, "taskset": {**settings.get("taskset", {}), "id": name}}
    except (OSError, ValueError, TypeError, AttributeError) as wrong:
        raise BadInput(f"config={config!r}: expected a JSON file of settings, got {inert(str(wrong), 200)}") from None


class Player:
    """The program beside us that plays an environment's episodes, many at a time; it ends with this process."""

    def __init__(self, arguments: str, name: str, timeout_s: float) -> None:
        self.python = os.environ.get(PYTHON) or sys.executable
        self._name, self._errors = name, tempfile.TemporaryFile()
        self._heard: dict[str, queue.SimpleQueue[Mapping[str, Any]]] = {"": queue.SimpleQueue()}
        self._lock, self._why = threading.Lock(), "its program ended"
        command = [self.python, "-P", str(PROGRAM), arguments]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, encoding="utf-8"
            )
        except OSError as wrong:
            self._errors.close()
            raise BadInput(f"{PYTHON}={self.python!r} is no Python: {wrong.strerror}") from None
        self._thread = threading.Thread(target=self._listen, daemon=True, name=f"verifiers:{name}")
        self._thread.start()
        atexit.register(self.end)
        try:
            told = self.hear("", max(timeout_s, 600.0))  # it imports much, and may load a data set
        except ConnectionError as wrong:
            told = {"failed": str(wrong)}
        if "failed" in told:
            self.end()
            raise BadInput(
                f"verifiers:{name}: {self.python} does not begin it: {inert(told['failed'], 400)}. Name a Python that "
                f"has verifiers 0.4 and the environment in {PYTHON}"
            )
        self.tasks: int | None = told["tasks"]

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def tell(self, game: str, **what: Any) -> None:
        """Send a message about a game; its answers are kept from its beginning on."""
        with self._lock:
            if "begin" in what:
                self._heard[game] = queue.SimpleQueue()
            try:
                print(json.dumps({"game": game, **what}), file=self._process.stdin, flush=True)
            except (OSError, ValueError):
                self._thread.join(5)
                raise ConnectionError(self._why) from None

    def hear(self, game: str, timeout_s: float) -> Mapping[str, Any]:
        """What comes next of a game; raises `ConnectionError` where nothing does."""
        try:
            told = self._heard[game].get(timeout=timeout_s)
        except queue.Empty:
            self.end(0.0)
            raise ConnectionError(f"verifiers:{self._name} said nothing for {timeout_s:g} s (timeout_s)") from None
        if "ended" in told:
            self._heard[game].put(told)
            raise ConnectionError(self._why)
        return told

    def stop(self, game: str) -> None:
        """Leave a game, at its end or before."""
        if self._heard.pop(game, None) is not None:
            with contextlib.suppress(ConnectionError):
                self.tell(game)

    def end(self, patience_s: float = 5.0) -> None:
        """Let it finish, or stop it where it does not."""
        atexit.unregister(self.end)
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()

    def _listen(self) -> None:
        with self._process.stdout as lines:  # type: ignore[union-attr]
            for line in lines:
                told = json.loads(line)
                if (mine := self._heard.get(told.get("game", ""))) is not None:
                    mine.put(told)
        status = self._process.wait()
        with self._errors as errors:
            errors.seek(0)
            last = [line for line in errors.read().decode("utf-8", "replace").splitlines() if line.strip()][-1:]
        self._why = f"its program ended (status {status}){': ' if last else ''}{''.join(last)}"
        for mine in list(self._heard.values()):
            mine.put({"ended": True})


_players: dict[tuple[str, int], Player] = {}
_opening = threading.Lock()


def player(arguments: str, name: str, timeout_s: float) -> Player:
    """The program of this process that plays an environment with these settings. The first call starts it."""
    with _opening:
        known = _players.get((arguments, os.getpid()))
        if known is None or not known.alive:
            known = _players[arguments, os.getpid()] = Player(arguments, name, timeout_s)
        return known


class Rollout(gym.Env[str, str]):
    """Episodes of one task: the observation is what was said since the last reply, the reward that of the end."""

    _numbers = count()

    def __init__(self, arguments: str, name: str, index: int, timeout_s: float) -> None:
        self.action_space, self.observation_space = AnyText(), AnyText()
        self._about, self._index, self._timeout = (arguments, name, timeout_s), index, timeout_s
        self._player: Player | None = None
        self._game = ""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """The task from its beginning; a system prompt is the episode's goal."""
        super().reset(seed=seed)
        if self._player is None:
            self._player = player(*self._about)
        if self._game:
            self._player.stop(self._game)
        self._game = f"game-{next(self._numbers)}"
        self._player.tell(self._game, begin=self._index)
        said, goal, _, over = self._hear()
        if over:
            raise ConnectionError(f"{self._about[1]}: its episode ended before anything was asked")
        return said, {"goal": goal} if goal else {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Reply."""
        assert self._player is not None, "reset comes first"
        self._player.tell(self._game, say=action)
        said, _, paid, over = self._hear()
        return said, paid, over, False, {}

    def close(self) -> None:
        if self._player is not None:
            self._player.stop(self._game)
            self._player = None

    def _hear(self) -> tuple[str, str, float, bool]:
        assert self._player is not None
        told = self._player.hear(self._game, self._timeout)
        if "cannot" in told:
            raise EnvironmentFailed(told["cannot"])
        if "failed" in told:
            raise ConnectionError(f"{self._about[1]}: {told['failed']}")
        if "paid" in told:
            return "The episode is over.", "", float(told["paid"]), True
        heard = told["heard"]
        goal = "\n".join(text for role, text in heard if role == "system")
        return "\n".join(text for role, text in heard if role != "system"), goal, 0.0, False
