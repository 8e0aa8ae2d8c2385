"""A process of its own for what takes a world, a planner or time: its memory and its faults are not the server's.

A manifest is somebody else's text. It can name a world that is too large for any machine; then this process dies.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import orjson

from parley.view.tasks import carry_out
from parley.view.texts import encoded

MOST_BYTES = 6 << 30  # of address space
MOST_S = 60.0  # for one answer


class Laboratory:
    """Asks the process one thing at a time; starts it when it is needed, and again when it has died."""

    def __init__(self, root: Path, seconds: float = MOST_S) -> None:
        self.root, self.seconds = root, seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, task: str, out: Path, *numbers: int) -> dict[str, Any]:
        """The answer to a task. {"refused": sentence} where it has no answer."""
        with self._lock:
            process = self._running()
            assert process.stdin and process.stdout
            overdue = threading.Timer(self.seconds, process.kill)
            overdue.start()
            try:
                process.stdin.write(json.dumps([task, str(out), str(self.root), numbers]).encode() + b"\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = b""
            finally:
                overdue.cancel()
            if answer.endswith(b"\n"):
                found: dict[str, Any] = orjson.loads(answer)
                return found
            self.close()
            limits = f"{self.seconds:.0f} s and {MOST_BYTES >> 30} GB of memory"
            return {"refused": f"this could not be worked out within {limits}"}

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self.close()
            command = [sys.executable, "-P", "-m", "parley.view.laboratory"]  # -P: no code from where we are
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._process

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            for stream in (self._process.stdin, self._process.stdout):
                if stream:
                    stream.close()
            self._process.wait()
            self._process = None


def main() -> None:
    """Answer line by line. Other output is dropped."""
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    except (ImportError, ValueError, OSError):
        pass  # without the limit the time still holds
    for line in sys.stdin:
        task, out, root, numbers = json.loads(line)
        answers.write(encoded(carry_out(task, Path(out), Path(root), numbers)) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
