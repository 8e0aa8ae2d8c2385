"""How the carrying out of a run ended, and why: what its manifest says of it, and what the caller is told."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType

from parley.core.calls import RunPaused
from parley.core.errors import BadInput, ParleyError
from parley.core.text import raised


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after everything that was finished has been saved."""


class _Late:
    """A handler of signals: the first one waits for its time, the second one acts at once."""

    def __init__(self, before: dict[int, Callable[[int, FrameType | None], object]]) -> None:
        self.before, self.waits, self._any = before, True, False
        self._late: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.waits and not self._any:
            self._any, self._late = True, number
            return
        self._any = True
        with suppress(KeyboardInterrupt):
            self.tell()  # who counts the signals hears of both
        self.before[number](number, frame)

    def tell(self) -> None:
        """Let the signal that waits act."""
        number, self._late = self._late, None
        if number is not None:
            self.before[number](number, None)


_late: _Late | None = None  # of the main thread, which alone hears signals


@contextmanager
def unbroken() -> Iterator[None]:
    """Within it, Ctrl-C and SIGTERM wait while a run is begun or ended; within an `Ending` they act as ever."""
    global _late
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in heard.items() if callable(handler)}
    outer, _late = _late, (late := _Late(before))  # type: ignore[arg-type]
    for number in before:
        signal.signal(number, late)
    try:
        yield
    finally:
        late.waits, _late = False, outer
        for number, handler in before.items():
            signal.signal(number, handler)
        late.tell()


class Ending:
    """How the body of a `with` ends: the `status` and `error` of a manifest, and whether it was bad input.

    A pause and Ctrl-C are raised again as what a caller is told; `run` is what the command that goes on names. Where it
    stands within `unbroken`, signals interrupt the body, and wait from its end on.
    """

    def __init__(self, run: str) -> None:
        self.status, self.error = "interrupted", ""
        self.refused = False
        self.saved = f"what was finished is saved: `parley resume {run}` goes on"
        self._late = _late if threading.current_thread() is threading.main_thread() else None

    def __enter__(self) -> "Ending":
        if self._late:
            self._late.waits = False
            self._late.tell()
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        if self._late:
            self._late.waits = True
        self.refused = isinstance(wrong, BadInput)
        if wrong is None:
            self.status = "finished"
        elif isinstance(wrong, RunPaused):
            self.error = f"paused: {wrong}"
            raise RunPaused(f"{self.error}; {self.saved}") from wrong
        elif isinstance(wrong, KeyboardInterrupt):
            raise Interrupted from wrong
        else:
            self.status = "failed"
            self.error = str(wrong) if isinstance(wrong, ParleyError) else raised(wrong, 1000)
