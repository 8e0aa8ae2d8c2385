"""Batches drawn by other processes, ahead of the steps that need them.

A batch is a function of its number alone, so that any process may draw it.
"""

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from parley.core.errors import BadInput
from parley.training.loop import Source

AHEAD = 3  # batches of each process that wait to be read

_source: Source  # of a process that draws


@contextmanager
def ahead(source: Source, workers: int, steps: int) -> Iterator[Source]:
    """The same batches: `workers` processes draw those of the next steps, or this process does if `workers` is 0.

    Each process is sent `source` once. Raises `BadInput` for fewer than no processes.
    """
    if workers < 0:
        raise BadInput(f"workers={workers}: expected a number of processes, or 0 for none")
    if not workers:
        yield source
        return
    drawn: dict[int, Future[Any]] = {}
    # Not forked, as torch has threads by now.
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (source,)) as pool:

        def read(step: int) -> Any:
            for later in range(step, min(step + AHEAD * workers, steps)):
                if later not in drawn:
                    drawn[later] = pool.submit(_draw, later)
            return drawn.pop(step).result()

        try:
            yield read
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(source: Source) -> None:
    global _source
    _source = source
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the first process alone, which tells the others


def _draw(step: int) -> Any:
    return _source(step)
