"""Templates from files are rendered in a process of their own: a stranger's may loop, nest or grow without end.

The process has so many seconds for each text, so much memory, and the recursion limit of Python. It is started when the
first such template is rendered, and one is enough for a whole process: threads take turns.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
from typing import Any

from parley.core.errors import BadInput

SECONDS = 5.0  # for one text
MEMORY = 512 << 20  # bytes of address space
START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from parley.prompting.renderer import main; main()"


class _Child:
    """The process, and its pipes."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", START, json.dumps([path or os.getcwd() for path in sys.path])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin and self.process.stdout
        self.asks, self.says = self.process.stdin, self.process.stdout
        self.says.readline()  # it has started: the time that this takes is no text's

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """An answer; empty where the process had to be ended, or ended."""
        timer = threading.Timer(SECONDS, self.process.kill)
        timer.start()
        try:
            self.asks.write(json.dumps(question).encode() + b"\n")
            self.asks.flush()
            answer = self.says.readline()
        except OSError:
            answer = b""
        finally:
            timer.cancel()
        found: dict[str, Any] = json.loads(answer) if answer.endswith(b"\n") else {}
        return found

    def close(self) -> None:
        """End it."""
        self.process.kill()
        for pipe in (self.asks, self.says):
            try:
                pipe.close()
            except OSError:
                pass
        self.process.wait()


_lock = threading.Lock()
_child: _Child | None = None


def render(name: str, source: str, block: str, said: dict[str, Any]) -> str:
    """The text of a block of a template, or of the whole where `block` is empty; raises `BadInput` in one sentence."""
    global _child
    with _lock:
        if _child is None:
            _child = _Child()
        answer = _child.ask({"name": name, "source": source, "block": block, "said": said})
        if not answer:
            _child.close()
            _child = None
    if not answer:
        where = f", block {block!r}" if block else ""
        raise BadInput(f"template={name!r}{where} takes more than {SECONDS:g} s or {MEMORY >> 20} MB: it may not end")
    if "wrong" in answer:
        raise BadInput(answer["wrong"])
    return str(answer["text"])


@atexit.register
def _end() -> None:
    if _child is not None:
        _child.close()


def _forget() -> None:
    """A forked process has no share in its parent's."""
    global _child, _lock
    _child, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
