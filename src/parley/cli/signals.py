"""What Ctrl-C and SIGTERM do: the first one lets a command end in good order, the second one ends it at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SHOW_CURSOR = b"\x1b[?25h"  # progress bars hide it
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def heeded() -> Iterator[list[int]]:
    """Within it the first signal raises `KeyboardInterrupt`, the second ends the process; gives those that came.

    Some signals were ignored by our parent process (`nohup`, a shell's background). They stay ignored. Outside the main
    thread, where Python sets no handlers, all stays as it is.
    """
    came: list[int] = []

    def heed(number: int, frame: FrameType | None) -> None:
        if came:
            if sys.stderr.isatty():
                os.write(2, SHOW_CURSOR)
            os._exit(128 + number)
        came.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, heed)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
