"""Hooks: told what happens in a run, besides its log (trackers, dashboards, notifications)."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from parley.core.answered import plain
from parley.core.calls import Call
from parley.core.errors import FAULTS
from parley.core.roles import Recorder, State
from parley.core.said import EpisodeRecord, StepRecord, read_only
from parley.core.text import raised


class Hook:
    """Is told what happens in a run; override what you want to hear. Calls come one at a time, from any thread.

    A hook that raises is told nothing more, and the run goes on: its manifest says so (`hooks_failed`). What was
    recorded before a run was resumed is not told again.
    """

    def begin(self, out: Path, manifest: Mapping[str, Any]) -> None:
        """A run begins, or is resumed, in the directory `out`."""

    def step(self, record: StepRecord, first_run: int) -> None:
        """A lockstep of the runs from `first_run` on has been recorded; its arrays are over these runs."""

    def episode(self, record: EpisodeRecord, first_run: int) -> None:
        """An episode of the runs from `first_run` on has ended."""

    def call(self, call: Call) -> None:
        """A model has been asked."""

    def end(self, manifest: Mapping[str, Any]) -> None:
        """The run has ended, is interrupted, or has failed: `manifest["status"]` says which."""


class Hooks:
    """The hooks of a run, by name."""

    def __init__(self, hooks: Mapping[str, Hook]) -> None:
        self._hooks, self._lock = dict(hooks), threading.Lock()
        self.failed: dict[str, str] = {}
        self._early: list[tuple[str, tuple[Any, ...]]] | None = []  # until a run has begun: calls that probe a server

    def __bool__(self) -> bool:
        return bool(self._hooks or self.failed)

    def tell(self, event: str, *arguments: Any) -> None:
        """Call a method of every hook that has not failed; what comes before `begin` is told after it."""
        with self._lock:
            if self._early is not None and event != "begin":
                self._early.append((event, arguments))
                return
            early, self._early = self._early or [], None
            for one, with_arguments in ((event, arguments), *early):
                self._tell(one, with_arguments)

    def _tell(self, event: str, arguments: tuple[Any, ...]) -> None:
        for name, hook in list(self._hooks.items()):
            try:
                plain(getattr(hook, event)(*map(read_only, arguments)))
            except FAULTS as wrong:
                self.failed[name] = f"raised in `{event}`: {raised(wrong)}"
                del self._hooks[name]


def in_vain(manifest: Mapping[str, Any]) -> list[str]:
    """What a caller is told of hooks that failed in a run, one sentence each."""
    failed = manifest.get("totals", {}).get("hooks_failed", {})
    return [f"hook {name!r} {said}: it was told nothing more, and the run went on" for name, said in failed.items()]


class HookedRecorder:
    """A cohort's recorder that also tells hooks."""

    def __init__(self, recorder: Recorder, hooks: Hooks, first_run: int) -> None:
        self._recorder, self._hooks, self._first = recorder, hooks, first_run

    def step(self, record: StepRecord) -> None:
        self._recorder.step(record)
        self._hooks.tell("step", record, self._first)

    def episode(self, record: EpisodeRecord, snapshot: Sequence[State] | None = None) -> None:
        self._recorder.episode(record, snapshot)
        self._hooks.tell("episode", record, self._first)

    def wants_snapshot(self) -> bool:
        return self._recorder.wants_snapshot()
