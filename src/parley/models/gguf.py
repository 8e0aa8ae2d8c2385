"""Language models in GGUF files, run by llama.cpp in a process of its own that is started, watched and stopped here."""

import atexit
import selectors
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from parley.core.errors import BadInput, ParleyError
from parley.models.adapter import Adapter
from parley.models.dequantised import as_float_gguf
from parley.models.rows import Tokens
from parley.models.scoring import Logprobs
from parley.models.text import TextTokens
from parley.models.weights import gguf_file

DTYPES = ("float32", "file")
TIMEOUT_S = 600.0  # for an answer: the process is taken for stuck after that


class Ended(ParleyError):
    """llama.cpp's process has ended, or does not answer."""


class Process:
    """The process, and the way in which it is asked: one request at a time, each answered within `timeout_s`."""

    def __init__(self, path: str, threads: int, timeout_s: float = TIMEOUT_S) -> None:
        self.path, self.threads, self.timeout_s = path, threads, timeout_s
        self._log = tempfile.TemporaryFile()
        self._start()
        atexit.register(self.close)

    def _start(self) -> None:
        command = [sys.executable, "-m", "parley.models.llama_cpp_child", self.path, str(self.threads)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log)
        self._read = b""

    def ask(self, do: str, **said: Any) -> dict[str, Any]:
        """The answer to a request; raises `Ended` where the process is gone, `BadInput` where it refuses."""
        try:
            assert self._child.stdin is not None
            self._child.stdin.write(orjson.dumps({"do": do, **said}, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
            self._child.stdin.flush()
        except (OSError, ValueError):
            raise self._ended() from None
        answer: dict[str, Any] = orjson.loads(self._line())
        if "refused" in answer:
            raise BadInput(answer["refused"])
        return answer

    def _line(self) -> bytes:
        out, deadline = self._child.stdout, time.monotonic() + self.timeout_s
        assert out is not None
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while b"\n" not in self._read:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self._child.kill()
                    raise Ended(f"llama.cpp did not answer within {self.timeout_s:g} s, and was stopped")
                if not (more := out.read1(1 << 20)):  # type: ignore[attr-defined]
                    raise self._ended()
                self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _ended(self) -> Ended:
        code = self._child.wait()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return Ended(f"llama.cpp's process ended ({how}){f': {said[-1][:500]}' if said else ''}")

    def again(self) -> None:
        """Start anew."""
        self.close()
        self._start()

    def close(self) -> None:
        """Stop the process."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    pass
        try:
            self._child.wait(1.0)  # it ends when its input does
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


class GgufModel:
    """A model that llama.cpp runs: a GGUF file, or the short name of one.

    `dtype` is "float32", its numbers as they are without those that are multiplied with them being rounded, or "file".
    """

    scoring = "packed"

    def __init__(self, name: str, dtype: str = "float32", threads: int = 1, adapter: str = "") -> None:
        if dtype not in DTYPES:
            raise BadInput(f"dtype={dtype!r}: expected {' or '.join(DTYPES)}, the numbers that llama.cpp computes with")
        if adapter and dtype == "file":
            raise BadInput("dtype=file: an adapter is added to numbers in float32")
        if threads < 1:
            raise BadInput(f"threads={threads}: expected at least 1")
        path = gguf_file(name)
        if dtype == "float32":
            path = as_float_gguf(path, Adapter(Path(adapter)) if adapter else None)
        self.name, self.process = name, Process(str(path), threads)
        about = self.process.ask("about")
        self.positions = int(about["positions"])
        cut = lru_cache(maxsize=1 << 16)(lambda text: tuple(self.process.ask("plain", text=text)["tokens"]))
        special = {str(word): int(token) for word, token in about["special"].items()}
        self.text = TextTokens(
            lambda text: list(cut(text)), about["begin"], about["template"], special, about["names"], about["end"]
        )

    def said(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        return str(self.process.ask("said", tokens=list(tokens))["text"])

    def rows(self, num_rows: int, apart: int = 0) -> "GgufRows":
        """Empty prompts of several runs, each read by itself; those that were made before are gone."""
        return GgufRows(self, num_rows)


class GgufRows:
    """The prompts of B runs in llama.cpp's process. Where it ends, it is started once more and reads them again."""

    def __init__(self, model: GgufModel, num_rows: int) -> None:
        self.model, self.num_rows = model, num_rows
        empty: list[list[int]] = [[] for _ in range(num_rows)]
        self._held: dict[str, Any] = {"held": empty, "pieces": empty}
        model.process.ask("begin", **self._held)

    def read(self, prompts: Sequence[Tokens | None]) -> None:
        """As `Rows.read`."""
        self._ask("read", prompts=_lists(prompts))

    def score(
        self, prompts: Sequence[Tokens | None], lines: Sequence[Sequence[Tokens]], among: bool = False
    ) -> list[list[Logprobs]]:
        """As `Rows.score`."""
        found = self._ask(
            "score", prompts=_lists(prompts), lines=[list(map(list, ours)) for ours in lines], among=among
        )
        return [[np.array(values) for values in row] for row in found["scores"]]

    def after(self, prompts: Sequence[Tokens | None]) -> list[Any]:
        """As `Rows.after`."""
        found = self._ask("after", prompts=_lists(prompts))["after"]
        return [None if values is None else np.array(values) for values in found]

    def _ask(self, do: str, **said: Any) -> dict[str, Any]:
        process = self.model.process
        try:
            return process.ask(do, **said)
        except Ended as ended:
            warnings.warn(f"{self.model.name}: {ended}; it is started once more", RuntimeWarning, stacklevel=3)
            process.again()
            process.ask("begin", **self._held)
            return process.ask(do, **said)

    def snapshot(self) -> dict[str, np.ndarray]:
        """The tokens that are held, and the pieces in which they were read."""
        now = self._held = self._ask("held")
        return {
            "tokens": np.array([token for held in now["held"] for token in held], dtype=np.int32),
            "lengths": np.array([len(held) for held in now["held"]], dtype=np.intp),
            "counts": np.array([len(pieces) for pieces in now["pieces"]], dtype=np.intp),
            "computed": np.array([count for pieces in now["pieces"] for count in pieces], dtype=np.intp),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Read the same pieces again."""
        held = np.split(state["tokens"], np.cumsum(state["lengths"])[:-1])
        pieces = np.split(state["computed"], np.cumsum(state["counts"])[:-1])
        self._held = {"held": [row.tolist() for row in held], "pieces": [row.tolist() for row in pieces]}
        self._ask("begin", **self._held)


def _lists(prompts: Sequence[Tokens | None]) -> list[list[int] | None]:
    return [None if prompt is None else list(prompt) for prompt in prompts]
